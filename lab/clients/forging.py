"""Certificates that are right, or wrong in exactly one way.

Whatever is not the error is as public authorities issue it today: RFC 5280, and the CA/Browser Forum's Baseline
Requirements where they ask for more. Subject and authority key identifiers always fit, also in forged certificates, so
that a client refuses for the reason under test and not because it cannot find the issuer.

The errors that no library makes (a digest of yesterday, a broken signature, a key that does not fit) are made by
replacing bytes of a finished certificate or key.
"""

from __future__ import annotations

import datetime
import ipaddress
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
SINCE = -30 * DAY
UNTIL = 3 * DAY
"""A certificate is valid from SINCE to UNTIL, counted from now."""

UNKNOWN_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
"""Nobody knows it: 32473 is the enterprise number for documentation (RFC 5612)."""

RSA_WITH_SHA256 = bytes.fromhex("06092a864886f70d01010b")
RSA_WITH_SHA1 = bytes.fromhex("06092a864886f70d010105")
"""Object identifiers in DER (RFC 8017, A.2.4). They differ in the last byte only."""

P256_POINT = 65
"""Bytes of an uncompressed point on P-256 (SEC 1, 2.3.3)."""

type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its name, its key, and its certificate as others see it."""

    name: x509.Name
    key: Key
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Plan:
    """What a certificate says. The defaults are a valid server's; `of_authority` has an issuer's."""

    subject: str = "A server of the lab"
    names: Sequence[str] | None = ("localhost",)
    """DNS names and addresses in the subject alternative name; None: without this extension."""
    since: datetime.timedelta = SINCE
    until: datetime.timedelta = UNTIL
    authority: bool | None = False
    """CA in the basic constraints; None: without this extension."""
    path_length: int | None = None
    signs_certificates: bool = False
    """keyCertSign in the key usage."""
    purposes: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.SERVER_AUTH,)
    """Extended key usage; None: without this extension."""
    constraints: x509.NameConstraints | None = None
    unknown_extension: bool | None = None
    """Has an extension that nobody knows: True is critical, False is not, None is without."""


def of_authority(subject: str) -> Plan:
    """An intermediate authority that issues for everybody."""
    return Plan(subject, names=None, authority=True, signs_certificates=True, purposes=None)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def root(subject: str) -> Issuer:
    """An authority that signs its own certificate."""
    return self_signed(of_authority(subject), new_key())


def self_signed(plan: Plan, key: Key) -> Issuer:
    name = _name(plan.subject)
    return Issuer(name, key, _sign(plan, key, name, key))


def intermediate(plan: Plan, issuer: Issuer, key: Key | None = None) -> Issuer:
    """An authority with a certificate by `issuer`."""
    own = key or new_key()
    return Issuer(_name(plan.subject), own, certify(plan, own, issuer))


def certify(plan: Plan, key: Key, issuer: Issuer) -> x509.Certificate:
    """A certificate for the public half of `key`."""
    return _sign(plan, key, issuer.name, issuer.key)


def with_sha1(certificate: x509.Certificate, issuer: rsa.RSAPrivateKey) -> x509.Certificate:
    """The same certificate, signed with RSA and SHA-1 instead of SHA-256."""
    data = certificate.public_bytes(serialization.Encoding.DER)
    # RFC 5280, 4.1: the algorithm is named in the signed part and again beside the signature, which comes last.
    patched = x509.load_der_x509_certificate(data.replace(RSA_WITH_SHA256, RSA_WITH_SHA1))
    signature = issuer.sign(patched.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - the error
    whole = patched.public_bytes(serialization.Encoding.DER)[: -len(signature)] + signature
    return x509.load_der_x509_certificate(whole)


def with_broken_signature(certificate: x509.Certificate) -> x509.Certificate:
    """The same certificate with one bit of the signature turned."""
    data = bytearray(certificate.public_bytes(serialization.Encoding.DER))
    data[-1] ^= 1
    return x509.load_der_x509_certificate(bytes(data))


def disguised(thief: ec.EllipticCurvePrivateKey, owner: ec.EllipticCurvePublicKey) -> bytes:
    """A key that signs as `thief` and claims to be the one of `owner`, as PEM: TLS libraries load it without a check.

    RFC 5915, 3: the private number comes first, the public point last, and nothing ties one to the other.
    """
    data = thief.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    point = owner.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return _armour("EC PRIVATE KEY", data[:-P256_POINT] + point)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _sign(plan: Plan, key: Key, issuer: x509.Name, issuer_key: Key) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(plan.subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + plan.since)
        .not_valid_after(now + plan.until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_usage(plan), critical=True)
    )
    for extension, critical in _optional(plan):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _optional(plan: Plan) -> list[tuple[x509.ExtensionType, bool]]:
    """Extensions and whether they are critical."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    if plan.names is not None:
        found.append((x509.SubjectAlternativeName([_host(name) for name in plan.names]), False))
    if plan.authority is not None:
        found.append((x509.BasicConstraints(ca=plan.authority, path_length=plan.path_length), True))
    if plan.purposes is not None:
        found.append((x509.ExtendedKeyUsage(plan.purposes), False))
    if plan.constraints is not None:
        found.append((plan.constraints, True))
    if plan.unknown_extension is not None:
        found.append((x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), plan.unknown_extension))
    return found


def _usage(plan: Plan) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=plan.signs_certificates,
        crl_sign=plan.signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _armour(label: str, data: bytes) -> bytes:
    """PEM (RFC 7468)."""
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label.encode(), encodebytes(data), label.encode())
