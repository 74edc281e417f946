"""Certificates for one run: a CA made on the spot, valid for days, and the leaf certificates that it issues.

Nothing is installed into the system: participants are told to trust exactly this CA. Keys are files that only their
owner can read. Profile: RFC 5280 with ECDSA P-256 keys, as public CAs issue them today. Unlike a public CA's, the
CA signs leaves itself (no intermediate) and publishes no revocation: a run is over before either would matter.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab import private

LIFETIME = datetime.timedelta(days=3)
SKEW = datetime.timedelta(hours=1)
"""Backdating, for clocks that are a little behind."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its certificate and its key, in memory."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone, as clients take it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem_with_key(self) -> bytes:
        return _key_pem(self.key) + self.pem

    def issue(self, host: str, *others: str, ago: datetime.timedelta = datetime.timedelta(0)) -> bytes:
        """A server's key and certificate for these DNS names and IP addresses, as issued so long `ago`: one PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _key_pem(key) + _leaf(host, key, self.certificate.subject, self.key, ago, others)


class Flaw(StrEnum):
    """The one thing that is wrong with a certificate."""

    EXPIRED = "expired"
    WRONG_NAME = "wrong-name"
    SELF_SIGNED = "self-signed"
    UNKNOWN_AUTHORITY = "unknown-authority"


def issue_flawed(authority: Authority, host: str, flaw: Flaw) -> bytes:
    """What `authority.issue` gives, but for one flaw: what a careful client refuses to take for `host`."""
    match flaw:
        case Flaw.EXPIRED:
            return authority.issue(host, ago=LIFETIME + 2 * SKEW)
        case Flaw.WRONG_NAME:
            return authority.issue(f"not-{host}")
        case Flaw.SELF_SIGNED:
            key = ec.generate_private_key(ec.SECP256R1())
            return _key_pem(key) + _leaf(host, key, _name(host), key)
        case Flaw.UNKNOWN_AUTHORITY:
            # The same name, so that the key is all that is different.
            common_name = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            return make_authority(str(common_name)).issue(host)


def make_authority(common_name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(common_name), _name(common_name), key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def certificate_in(pem: bytes) -> bytes:
    """The certificate (DER) in what `Authority.issue` gave, without its key."""
    return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)


def write_private(path: Path, content: bytes) -> Path:
    """Write a new file that only its owner can read, from its first byte on."""
    with os.fdopen(private.create(path), "wb") as file:
        file.write(content)
    return path


def _leaf(
    host: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    ago: datetime.timedelta = datetime.timedelta(0),
    others: Sequence[str] = (),
) -> bytes:
    """A server's certificate for `host` and `others` and `key` (PEM)."""
    certificate = (
        _builder(_name(host), issuer, key.public_key(), ago)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in (host, *others)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _alternative(name: str) -> x509.GeneralName:
    """How a certificate names a host (RFC 5280, section 4.2.1.6)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    ago: datetime.timedelta = datetime.timedelta(0),
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC) - ago
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
