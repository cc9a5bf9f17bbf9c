"""Prints the messages on stdin, one JSON text a line each way, as the lines of the Python fedmsg's IRC bot."""

import json
import logging
import sys
from types import SimpleNamespace

import fedmsg.meta
from fedmsg.consumers.ircbot import IRCBotConsumer

config = {
    "topic_prefix": "org.fedoraproject",
    "topic_prefix_re": r"org\.fedoraproject\.[^\W\d_]+",
    "irc_color_lookup": {"logger": "orange", "bodhi": "light cyan"},
    "irc_default_color": "light grey",
}
logging.disable(logging.CRITICAL)
fedmsg.meta.make_processors(**config)
bot = SimpleNamespace(hub=SimpleNamespace(config=config))

for line in sys.stdin:
    msg = json.loads(line)
    print(json.dumps({
        name: IRCBotConsumer.prettify(bot, msg["topic"], msg, pretty=pretty, terse=terse)
        for name, pretty, terse in [
            ("pretty", True, True), ("plain", False, True), ("raw_pretty", True, False), ("raw", False, False),
        ]
    }))
