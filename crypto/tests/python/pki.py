"""Makes authorities, key pairs and revocation lists of every kind in the folder given, with Python's own means."""

import datetime
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from OpenSSL import crypto

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)
DAY = datetime.timedelta(days=1)
SHA256, SHA1 = hashes.SHA256(), hashes.SHA1()


def name(*common_names):
    """A name may be text or a pair of an ASN.1 type and its text."""
    attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, "CZ"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test")]
    for common_name in common_names:
        kind, text = common_name if isinstance(common_name, tuple) else (_ASN1Type.UTF8String, common_name)
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, text, _type=kind, _validate=False))
    return x509.Name(attributes)


def write(file, data):
    with open(file, "wb") as opened:
        opened.write(data)


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def key_pair(file, key, certificate):
    write(file + ".crt", pem(certificate))
    kind = serialization.PrivateFormat.PKCS8
    write(file + ".key", key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
    os.chmod(file + ".key", 0o600)


def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)


class Authority:
    def __init__(self, common_name, bits=2048, start=-DAY, end=3650 * DAY, digest=SHA256, identifiers=True, usage=None):
        self.key, self.name, self.digest, self.identifiers = rsa_key(bits), name(common_name), digest, identifiers
        extensions = [(x509.BasicConstraints(ca=True, path_length=None), True)]
        if usage:
            flags = dict.fromkeys(["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                                   "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"], False)
            extensions.append((x509.KeyUsage(**dict(flags, **usage)), True))
        self.certificate = self.sign(self.name, self.key.public_key(), start, end, extensions)

    def sign(self, subject, public_key, start=-DAY, end=365 * DAY, extensions=()):
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(NOW + start).not_valid_after(NOW + end))
        if self.identifiers:
            extensions = list(extensions) + [
                (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)]
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, self.digest)

    def pair(self, file, *common_names, key=None, **how):
        key = key or rsa_key()
        certificate = self.sign(name(*(common_names or [os.path.basename(file)])), key.public_key(), **how)
        key_pair(file, key, certificate)
        return certificate

    def revocation_list(self, *revoked, start=-2 * DAY, end=365 * DAY, extensions=()):
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(NOW + start).next_update(NOW + end)
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(NOW - DAY).build())
        for extension, critical in [(x509.CRLNumber(1), False), *extensions]:
            builder = builder.add_extension(extension, critical)
        return pem(builder.sign(self.key, self.digest))


class OldAuthority:
    """As authorities were in fedmsg's day. The package cryptography makes none like that any more."""

    def __init__(self, file, digest, version):
        self.name, self.digest, self.version = file, digest, version
        self.key, self.certificate = None, None
        self.pair(file)

    def pair(self, file):
        key, certificate = crypto.PKey(), crypto.X509()
        key.generate_key(crypto.TYPE_RSA, 1024)
        certificate.set_version(self.version - 1)
        certificate.set_serial_number(x509.random_serial_number())
        certificate.get_subject().CN = file
        certificate.set_pubkey(key)
        certificate.gmtime_adj_notBefore(-86400)
        certificate.gmtime_adj_notAfter(86400 * 365)
        if self.certificate is None:
            self.key, self.certificate = key, certificate
            if self.version == 3:
                certificate.add_extensions([crypto.X509Extension(b"basicConstraints", False, b"CA:TRUE")])
        certificate.set_issuer(self.certificate.get_subject())
        certificate.sign(self.key, self.digest)
        write(file + ".crt", crypto.dump_certificate(crypto.FILETYPE_PEM, certificate))
        write(file + ".key", crypto.dump_privatekey(crypto.FILETYPE_PEM, key))
        os.chmod(file + ".key", 0o600)
        return certificate

    def revocation_list(self, *revoked):
        made = crypto.CRL()
        for certificate in revoked:
            entry = crypto.Revoked()
            entry.set_serial(b"%x" % certificate.get_serial_number())
            entry.set_rev_date(b"20200101000000Z")
            made.add_revoked(entry)
        return made.export(self.certificate, self.key, digest=self.digest.encode())


