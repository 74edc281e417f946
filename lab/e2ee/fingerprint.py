"""Safety numbers: what two people compare, face to face or on the telephone, to know that nobody stands between them.

Implements Signal's numeric fingerprint (libsignal v0.101.0: hash version 0, 5,200 iterations) in both of its forms: 60
digits to read aloud, and the code to scan in version 2. Every party contributes one half, made from its name and its
key alone: 30 of the digits, or 32 bytes of the code.

It is the only protection from a service that hands out its own keys in the name of others, and it works only where
people do compare. It says nothing about devices: the account key is what is compared, and the account key says which
devices are the account's (`identity`). So a number stays the same when a device is added.

Left out: version 1 of the code (names are telephone numbers there; it is refused), the picture that a code is scanned
from, and protobuf beyond the one way to write this message: whoever writes the same otherwise is refused.

The code, all lengths in bytes (protobuf: version = 1, local = 2, remote = 3, each with content = 1):

    08 02 | 12 22 0a 20 | local half 32 | 1a 22 0a 20 | remote half 32
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from lab.e2ee.codec import Reader, number
from lab.e2ee.identity import check_account
from lab.e2ee.keys import KEY, check_signing_key
from lab.e2ee.protocol import (
    ACCOUNT_KEY_KIND,
    FINGERPRINT_ITERATIONS,
    FINGERPRINT_VERSION,
    SCANNABLE_VERSION,
    SIGNAL_KEY_KIND,
    E2EEError,
)

_DIGITS = 5
_CHUNK = 5
_CHUNKS = 6
"""Of each half: six times five bytes, each of which gives five digits."""

_VERSION_FIELD = b"\x08"
_LOCAL_FIELD = b"\x12\x22\x0a\x20"
_REMOTE_FIELD = b"\x1a\x22\x0a\x20"
"""Field, length, field within it, length; the lengths are those of a half."""


@dataclass(frozen=True, slots=True)
class Party:
    """One side of the comparison: `account` has 1..MAX_ACCOUNT bytes of UTF-8.

    `key` has 33 bytes: one that says what kind of key it is, and the key. An Ed25519 account key of the lab gets 0xed
    (`of_account`), a Curve25519 identity key of Signal has 0x05. The kinds differ so that the same 32 bytes, read as a
    key of another kind, never give the same number. E2EEError: anything else.
    """

    account: str
    key: bytes

    def __post_init__(self) -> None:
        # The hash has no lengths in it: only because every key is equally long can no end of a key pass for a name.
        if len(self.key) != 1 + KEY or self.key[:1] not in (ACCOUNT_KEY_KIND, SIGNAL_KEY_KIND):
            raise E2EEError("a key to compare has the wrong length or is of no known kind")
        check_account(self.account)

    @classmethod
    def of_account(cls, account: str, account_key: bytes) -> Party:
        """An account with its Ed25519 key, 32 bytes, as in its device list. E2EEError: not acceptable as such."""
        check_signing_key(account_key)
        return cls(account, ACCOUNT_KEY_KIND + account_key)


def safety_number(one: Party, other: Party) -> str:
    """60 digits, the same for both sides: the order of the two does not matter. About 6 ms."""
    return "".join(sorted(map(half_number, (one, other))))


def half_number(party: Party) -> str:
    """The 30 digits that one side contributes. In a safety number the lower one of two stands first. About 3 ms."""
    return _digits(_half(party))


def groups(safety_number: str) -> tuple[str, ...]:
    """A safety number as people read it: 12 times 5 digits."""
    return tuple(safety_number[start : start + _DIGITS] for start in range(0, len(safety_number), _DIGITS))


def qr_payload(local: Party, remote: Party) -> bytes:
    """The code that `local` shows and `remote` scans, 74 bytes."""
    return _code(_half(local), _half(remote))


def matches(own: bytes, scanned: bytes) -> bool:
    """True if `scanned`, from the other one's screen, says the same of both as `own`, the code that we would show.

    False means that somebody stands between the two, or that it is a code for somebody else; our own code is no match
    either. E2EEError: one of them is no code, or one of another version.
    """
    local, remote = _read(own)
    _read(scanned)
    # What is local to the other side is remote here. All bytes are compared, whichever differ: the time must not tell
    # how much of a forged half is right already.
    return hmac.compare_digest(_code(remote, local), scanned)


def _half(party: Party) -> bytes:
    hashed = number(FINGERPRINT_VERSION, 2) + party.key + party.account.encode()
    # The key enters every time, and every try at a key that gives the same digits costs all iterations.
    for _ in range(FINGERPRINT_ITERATIONS):
        hashed = hashlib.sha512(hashed + party.key).digest()
    return hashed[:KEY]


def _digits(half: bytes) -> str:
    chunks = (half[start : start + _CHUNK] for start in range(0, _CHUNK * _CHUNKS, _CHUNK))
    return "".join(f"{int.from_bytes(chunk, 'big') % 10**_DIGITS:0{_DIGITS}}" for chunk in chunks)


def _code(local: bytes, remote: bytes) -> bytes:
    return _VERSION_FIELD + number(SCANNABLE_VERSION, 1) + _LOCAL_FIELD + local + _REMOTE_FIELD + remote


def _read(code: bytes) -> tuple[bytes, bytes]:
    reader = Reader(code)
    _expect(reader, _VERSION_FIELD)
    # Told apart from a code that does not match: whoever sees this should update, and not suspect anybody.
    if reader.number(1) != SCANNABLE_VERSION:
        raise E2EEError("this is a code of another version")
    _expect(reader, _LOCAL_FIELD)
    local = reader.take(KEY)
    _expect(reader, _REMOTE_FIELD)
    remote = reader.take(KEY)
    reader.end()
    return local, remote


def _expect(reader: Reader, field: bytes) -> None:
    if reader.take(len(field)) != field:
        raise E2EEError("this is no code of a safety number")
