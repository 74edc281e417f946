"""Certificates of a run: who trusts its authority accepts its service, for this host and for days, and nothing else."""

from __future__ import annotations

import datetime
import os
import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lab.stage.certificates import Authority, Flaw, issue_flawed, make_authority, write_private

HOST = "chat.lab.test"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("Lab CA of this run")


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.issue(HOST))


def verify(
    leaf: x509.Certificate,
    trusted: x509.Certificate,
    host: str = HOST,
    moment: datetime.datetime | None = None,
) -> list[x509.Certificate]:
    """What a client does that trusts one authority: the chain, or VerificationError."""
    policy = PolicyBuilder().store(Store([trusted])).time(moment or datetime.datetime.now(datetime.UTC))
    return policy.build_server_verifier(x509.DNSName(host)).verify(leaf, [])


def test_a_client_that_trusts_the_authority_accepts_the_service(authority: Authority, leaf: x509.Certificate) -> None:
    assert verify(leaf, authority.certificate) == [leaf, authority.certificate]


def test_the_pem_is_the_authority_without_its_key(authority: Authority) -> None:
    assert x509.load_pem_x509_certificate(authority.pem) == authority.certificate
    assert b"PRIVATE" not in authority.pem
    assert b"PRIVATE" in authority.pem_with_key


def test_key_and_certificate_of_the_service_belong_together(authority: Authority) -> None:
    issued = authority.issue(HOST)
    assert load_pem_private_key(issued, None).public_key() == x509.load_pem_x509_certificate(issued).public_key()


def test_one_certificate_can_be_for_several_names_and_addresses(authority: Authority) -> None:
    leaf = x509.load_pem_x509_certificate(authority.issue(HOST, "127.0.0.1", "::1", "localhost"))
    policy = PolicyBuilder().store(Store([authority.certificate]))
    for subject in (x509.DNSName(HOST), x509.DNSName("localhost")):
        assert policy.build_server_verifier(subject).verify(leaf, [])
    for address in ("127.0.0.1", "::1"):
        assert policy.build_server_verifier(x509.IPAddress(ip_address(address))).verify(leaf, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.IPAddress(ip_address("127.0.0.2"))).verify(leaf, [])


@pytest.mark.parametrize("host", ["chat2.lab.test", "lab.test", "other.chat.lab.test"])
def test_another_host_is_refused(authority: Authority, leaf: x509.Certificate, host: str) -> None:
    with pytest.raises(VerificationError):
        verify(leaf, authority.certificate, host)


def test_an_authority_of_the_same_name_is_refused(leaf: x509.Certificate) -> None:
    with pytest.raises(VerificationError):
        verify(leaf, make_authority("Lab CA of this run").certificate)


@pytest.mark.parametrize("days", [-1, 4])
def test_it_is_worth_nothing_before_and_after_its_time(authority: Authority, leaf: x509.Certificate, days: int) -> None:
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    with pytest.raises(VerificationError):
        verify(leaf, authority.certificate, moment=moment)


def test_it_is_good_for_days_and_not_for_years(authority: Authority, leaf: x509.Certificate) -> None:
    for one in (authority.certificate, leaf):
        assert one.not_valid_after_utc - one.not_valid_before_utc < datetime.timedelta(days=7)
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    assert verify(leaf, authority.certificate, moment=tomorrow)


def test_the_service_cannot_issue_certificates_itself(authority: Authority) -> None:
    issued = authority.issue(HOST)
    key = load_pem_private_key(issued, None)
    pretender = Authority(x509.load_pem_x509_certificate(issued), key)  # type: ignore[arg-type] # it is that kind
    forged = x509.load_pem_x509_certificate(pretender.issue("bank.lab.test"))
    policy = PolicyBuilder().store(Store([authority.certificate]))
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("bank.lab.test")).verify(forged, [pretender.certificate])


def test_two_authorities_share_nothing() -> None:
    one, other = make_authority("same"), make_authority("same")
    assert one.certificate.public_key() != other.certificate.public_key()
    assert one.certificate.serial_number != other.certificate.serial_number


def test_a_key_is_private_from_its_first_byte_on_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_private(tmp_path / "key.pem", b"key")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_taken_for_a_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        write_private(path, b"key")
    assert path.read_bytes() == b"somebody else's"


@pytest.mark.parametrize("flaw", Flaw)
def test_one_thing_is_wrong_and_nothing_else(authority: Authority, flaw: Flaw) -> None:
    pem = issue_flawed(authority, HOST, flaw)
    leaf = x509.load_pem_x509_certificate(pem)
    assert load_pem_private_key(pem, None).public_key() == leaf.public_key()
    with pytest.raises(VerificationError):
        verify(leaf, authority.certificate)
    match flaw:
        case Flaw.EXPIRED:
            own = x509.load_pem_x509_certificate(authority.issue(HOST))
            assert leaf.not_valid_after_utc < datetime.datetime.now(datetime.UTC) < own.not_valid_after_utc
            leaf.verify_directly_issued_by(authority.certificate)
            assert [one.oid for one in leaf.extensions] == [one.oid for one in own.extensions]
        case Flaw.WRONG_NAME:
            verify(leaf, authority.certificate, f"not-{HOST}")
        case Flaw.SELF_SIGNED:
            assert leaf.issuer == leaf.subject
            leaf.verify_directly_issued_by(leaf)
        case Flaw.UNKNOWN_AUTHORITY:
            assert leaf.issuer == authority.certificate.subject
            own = x509.load_pem_x509_certificate(authority.issue(HOST))
            assert [one.oid for one in leaf.extensions] == [one.oid for one in own.extensions]
