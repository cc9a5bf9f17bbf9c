"""The counting consumer for the Python fedmsg-hub: what the plugin tests/plugins/recorder/src/meter.rs is for ours."""
import json
import socket
import time

from fedmsg.consumers import FedmsgConsumer


def now_us():
    return time.time_ns() // 1000


class Meter(FedmsgConsumer):
    config_key = "meter.enabled"
    topic = "*"

    def __init__(self, hub):
        self.expect = hub.config["meter.expect"]
        self.timed = hub.config["meter.timed"]
        self.out = socket.socket(socket.AF_UNIX)
        self.out.connect(hub.config["meter.path"])
        self.count = self.bytes = self.first = 0
        self.late = []
        super().__init__(hub)

    def consume(self, message):
        self.count += 1
        if self.count == 1:
            self.first = now_us()
        if self.timed:
            self.late.append(now_us() - message["body"]["msg"]["sent"])
        if self.count == self.expect:
            # The bytes on the wire are not seen by a consumer.
            line = dict(count=self.count, bytes=0, first_us=self.first, last_us=now_us(), late_us=self.late)
            self.out.sendall(json.dumps(line).encode() + b"\n")


# moksha takes each class once.
for n in range(10):
    globals()["Meter%d" % n] = type("Meter%d" % n, (Meter,), {})
