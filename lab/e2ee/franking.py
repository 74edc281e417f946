"""Reports of abuse in an end-to-end encrypted service: what lets a moderator believe what a recipient shows.

The service cannot read what was sent. So it stamps something that it can see and that belongs to the message; the
recipient hands over the content, with what is needed to compare; and the moderator, who belongs to the service, checks
both. It all depends on what was stamped, and on nobody being able to show two contents for one stamp.

- `Report`, as it should be: message franking (J. Millican, "Messenger Secret Conversations", Facebook 2016; Grubbs, Lu
  and Ristenpart, "Message Franking via Committing Authenticated Encryption", CRYPTO 2017). The sender commits to the
  content, HMAC-SHA256 under a key of its own for each message, which travels inside the envelope; the commitment goes
  beside it. Whoever has a second content for one commitment has found a collision of SHA-256. For a file the content is
  its `FileKey`, with the digest of the plaintext.
- `CiphertextReport`, a bad example: the stamp is over the sealed file. It looks as good, and is not: AES-GCM does not
  commit to its key, and `lab.attack.salamander` makes one sealed file that two keys open to two pictures.

A stamp is HMAC-SHA256 under a key that only the service has. What was deniable before stays so towards all others: they
could have made everything up, and cannot check the stamp.

Left out: who may report what and when (the stamp has no time). A recipient has to refuse a message whose commitment
does not fit (`check`), because it could not report it later: `lab.messenger.commitments` does. There the service keeps
each commitment with its message, and needs no stamp.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.e2ee.codec import blocks
from lab.e2ee.files import FileKey, open_file
from lab.e2ee.keys import KEY, Random
from lab.e2ee.protocol import CIPHERTEXT_STAMP_LABEL, COMMITMENT_LABEL, COMMITMENT_STAMP_LABEL, E2EEError


@dataclass(frozen=True, slots=True)
class Delivery:
    """From whom to whom the service has delivered something: their account names."""

    sender: str
    recipient: str


def commit(content: bytes, random: Random) -> tuple[bytes, bytes]:
    """(opening, commitment), 32 bytes each: the first for the inside of the envelope, the second for beside it."""
    opening = random(KEY)
    return opening, commitment(content, opening)


def commitment(content: bytes, opening: bytes) -> bytes:
    """The commitment to `content` that `opening`, 32 bytes, opens."""
    return hmac.digest(opening, blocks(COMMITMENT_LABEL, content), "sha256")


def check(content: bytes, opening: bytes, committed: bytes) -> None:
    """E2EEError: `committed` is not a commitment to `content` with this `opening`."""
    if len(opening) != KEY or not hmac.compare_digest(commitment(content, opening), committed):
        raise E2EEError("a message is not the one that its sender has committed to")


def stamp(service_key: bytes, delivery: Delivery, commitment: bytes) -> bytes:
    """What the service adds to a message when it delivers it, 32 bytes. `service_key` has 32 bytes."""
    return _stamp(service_key, COMMITMENT_STAMP_LABEL, delivery, commitment)


def file_content(key: FileKey) -> bytes:
    """A file as content to commit to."""
    return json.dumps(key.to_json(), ensure_ascii=False, separators=(",", ":")).encode()


def message_content(text: str, file: FileKey | None) -> bytes:
    """A message with a text ("": none) and perhaps a file as content to commit to."""
    return blocks(text.encode(), b"" if file is None else file_content(file))


@dataclass(frozen=True, slots=True)
class Report:
    """What a recipient hands over about one file that it got."""

    delivery: Delivery
    blob: bytes = field(repr=False)
    content: bytes = field(repr=False)
    """As in the message: what `file_content` gave."""
    opening: bytes = field(repr=False)
    commitment: bytes
    stamp: bytes


def verify(report: Report, service_key: bytes) -> bytes:
    """The file that was sent. E2EEError: the service has not delivered it like this, or it was not this one."""
    _check_stamp(report.stamp, stamp(service_key, report.delivery, report.commitment))
    check(report.content, report.opening, report.commitment)
    try:
        fields = json.loads(report.content)
    except (ValueError, RecursionError):
        raise E2EEError("what was reported is no message with a file") from None
    return open_file(report.blob, FileKey.from_json(fields))


def stamp_ciphertext(service_key: bytes, delivery: Delivery, blob: bytes) -> bytes:
    """The bad example: a stamp over the sealed file, 32 bytes."""
    return _stamp(service_key, CIPHERTEXT_STAMP_LABEL, delivery, hashlib.sha256(blob).digest())


@dataclass(frozen=True, slots=True)
class CiphertextReport:
    """The bad example: the sealed file and a key to it."""

    delivery: Delivery
    blob: bytes = field(repr=False)
    key: FileKey
    stamp: bytes


def verify_ciphertext(report: CiphertextReport, service_key: bytes) -> bytes:
    """The bad example: what the sealed file holds under the key that was given, whether it was sent with it or not.

    E2EEError: the service has not delivered this sealed file, or the key does not open it.
    """
    _check_stamp(report.stamp, stamp_ciphertext(service_key, report.delivery, report.blob))
    return open_file(report.blob, report.key)


def review_ciphertexts(reports: Iterable[CiphertextReport], service_key: bytes) -> tuple[bytes, ...]:
    """The bad example: what a moderator gets to see who takes equal sealed files for equal files, each once.

    That is what the messenger in the paper of 2018 did: of several reports about one sealed file, the first one counts.
    """
    seen: dict[bytes, bytes] = {}
    for report in reports:
        file = verify_ciphertext(report, service_key)
        seen.setdefault(hashlib.sha256(report.blob).digest(), file)
    return tuple(seen.values())


def _stamp(service_key: bytes, label: bytes, delivery: Delivery, stamped: bytes) -> bytes:
    described = blocks(label, delivery.sender.encode(), delivery.recipient.encode(), stamped)
    return hmac.digest(service_key, described, "sha256")


def _check_stamp(given: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(given, expected):
        raise E2EEError("the service has not delivered this")
