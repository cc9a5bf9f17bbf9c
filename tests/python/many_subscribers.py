"""Many SUB sockets of libzmq: some want `org.small` and read, others want everything and read nothing.

Says what each that reads has got when all of them have had `org.small.end`.
"""

import json
import resource
import sys

import zmq

address, reading, stalled = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
context = zmq.Context()
context.set(zmq.MAX_SOCKETS, 4096)


def subscriber(prefix, limit):
    socket = context.socket(zmq.SUB)
    socket.set(zmq.IPV6, 1)
    socket.set(zmq.RCVHWM, limit)
    socket.set(zmq.LINGER, 0)
    # Whoever is not answered for so long hangs up, and comes again.
    socket.set(zmq.HEARTBEAT_IVL, 100)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 20000)
    socket.subscribe(prefix)
    socket.connect(address)
    return socket


idle = [subscriber(b"", 10) for _ in range(stalled)]
poller = zmq.Poller()
got = {}
for _ in range(reading):
    socket = subscriber(b"org.small", 1000)
    got[socket] = []
    poller.register(socket, zmq.POLLIN)
ended = 0
while ended < reading:
    for socket, _ in poller.poll():
        topic, body = socket.recv_multipart()
        got[socket].append(json.loads(body)["msg"])
        ended += topic == b"org.small.end"
counts = {}
for messages in got.values():
    key = json.dumps(messages)
    counts[key] = counts.get(key, 0) + 1
print(json.dumps([[json.loads(key), count] for key, count in counts.items()]), flush=True)
sys.stdin.read()
