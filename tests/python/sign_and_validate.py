"""Signs a message with a key pair of the folder given, and prints whether fedmsg.crypto believes it by the authority there."""

import sys

import fedmsg.crypto

folder, certname = sys.argv[1:]
config = {
    "crypto_backend": "x509",
    "crypto_validate_backends": ["x509"],
    "ssldir": folder,
    "certname": certname,
    "ca_cert_location": folder + "/ca.crt",
    "crl_location": folder + "/crl.pem",
    "routing_policy": {},
    "routing_nitpicky": False,
}
fedmsg.crypto.init(**config)
message = fedmsg.crypto.sign({"topic": "org.fedoraproject.dev.logger.log", "msg": {"log": "hello"}}, **config)
print(fedmsg.crypto.validate(message, **config))
