"""Answers questions on stdin, a JSON text a line each way, with what the real Python fedmsg does."""

import contextlib
import io
import json
import logging
import sys

with contextlib.redirect_stderr(io.StringIO()):  # It says that there is no AMQP.
    import fedmsg.crypto
    import fedmsg.crypto.utils
    import fedmsg.encoding
    from fedmsg.consumers import FedmsgConsumer


class Consumer:
    """As much of a consumer as its `validate` looks at."""

    validate_signatures = True

    def __init__(self, config):
        self.hub = self
        self.config = dict(config, crypto_backend="x509", crypto_validate_backends=["x509"])


class Message:
    """As the hub hands it over."""

    def __init__(self, topic, body):
        self.topic, self.body = topic, body

    def __json__(self):
        return {"topic": self.topic, "body": self.body}


def validate(topic, body, config):
    """`None` if the message is good, else what the hub says or fails with."""
    # What was read from the files for an earlier question.
    fedmsg.crypto.utils._cached_certificates.clear()
    try:
        FedmsgConsumer.validate(Consumer(config), Message(topic, body))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def sign(text, ssldir, certname):
    """The message on the wire."""
    message = json.loads(text)
    config = {"crypto_backend": "x509", "crypto_validate_backends": ["x509"]}
    fedmsg.crypto.init(**config)
    return fedmsg.encoding.dumps(fedmsg.crypto.sign(message, ssldir=ssldir, certname=certname, **config))


def relayed(text):
    """As `fedmsg-relay` sends on what it gets."""
    return json.dumps(json.loads(text))


logging.disable()
for line in sys.stdin:
    question, *arguments = json.loads(line)
    print(json.dumps(globals()[question](*arguments)), flush=True)
