import os

here = os.getcwd()

config = dict(
    sign_messages=False,
    validate_signatures=False,
    crypto_backend='x509',
    crypto_validate_backends=['x509'],
    ssldir=here + "/pki",
    crl_location="https://example.org/fedmsg/crl.pem",
    crl_cache="/var/run/fedmsg/crl.pem",
    ca_cert_location="/etc/pki/fedmsg/ca.crt",
    certnames={
        "shell.app01": "shell-app01.example.org",
    },
    routing_policy={
        # Announcements are signed by one certificate.
        "org.example.stg.announce.announcement": [
            "announce-lockbox.example.org",
        ],
    },
    routing_nitpicky=False,
)
