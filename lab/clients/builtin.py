"""The lab's own cases: servers with one error each, and the valid twin of each, which lacks that error only.

All chains end at one root, made for the run. Keys and certificates are made when a case is first needed.

Rules, as cited below: RFC 5280 (certificates and paths), RFC 9525 (names), RFC 8446 (TLS 1.3), RFC 8996 (the end of TLS
1.0 and 1.1), BR: the CA/Browser Forum's Baseline Requirements for TLS server
certificates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.clients import forging
from lab.clients.case import LOCALHOST, Case, Expectation, Material, Protocol
from lab.clients.forging import DAY, Issuer, Key, Plan

ELSEWHERE = "other.test"
DEEP = "phone.chat.test"
"""Two labels below the top: for the wildcards that cover one."""

SERVER = Plan()
AUTHORITY = forging.of_authority("An intermediate authority of the lab")
ROOT = "The root authority of the lab"

STRONG, WEAK = 2048, 1024
"""Bits of RSA keys (BR 6.1.5: 2048 at least)."""

VALID = "valid"
VALID_CN = "valid-cn"
VALID_WILDCARD = "valid-wildcard"
VALID_INTERMEDIATE = "valid-intermediate"
VALID_PATH = "valid-path-length"
VALID_PERMITTED = "valid-permitted-name"
VALID_EXCLUDED = "valid-excluded-name"
VALID_EXTENSION = "valid-unknown-extension"
VALID_RSA = "valid-rsa"
VALID_DIGEST = "valid-digest"


def built_in() -> tuple[Case, ...]:
    """Each twin stands before the cases that it is for."""
    return _Workshop().cases()


class _Workshop:
    """Makes the material, each authority once."""

    @cached_property
    def _root(self) -> Issuer:
        return forging.root(ROOT)

    @cached_property
    def _strong_key(self) -> rsa.RSAPrivateKey:
        return forging.new_rsa_key(STRONG)

    @cached_property
    def _weak_key(self) -> rsa.RSAPrivateKey:
        return forging.new_rsa_key(WEAK)

    def cases(self) -> tuple[Case, ...]:
        return (
            *self._issuers(),
            *self._names(),
            *self._dates(),
            *self._paths(),
            *self._constraints(),
            *self._purposes(),
            *self._cryptography(),
            *self._versions(),
        )

    def _issuers(self) -> tuple[Case, ...]:
        return (
            _twin(VALID, "nothing: issued for localhost by the authority that the client trusts", self._leaf(SERVER)),
            _error(
                "self-signed",
                "it signed itself; no authority has issued it",
                "RFC 5280, 6.1.3 (a) (4)",
                VALID,
                self._self_signed,
            ),
            _error(
                "unknown-issuer",
                "its authority is not among those that the client trusts",
                "RFC 5280, 6.1.3 (a) (4)",
                VALID,
                lambda: self._issued_elsewhere("An authority that nobody knows"),
            ),
            _error(
                "same-name-issuer",
                "its authority has the name of the trusted one, and another key",
                "RFC 5280, 6.1.3 (a) (1)",
                VALID,
                lambda: self._issued_elsewhere(ROOT),
            ),
            _error(
                "bad-signature",
                "one bit of its signature is wrong",
                "RFC 5280, 6.1.3 (a) (1)",
                VALID,
                self._broken_signature,
            ),
            _error(
                "replaced-key",
                "the server has another key than the certificate: it shows a certificate that it only copied",
                "RFC 8446, 4.4.3",
                VALID,
                self._replaced_key,
            ),
        )

    def _names(self) -> tuple[Case, ...]:
        by_name = replace(SERVER, subject=LOCALHOST)

        def wrong(name: str, what: str, shown: str) -> Case:
            return _error(name, what, "RFC 9525, 6.3", VALID, self._leaf(replace(SERVER, names=(shown,))))

        return (
            wrong("wrong-name", f"it is for {ELSEWHERE}, not for localhost", ELSEWHERE),
            wrong("name-begins-alike", "it is for localhost.attacker.test", "localhost.attacker.test"),
            wrong("name-ends-alike", "it is for notlocalhost", "notlocalhost"),
            wrong(
                "null-byte",
                "it is for localhost<zero byte>.attacker.test, which some programs read up to the zero only",
                "localhost\0.attacker.test",
            ),
            wrong("wildcard-alone", "it is for *, which would be every name of one part", "*"),
            wrong("wildcard-inside", "it is for local*: a wildcard in the middle of a part of a name", "local*"),
            _error(
                "no-name",
                "it names no host at all",
                "RFC 9525, 6.3",
                VALID,
                self._leaf(replace(SERVER, names=None)),
            ),
            _twin(VALID_CN, "nothing: localhost stands in the common name too", self._leaf(by_name)),
            _error(
                "common-name-only",
                "localhost stands in the common name only, which stopped to count as a host's name",
                "RFC 9525, 2",
                VALID_CN,
                self._leaf(replace(by_name, names=None)),
            ),
            _twin(
                VALID_WILDCARD,
                f"nothing: it is for *.chat.test, and the client asks for {DEEP}",
                self._leaf(replace(SERVER, names=("*.chat.test",))),
                DEEP,
            ),
            _error(
                "wildcard-two-parts",
                f"it is for *.test, and the client asks for {DEEP}: a wildcard stands for one part only",
                "RFC 9525, 6.3",
                VALID_WILDCARD,
                self._leaf(replace(SERVER, names=("*.test",))),
                DEEP,
            ),
        )

    def _dates(self) -> tuple[Case, ...]:
        return (
            _error(
                "expired",
                "it expired yesterday",
                "RFC 5280, 6.1.3 (a) (2)",
                VALID,
                self._leaf(replace(SERVER, until=-DAY)),
            ),
            _error(
                "not-yet-valid",
                "it is valid from tomorrow on",
                "RFC 5280, 6.1.3 (a) (2)",
                VALID,
                self._leaf(replace(SERVER, since=DAY)),
            ),
        )

    def _paths(self) -> tuple[Case, ...]:
        rule = "RFC 5280, 6.1.4"
        outer = replace(AUTHORITY, subject="An outer authority of the lab")
        return (
            _twin(VALID_INTERMEDIATE, "nothing: issued by an intermediate authority", self._chain(AUTHORITY)),
            _error(
                "expired-intermediate",
                "the intermediate authority's certificate expired yesterday",
                "RFC 5280, 6.1.3 (a) (2)",
                VALID_INTERMEDIATE,
                self._chain(replace(AUTHORITY, until=-DAY)),
            ),
            _error(
                "no-authority",
                "its issuer's certificate says that this is no authority (CA:FALSE)",
                f"{rule} (k)",
                VALID_INTERMEDIATE,
                self._chain(replace(AUTHORITY, authority=False)),
            ),
            _error(
                "unmarked-authority",
                "its issuer's certificate does not say that this is an authority",
                f"{rule} (k)",
                VALID_INTERMEDIATE,
                self._chain(replace(AUTHORITY, authority=None)),
            ),
            _error(
                "may-not-sign",
                "its issuer's certificate does not allow the key to sign certificates",
                f"{rule} (n)",
                VALID_INTERMEDIATE,
                self._chain(replace(AUTHORITY, signs_certificates=False)),
            ),
            _twin(
                VALID_PATH,
                "nothing: two authorities below each other, and the first may have one below it",
                self._chain(replace(outer, path_length=1), AUTHORITY),
            ),
            _error(
                "path-too-long",
                "two authorities below each other, and the first may have none below it",
                f"{rule} (l)",
                VALID_PATH,
                self._chain(replace(outer, path_length=0), AUTHORITY),
            ),
        )

    def _constraints(self) -> tuple[Case, ...]:
        def permitted(name: str) -> Callable[[], Material]:
            only = x509.NameConstraints([x509.DNSName(name)], None)
            return self._chain(replace(AUTHORITY, constraints=only))

        def excluded(name: str) -> Callable[[], Material]:
            never = x509.NameConstraints(None, [x509.DNSName(name)])
            return self._chain(replace(AUTHORITY, constraints=never))

        return (
            _twin(VALID_PERMITTED, "nothing: its authority may issue for localhost only", permitted(LOCALHOST)),
            _error(
                "name-not-permitted",
                f"its authority may issue for {ELSEWHERE} only",
                "RFC 5280, 6.1.3 (b)",
                VALID_PERMITTED,
                permitted(ELSEWHERE),
            ),
            _twin(VALID_EXCLUDED, f"nothing: its authority may not issue for {ELSEWHERE}", excluded(ELSEWHERE)),
            _error(
                "name-excluded",
                "its authority may not issue for localhost",
                "RFC 5280, 6.1.3 (c)",
                VALID_EXCLUDED,
                excluded(LOCALHOST),
            ),
        )

    def _purposes(self) -> tuple[Case, ...]:
        return (
            _error(
                "wrong-purpose",
                "it is for clients, not for servers (extended key usage)",
                "RFC 5280, 4.2.1.12",
                VALID,
                self._leaf(replace(SERVER, purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,))),
            ),
            replace(
                _error(
                    "no-purpose",
                    "it does not say what it is for: RFC 5280 allows that, public authorities may not issue it",
                    "RFC 5280, 4.2.1.12; BR 7.1.2.7",
                    VALID,
                    self._leaf(replace(SERVER, purposes=None)),
                ),
                expected=Expectation.EITHER,
            ),
            _twin(
                VALID_EXTENSION,
                "nothing: it has an extension that nobody knows and that may be ignored",
                self._leaf(replace(SERVER, unknown_extension=False)),
            ),
            _error(
                "critical-extension",
                "it has an extension that nobody knows and that must not be ignored (critical)",
                "RFC 5280, 4.2",
                VALID_EXTENSION,
                self._leaf(replace(SERVER, unknown_extension=True)),
            ),
        )

    def _cryptography(self) -> tuple[Case, ...]:
        return (
            _twin(
                VALID_RSA,
                f"nothing: its RSA key has {STRONG} bits",
                self._leaf(SERVER, lambda: self._strong_key),
            ),
            _error(
                "weak-key",
                f"its RSA key has {WEAK} bits: too few since 2013",
                "BR 6.1.5",
                VALID_RSA,
                self._leaf(SERVER, lambda: self._weak_key),
            ),
            _twin(
                VALID_DIGEST,
                "nothing: signed with RSA and SHA-256",
                lambda: self._signed_with_rsa(lambda certificate: certificate),
            ),
            _error(
                "weak-digest",
                "signed with SHA-1, of which two inputs with the same digest are known since 2017",
                "RFC 8446, 4.4.2.4; BR 7.1.3.2",
                VALID_DIGEST,
                lambda: self._signed_with_rsa(lambda one: forging.with_sha1(one, self._strong_key)),
            ),
        )

    def _versions(self) -> tuple[Case, ...]:
        def speaking(protocol: Protocol) -> Callable[[], Material]:
            return lambda: replace(self._leaf(SERVER)(), protocol=protocol)

        def old(name: str, protocol: Protocol) -> Case:
            what = f"the server speaks {protocol} only, which was given up in 2021"
            return _error(name, what, "RFC 8996", VALID, speaking(protocol))

        return (old("tls-1.1", Protocol.TLS_1_1), old("tls-1.0", Protocol.TLS_1_0))

    # Material

    def _leaf(self, plan: Plan, new_key: Callable[[], Key] = forging.new_key) -> Callable[[], Material]:
        """Issued by the root itself."""

        def make() -> Material:
            key = new_key()
            return self._shown(key, forging.certify(plan, key, self._root))

        return make

    def _chain(self, *authorities: Plan) -> Callable[[], Material]:
        """Issued by the last of these authorities; the root issued the first."""

        def make() -> Material:
            issuer, path = self._root, list[x509.Certificate]()
            for plan in authorities:
                issuer = forging.intermediate(plan, issuer)
                path.insert(0, issuer.certificate)
            key = forging.new_key()
            return self._shown(key, forging.certify(SERVER, key, issuer), *path)

        return make

    def _self_signed(self) -> Material:
        server = forging.self_signed(SERVER, forging.new_key())
        return self._shown(server.key, server.certificate)

    def _issued_elsewhere(self, name: str) -> Material:
        key = forging.new_key()
        return self._shown(key, forging.certify(SERVER, key, forging.root(name)))

    def _broken_signature(self) -> Material:
        key = forging.new_key()
        return self._shown(key, forging.with_broken_signature(forging.certify(SERVER, key, self._root)))

    def _replaced_key(self) -> Material:
        owner: ec.EllipticCurvePrivateKey = forging.new_key()
        shown = self._shown(owner, forging.certify(SERVER, owner, self._root))
        return replace(shown, key=forging.disguised(forging.new_key(), owner.public_key()))

    def _signed_with_rsa(self, change: Callable[[x509.Certificate], x509.Certificate]) -> Material:
        """Issued by an intermediate authority with an RSA key, and then changed."""
        issuer = forging.intermediate(AUTHORITY, self._root, self._strong_key)
        key = forging.new_key()
        return self._shown(key, change(forging.certify(SERVER, key, issuer)), issuer.certificate)

    def _shown(self, key: Key, *chain: x509.Certificate) -> Material:
        return Material(forging.pem(self._root.certificate), forging.pem(*chain), forging.key_pem(key))


def control(host: str, name: str) -> Case:
    """A valid server for this DNS name or address, with an authority of its own."""

    def make() -> Material:
        issuer, key = forging.root(ROOT), forging.new_key()
        certificate = forging.certify(replace(SERVER, names=(host,)), key, issuer)
        return Material(forging.pem(issuer.certificate), forging.pem(certificate), forging.key_pem(key))

    return _twin(name, f"nothing: a valid certificate for {host}", make, host)


def _twin(name: str, what: str, make: Callable[[], Material], host: str = LOCALHOST) -> Case:
    return Case(name, what, "RFC 5280, 6.1", Expectation.ACCEPT, make, None if name == VALID else VALID, host)


def _error(name: str, what: str, rule: str, twin: str, make: Callable[[], Material], host: str = LOCALHOST) -> Case:
    return Case(name, what, rule, Expectation.REFUSE, make, twin, host)
