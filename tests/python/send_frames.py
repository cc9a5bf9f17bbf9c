"""Sends any frames from an XPUB socket: reads one message a line, a JSON list of frames in hex.

Says its address, and `subscribed` when a subscriber is there.
"""
import json
import sys

import zmq

socket = zmq.Context().socket(zmq.XPUB)
socket.setsockopt(zmq.SNDHWM, 0)
socket.bind("tcp://127.0.0.1:*")
print(socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode(), flush=True)
socket.recv()
print("subscribed", flush=True)
for line in sys.stdin:
    socket.send_multipart([bytes.fromhex(frame) for frame in json.loads(line)])
