config = dict(
    irc=[
        dict(
            network='irc.example.org',
            port=6667,
            nickname='fedmsg-dev',
            channel='my-fedmsg-channel',
            line_rate=0.9,
            password=open('/etc/fedmsg/irc-password').read(),
            filters=dict(topic=[], body=['lub-dub']),
        ),
    ],
    irc_color_lookup={
        "fas": "light blue",
    },
    irc_method='notice',
)
