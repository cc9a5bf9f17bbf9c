"""Publishes with the real Python fedmsg through the relay at an address, signing with key pairs of a folder.

Reads one message a line, a JSON object: `modname`, `topic` and `msg`, `key` for the name of the key pair (without it the
message is not signed), and `change` for fields that are replaced once it is signed. Answers each with its msg_id.
"""
import json
import sys

import fedmsg.config
import fedmsg.core

relay, ssldir = sys.argv[1:]
fedmsg.config.conf.load_config()
context = fedmsg.core.FedMsgContext(**dict(
    fedmsg.config.conf, active=True, name="relay_inbound", relay_inbound=relay, endpoints={}, ssldir=ssldir,
    topic_prefix="org.fedoraproject", environment="dev", cert_prefix="test"))
for line in sys.stdin:
    order = json.loads(line)
    key = order.get("key")
    context.c.update(sign_messages=key is not None, certnames={"test." + context.hostname: key})

    def change(message):
        message.update(order.get("change", {}))
        print(message["msg_id"], flush=True)

    context.publish(topic=order["topic"], modname=order["modname"], msg=order["msg"], pre_fire_hook=change)
