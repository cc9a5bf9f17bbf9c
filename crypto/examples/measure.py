"""How many signed messages a second the real Python fedmsg validates: measure.py BODY CA CRL SECONDS."""

import json
import logging
import sys
import time

import fedmsg.crypto

logging.disable()
body, ca, crl, seconds = open(sys.argv[1]).read(), sys.argv[2], sys.argv[3], float(sys.argv[4])
config = {"ca_cert_location": ca, "crl_location": crl, "crypto_backend": "x509", "crypto_validate_backends": ["x509"]}
count, began = 0, time.process_time()
while time.process_time() - began < seconds:
    assert fedmsg.crypto.validate(json.loads(body), **config)
    count += 1
print(count / (time.process_time() - began))
