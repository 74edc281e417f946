"""Digests with a salt are recognised where the salt stands in the same recording, or is given."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

import pytest

from lab.detect import Detector, Session
from lab.detect.salted import tokens
from lab.detect.views import View
from lab.model import Direction, Observation, Observer, Secret, SecretName

VALUE = b"k7f3.x9q2w@example.com"
SECRET = Secret(SecretName.BODY, VALUE)


def seen(data: bytes, exchange: int = 1) -> Observation:
    return Observation(Observer.NETWORK, "http.body", "1", Direction.TO_SERVICE, 0.0, data, exchange)


def chains(*data: bytes, salts: tuple[bytes, ...] = ()) -> set[tuple[str, ...]]:
    search = Detector([SECRET], salts=salts).search([seen(one, number) for number, one in enumerate(data)])
    return {finding.decoders for finding in search.findings}


def test_a_salt_beside_the_digest_is_tried() -> None:
    digest = hashlib.sha256(b"s4lt-and-pepper" + VALUE).hexdigest().encode()
    assert chains(b'{"salt": "s4lt-and-pepper", "user": "%s"}' % digest) == {("hex", "sha-256 with a salt before it")}


def test_a_salt_in_another_message_is_tried_and_the_place_is_that_of_the_digest() -> None:
    digest = b64encode(hmac.digest(b"n0nce77", VALUE, "sha1"))
    search = Detector([SECRET]).search([seen(b"id=n0nce77&x=1", 1), seen(b"v=" + digest, 2)])
    (finding,) = search.findings
    assert finding.decoders == ("base64", "hmac-sha-1")
    assert (finding.source, finding.spans) == (1, ((2, 2 + len(digest)),))


def test_a_salt_of_bytes_may_be_written_in_hexadecimal() -> None:
    salt = bytes.fromhex("00ff10ee20dd30cc")
    digest = hashlib.sha512(VALUE + salt).hexdigest().encode()
    assert chains(b"salt=%s&digest=%s" % (salt.hex().encode(), digest)) == {("hex", "sha-512 with a salt behind it")}


def test_a_salt_can_be_given() -> None:
    digest = hashlib.md5(VALUE + b":house-secret").hexdigest().encode()  # noqa: S324
    assert chains(b"u=" + digest) == set()
    assert chains(b"u=" + digest, salts=(b"house-secret",)) == {("hex", "md5 with a salt behind it")}


def test_a_session_remembers_salts_for_later_searches() -> None:
    detector, session = Detector([SECRET]), Session()
    assert detector.search([seen(b'{"nonce": "first-1"}')], session).findings == ()
    digest = hashlib.sha256(b"first-1:" + VALUE).hexdigest().encode()
    assert detector.search([seen(digest)], session).findings
    assert detector.search([seen(digest)]).findings == ()


def test_the_digest_of_another_value_is_not_taken_for_this_one() -> None:
    digest = hashlib.sha256(b"s4lt" + b"k7f3.x9q2v@example.com").hexdigest().encode()
    assert chains(b'{"salt": "s4lt", "user": "%s"}' % digest) == set()


def test_decoys_are_tried_with_a_salt_that_hits() -> None:
    secret = Secret(SecretName.BODY, VALUE, decoys=(b"m2p8.r4t6y@example.com",))

    def found(*values: bytes) -> list[bool]:
        digests = (hashlib.sha256(b"s4lt" + value).hexdigest().encode() for value in values)
        search = Detector([secret]).search([seen(b"salt=s4lt " + b" ".join(digests))])
        return [finding.decoy for finding in search.findings]

    assert found(VALUE) == [False]
    assert found(VALUE, secret.decoys[0]) == [False, True]


def test_the_newest_salts_come_first_those_named_so_before_all_and_none_twice() -> None:
    session = Session()
    for text in (b"Salt=Old-0ne x1234 y1234", b"nonce: new0ne x1234"):
        session.note(text)
    assert list(session.salts()) == [b"new0ne", b"Old-0ne", b"x1234", b"y1234"]


MD5 = hashlib.md5(VALUE).digest()  # noqa: S324
WRITTEN = b64encode(MD5)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"v=%s;" % MD5.hex().encode(), 1),
        (b"v=%s " % WRITTEN, 1),
        (WRITTEN.rstrip(b"="), 1),
        (b"x" + MD5.hex().encode(), 0),
        (WRITTEN + b"=", 0),
        (WRITTEN + b"x", 0),
        (MD5.hex().encode() * 5, 0),
        (b"====" + MD5.hex().encode() + b" " + WRITTEN, 2),
    ],
)
def test_a_token_is_a_whole_run_as_long_as_a_digest(text: bytes, count: int) -> None:
    found = list(tokens(View(text, "http.body")))
    assert [token.data for token in found] == [MD5] * count
    assert all(text[token.start : token.end].startswith((MD5.hex().encode(), WRITTEN[:-2])) for token in found)
