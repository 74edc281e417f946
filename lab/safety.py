"""Safety numbers out of a recording: what the phones of two participants would show side by side. Pure.

The account keys are those of the signed device lists that the service stored and handed out, and those that copied
devices hold. Where an account has had more than one key, there is more than one number: a new phone does that, and so
does a service that hands out keys of its own making. Only people who compare can tell which it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab.calibration import OBSERVERS_OWN
from lab.e2ee.device import DeviceState
from lab.e2ee.fingerprint import Party, qr_payload, safety_number
from lab.e2ee.identity import read_device_list
from lab.e2ee.keys import KEY
from lab.e2ee.protocol import E2EEError
from lab.mail import device_lists, names
from lab.model import Capture, DeviceCopy, LabError, Observer
from lab.record import Record


@dataclass(frozen=True, slots=True)
class Side:
    """A participant and the account key that it had, Ed25519, 32 bytes."""

    who: str
    account: str
    key: bytes

    @property
    def party(self) -> Party:
        return Party.of_account(self.account, self.key)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two participants have to compare, if these are the keys that their phones know."""

    one: Side
    other: Side

    @property
    def number(self) -> str:
        """60 digits, on both phones."""
        return safety_number(self.one.party, self.other.party)

    @property
    def code(self) -> bytes:
        """What `one` shows for `other` to scan."""
        return qr_payload(self.one.party, self.other.party)


def comparisons(capture: Capture, one: str, other: str) -> tuple[Comparison, ...]:
    """One for each pair of account keys of the two, the keys in the order of the record; mostly there is one.

    All pairs, since a service that hands out false keys can give each of the two another one to believe in. LabError:
    there is no such participant, it is the same one twice, or the recording has no key of one of them.
    """
    if one == other:
        raise LabError(f"{one} and {other} are the same participant; a safety number is between two")
    known = {who: account for account, who in names(capture).items() if who != OBSERVERS_OWN}
    wanted = [(who, _account(known, who)) for who in (one, other)]
    keys = dict.fromkeys((*_handed_out(capture), *_copied(capture.copies)))
    sides = [[Side(who, account, key) for owner, key in keys if owner == account] for who, account in wanted]
    for (who, _), found in zip(wanted, sides, strict=True):
        if not found:
            raise LabError(f"the server's record has no signed device list of {who}")
    return tuple(Comparison(*pair) for pair in product(*sides))


def _account(known: Mapping[str, str], who: str) -> str:
    if who in known:
        return known[who]
    near = get_close_matches(who, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
    raise LabError(f"{who}: no participant of this name in the recording; {hint}")


def _handed_out(capture: Capture) -> Iterator[tuple[str, bytes]]:
    """Account and key of each list in the server's record."""
    for found in device_lists(Record(capture, Observer.SERVER).exchanges):
        yield found.account, found.account_key


def _copied(copies: Iterable[DeviceCopy]) -> Iterator[tuple[str, bytes]]:
    """Account and key of each list that a copied device trusts, and of the account that it belongs to."""
    for copy in copies:
        with suppress(E2EEError):
            state = DeviceState.from_bytes(copy.state)
            for account, data in state.contacts.items():
                with suppress(E2EEError):
                    yield account, read_device_list(data, account).account_key
            if len(state.account_key) == KEY:
                own = Ed25519PrivateKey.from_private_bytes(state.account_key)
                yield state.account, own.public_key().public_bytes_raw()
