"""A consumer for the Python fedmsg-hub that tells a test of each message it gets.

Writes a JSON line to the Unix socket `recorder.path`, as the plugin of the same name does for our hub.
"""
import json
import socket

from fedmsg.consumers import FedmsgConsumer


class Recorder(FedmsgConsumer):
    config_key = "recorder.enabled"
    topic = "*"

    def __init__(self, hub):
        self.out = socket.socket(socket.AF_UNIX)
        self.out.connect(hub.config["recorder.path"])
        super().__init__(hub)

    def consume(self, message):
        line = {"topic": message["topic"], "body": message["body"]}
        self.out.sendall(json.dumps(line).encode() + b"\n")