def main(folder):
    os.chdir(folder)
    ca = Authority("test CA")
    write("ca.crt", pem(ca.certificate))
    ca.pair("good")
    ca.pair("other")
    ca.pair("expired", start=-20 * DAY, end=-10 * DAY)
    ca.pair("not-yet", start=10 * DAY)
    ca.pair("two-names", "first", "second")
    no_name = rsa_key()
    key_pair("no-name", no_name, ca.sign(name(), no_name.public_key()))
    ca.pair("bits-1024", key=rsa_key(1024))
    ca.pair("bits-4096", key=rsa_key(4096))
    ca.pair("exponent-3", key=rsa.generate_private_key(3, 2048))
    ca.pair("bmp-name", (_ASN1Type.BMPString, "bmp-ž"))
    ca.pair("t61-name", (_ASN1Type.T61String, "t61-ž"))
    ca.pair("utf8-name", "utf8-ž")
    ca.pair("printable-name", (_ASN1Type.PrintableString, "printable"))
    ca.pair("empty-name", "")
    ca.pair("longest-name", "n" * 1024)
    ca.pair("too-long-name", "n" * 1025)
    ca.pair("ec", key=ec.generate_private_key(ec.SECP256R1()))
    ca.pair("ed25519", key=ed25519.Ed25519PrivateKey.generate())
    ca.pair("dsa", key=dsa.generate_private_key(2048))
    ca.pair("for-servers", extensions=[(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), True)])
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    ca.pair("critical", extensions=[(unknown, True)])
    ca.pair("uncritical", extensions=[(unknown, False)])
    revoked = ca.pair("revoked")

    foreign = Authority("test CA")
    write("foreign.crt", pem(foreign.certificate))
    foreign.pair("foreign")
    nameless_foreign = Authority("test CA", identifiers=False)
    nameless_foreign.pair("foreign-plain")
    other = Authority("other CA")
    other.pair("stranger")
    write("two-cas.crt", pem(ca.certificate) + pem(other.certificate))
    write("two-cas-other-first.crt", pem(other.certificate) + pem(ca.certificate))
    write("ca-with-text.crt", b"Certificate:\n    Data:\n" + pem(ca.certificate) + b"the end\n")
    key_pair("ca-itself", ca.key, ca.certificate)

    middle_key = rsa_key()
    middle = ca.sign(name("middle CA"), middle_key.public_key(),
                     extensions=[(x509.BasicConstraints(ca=True, path_length=None), True)])
    write("middle.crt", pem(middle))
    below = Authority("middle CA")
    below.key = middle_key
    below.pair("below-middle")

    self_signed = Authority("self-signed")
    key_pair("self-signed", self_signed.key, self_signed.certificate)

    for digest in ["sha1", "md5"]:
        for version in [1, 3]:
            old = OldAuthority(f"old-{digest}-v{version}", digest, version)
            old.pair(f"{old.name}-good")
            write(f"{old.name}.crl", old.revocation_list(old.pair(f"{old.name}-revoked")))

    gone = Authority("gone CA", start=-20 * DAY, end=-10 * DAY)
    write("gone.crt", pem(gone.certificate))
    gone.pair("of-gone")
    write("gone.crl", gone.revocation_list())

    no_crl = Authority("no-crl CA", usage={"key_cert_sign": True})
    write("no-crl.crt", pem(no_crl.certificate))
    no_crl.pair("of-no-crl")
    write("no-crl.crl", no_crl.revocation_list())

    no_sign = Authority("no-sign CA", usage={"crl_sign": True})
    write("no-sign.crt", pem(no_sign.certificate))
    no_sign.pair("of-no-sign")

    write("crl", ca.revocation_list(revoked))
    write("empty-list.crl", ca.revocation_list())
    write("expired.crl", ca.revocation_list(revoked, end=-DAY))
    write("not-yet.crl", ca.revocation_list(revoked, start=DAY))
    write("foreign.crl", foreign.revocation_list())
    write("foreign-plain.crl", nameless_foreign.revocation_list())
    write("other.crl", other.revocation_list())
    write("revokes-ca.crl", ca.revocation_list(ca.certificate))
    write("critical.crl", ca.revocation_list(revoked, extensions=[(unknown, True)]))
    write("expired-first.crl", ca.revocation_list(end=-DAY) + ca.revocation_list(revoked))
    write("good-first.crl", ca.revocation_list() + ca.revocation_list(revoked))
    write("with-text.crl", b"Certificate Revocation List (CRL):\n" + ca.revocation_list(revoked))
    write("garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    write("empty", b"")


main(sys.argv[1])
