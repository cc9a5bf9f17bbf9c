"""Describes the messages on stdin, one JSON text a line each way, as fedmsg.meta does."""

import json
import logging
import sys

import fedmsg.meta

config = {"topic_prefix": "org.fedoraproject", "topic_prefix_re": r"org\.fedoraproject\.[^\W\d_]+"}
logging.disable(logging.CRITICAL)
fedmsg.meta.make_processors(**config)

for line in sys.stdin:
    msg = json.loads(line)
    print(json.dumps({
        "line": fedmsg.meta.msg2repr(msg, **config),
        "title": fedmsg.meta.msg2title(msg, **config),
        "subtitle": fedmsg.meta.msg2subtitle(msg, **config),
        "link": fedmsg.meta.msg2link(msg, **config) or None,
        "icon": fedmsg.meta.msg2icon(msg, **config),
        "usernames": sorted(fedmsg.meta.msg2usernames(msg, **config)),
        "packages": sorted(fedmsg.meta.msg2packages(msg, **config)),
        "objects": sorted(fedmsg.meta.msg2objects(msg, **config)),
    }))
