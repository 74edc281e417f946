"""A client that checks certificates itself, by the book (RFC 5280, 6.1, RFC 9525), and can be told to forget one rule.

Shares nothing with the lab. It covers what the cases need and is no validator to copy: no revocation, no policies, one
path only, no address names.
"""

from __future__ import annotations

import datetime
import fnmatch
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from OpenSSL import SSL

SECONDS = 120

KNOWN = {
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.NAME_CONSTRAINTS,
}


class RefusedError(Exception):
    """The client does not talk to this server."""


@dataclass(frozen=True)
class Careless:
    """Visits a server like a browser, without the rule `forgets`."""

    forgets: str | None = None

    def __call__(self, target) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
        context.set_min_proto_version(SSL.TLS1_VERSION if self.forgets == "versions" else SSL.TLS1_2_VERSION)
        context.set_verify(SSL.VERIFY_NONE)
        with socket.create_connection(("127.0.0.1", target.port), SECONDS) as raw:
            raw.settimeout(None)
            tls = SSL.Connection(context, raw)
            tls.set_tlsext_host_name(target.host.encode())
            tls.set_connect_state()
            tls.do_handshake()
            anchors = x509.load_pem_x509_certificates(target.ca.read_bytes())
            try:
                if self.forgets != "everything":
                    self.check([one.to_cryptography() for one in tls.get_peer_cert_chain()], anchors, target.host)
                tls.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % target.host.encode())
                tls.recv(100)
            finally:
                tls.shutdown()

    def check(self, chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], host: str) -> None:
        leaf, anchor = chain[0], None
        path = [leaf]
        while anchor is None:
            anchor = next((one for one in anchors if one.subject == path[-1].issuer), None)
            above = next((one for one in chain if one not in path and one.subject == path[-1].issuer), None)
            if anchor is None and above is None:
                break
            if anchor is None:
                path.append(above)
        self.demand("issuers", anchor is not None)
        issuers = [*path[1:], *([anchor] if anchor is not None else [])]
        for certificate, issuer in zip(path, issuers, strict=False):
            self.demand("signatures", signed(certificate, issuer.public_key()))
        for depth, certificate in enumerate(path):
            self.check_one(certificate, depth)
            self.check_constraints(certificate, leaf)
        usage = extension(leaf, x509.ExtendedKeyUsage)
        self.demand("purposes", usage is None or ExtendedKeyUsageOID.SERVER_AUTH in usage)
        self.check_name(leaf, host)

    def check_one(self, certificate: x509.Certificate, depth: int) -> None:
        now = datetime.datetime.now(datetime.UTC)
        in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        self.demand("dates", in_time or (depth > 0 and self.forgets == "dates of issuers"))
        self.demand("digests", not isinstance(certificate.signature_hash_algorithm, hashes.SHA1))
        key = certificate.public_key()
        self.demand("key sizes", not isinstance(key, rsa.RSAPublicKey) or key.key_size >= 2048)
        known = all(not one.critical or one.oid in KNOWN for one in certificate.extensions)
        self.demand("critical extensions", known)
        if depth == 0:
            return
        basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
        self.demand("authorities", basic is not None and basic.ca)
        self.demand("key usage", usage is None or usage.key_cert_sign)
        limit = basic.path_length if basic is not None else None
        self.demand("path lengths", limit is None or depth - 1 <= limit)

    def check_constraints(self, issuer: x509.Certificate, leaf: x509.Certificate) -> None:
        constraints = extension(issuer, x509.NameConstraints)
        if constraints is None:
            return
        for name in names(leaf):
            permitted = constraints.permitted_subtrees
            fits = permitted is None or any(below(name, one.value) for one in permitted)
            excluded = any(below(name, one.value) for one in constraints.excluded_subtrees or ())
            self.demand("name constraints", fits and not excluded)

    def check_name(self, leaf: x509.Certificate, host: str) -> None:
        shown = names(leaf)
        if self.forgets == "common names" and not shown:
            shown = [one.value for one in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if self.forgets == "zero bytes":
            shown = [name.partition("\0")[0] for name in shown]
        fits = {
            "wildcards": lambda name: fnmatch.fnmatchcase(host, name),
            "ends of names": lambda name: name.startswith(host),
            "beginnings of names": lambda name: name.endswith(host),
        }.get(self.forgets, lambda name: matches(name, host))
        self.demand("names", any(fits(name) for name in shown))

    def demand(self, rule: str, kept: bool) -> None:
        if not kept and rule != self.forgets:
            raise RefusedError(rule)


def signed(certificate: x509.Certificate, key) -> bool:
    data, algorithm = certificate.tbs_certificate_bytes, certificate.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, data, ec.ECDSA(algorithm))
        else:
            key.verify(certificate.signature, data, certificate.signature_algorithm_parameters, algorithm)
    except InvalidSignature:
        return False
    return True


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def names(certificate: x509.Certificate) -> list[str]:
    found = extension(certificate, x509.SubjectAlternativeName)
    return found.get_values_for_type(x509.DNSName) if found is not None else []


def below(name: str, subtree: str) -> bool:
    return name == subtree or name.endswith("." + subtree)


def matches(name: str, host: str) -> bool:
    """RFC 9525, 6.3: a wildcard is a whole left-most label and stands for one."""
    first, dot, rest = host.partition(".")
    return name == host or (name.startswith("*.") and bool(dot) and name[2:] == rest and bool(first))
