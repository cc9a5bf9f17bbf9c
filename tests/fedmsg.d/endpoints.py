import socket

DOMAIN = 'example.org'
hostname = socket.gethostname().split('.', 1)[0]

config = dict(
    endpoints={
        "bodhi.app01": [
            "tcp://app01.example.org:3000",
            "tcp://app01." "example.org:3001",
        ],
        "%s.local" % hostname: ["tcp://127.0.0.1:3002"],
        "wiki.wiki01": ["tcp://wiki01.%s:3000" % DOMAIN],
    },
)
