"""The certificates say what they are meant to say, and differ from their twins in nothing else."""

from __future__ import annotations

import base64
import dataclasses
import itertools

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from lab.clients import forging
from lab.clients.builtin import STRONG
from lab.clients.case import Case, Expectation, Material

LIKE_THEIR_TWIN = {"replaced-key", "tls-1.0", "tls-1.1"}
"""Their certificates are valid: the error is in the handshake."""


def chain(material: Material) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(material.chain)


def facts(certificate: x509.Certificate) -> dict[str, object]:
    """What a certificate says, without what is different each time by chance."""
    key = certificate.public_key()
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "since": certificate.not_valid_before_utc.date(),
        "until": certificate.not_valid_after_utc.date(),
        "digest": type(certificate.signature_hash_algorithm),
        "key": (type(key), key.key_size),
        **{
            one.oid.dotted_string: (one.critical, one.value)
            for one in certificate.extensions
            if not isinstance(one.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier)
        },
    }


def differences(one: Material, other: Material) -> list[tuple[int, str]]:
    """Certificate, counted from the server's, and the field that differs."""
    pairs = zip(map(facts, chain(one)), map(facts, chain(other)), strict=True)
    return [
        (place, field)
        for place, (left, right) in enumerate(pairs)
        for field in left.keys() | right.keys()
        if left.get(field) != right.get(field)
    ]


def errors(cases: tuple[Case, ...]) -> list[tuple[Case, Case]]:
    known = {case.name: case for case in cases}
    return [(case, known[case.twin]) for case in cases if case.twin and case.expected is not Expectation.ACCEPT]


def test_an_error_is_one_thing(cases: tuple[Case, ...]) -> None:
    for case, twin in errors(cases):
        found = differences(case.make(), twin.make())
        at_most = 0 if case.name in LIKE_THEIR_TWIN | {"bad-signature", "same-name-issuer"} else 1
        assert len(found) == at_most, (case.name, found)


def test_key_identifiers_fit_everywhere(cases: tuple[Case, ...]) -> None:
    """Else a client would refuse because it finds no issuer, whatever the case is about."""
    foreign = {"self-signed", "unknown-issuer", "same-name-issuer"}
    for case in cases:
        material = case.make()
        path = [*chain(material), *x509.load_pem_x509_certificates(material.trusted)]
        for certificate, issuer in itertools.pairwise(path):
            wanted = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
            key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
            assert (wanted == key) is (case.name not in foreign), case.name
            assert key == x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest


def test_every_name_is_there_once_and_every_twin_before_its_cases(cases: tuple[Case, ...]) -> None:
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    for case in cases:
        assert case.twin is None or names.index(case.twin) < names.index(case.name)


def test_sha1_takes_the_place_of_sha256_and_the_signature_is_true() -> None:
    key = forging.new_rsa_key(STRONG)
    issuer = forging.self_signed(forging.of_authority("An authority"), key)
    before = forging.certify(forging.Plan(), forging.new_key(), issuer)
    after = forging.with_sha1(before, key)
    assert isinstance(before.signature_hash_algorithm, hashes.SHA256)
    assert isinstance(after.signature_hash_algorithm, hashes.SHA1)
    key.public_key().verify(after.signature, after.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    assert after.serial_number == before.serial_number


def test_a_broken_signature_is_one_bit_away_from_a_true_one() -> None:
    issuer = forging.root("An authority")
    true = forging.certify(forging.Plan(), forging.new_key(), issuer)
    broken = forging.with_broken_signature(true)
    true.verify_directly_issued_by(issuer.certificate)
    with pytest.raises(InvalidSignature):
        broken.verify_directly_issued_by(issuer.certificate)
    assert broken.tbs_certificate_bytes == true.tbs_certificate_bytes


def test_a_disguised_key_has_the_point_of_one_and_the_number_of_another() -> None:
    thief, owner = forging.new_key(), forging.new_key()
    data = forging.disguised(thief, owner.public_key())
    inside = b"".join(data.splitlines()[1:-1])
    assert data.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    der = base64.b64decode(inside)
    point = owner.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    assert der.endswith(point)
    assert thief.private_numbers().private_value.to_bytes(32) in der


def test_a_host_is_a_name_or_an_address() -> None:
    issuer = forging.root("An authority")
    plan = dataclasses.replace(forging.Plan(), names=("a.test", "127.0.0.1", "::1"))
    shown = forging.certify(plan, forging.new_key(), issuer)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
