"""Makes an authority and a certificate of it for `localhost`: ca.crt, server.crt and server.key in a folder."""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

folder = pathlib.Path(sys.argv[1])
PEM = serialization.Encoding.PEM


def make(name, issuer, issuer_key, extension):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day).add_extension(extension, critical=True)
    return key, builder.sign(issuer_key or key, hashes.SHA256())


ca_key, ca = make("test CA", None, None, x509.BasicConstraints(ca=True, path_length=0))
key, certificate = make("localhost", ca.subject, ca_key, x509.SubjectAlternativeName([x509.DNSName("localhost")]))
(folder / "ca.crt").write_bytes(ca.public_bytes(PEM))
(folder / "server.crt").write_bytes(certificate.public_bytes(PEM))
(folder / "server.key").write_bytes(
    key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
)
