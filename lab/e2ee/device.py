"""Everything that a device holds, in one piece: what a thief has who copied an unlocked phone.

It is not from a specification. It is the state of `identity`, `prekeys`, `session` and `groups` (or of whichever engine
stands in their place) for one device, as bytes of those modules, so that a copy can be judged where no device is.

Left out: messages. What is about to be sent or shown is not keys, and nor is a history of what was. A real device has
one, and a copy of it gives all of that away without any cryptography (see `lab.messenger.history`).

Wire form, lengths in bytes (numbers and blocks as in `codec`), every list in ascending order of its names:

    state        version 1 | label block | account block | number 4 | account key block | device block
                 | contacts | sessions | sender keys | readers
    contacts     count 4 | for each: account block | device list block
    sessions     count 4 | for each: account block | number 4 | state block
    sender keys  count 4 | for each: conversation block | state block
    readers      count 4 | for each: conversation block | account block | number 4 | count 4 | state blocks
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.e2ee.codec import Reader, block, blocks, number
from lab.e2ee.protocol import DEVICE_STATE_LABEL, MAX_READERS, VERSION, E2EEError

_MOST = 1 << 26
"""Bytes of one state: sessions with skipped keys and devices with a full stock stay far below."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """All keys of one device, private. Nothing in it is looked into here: engines do that.

    `account_key` is the account's Ed25519 key, 32 bytes; `device` is empty on a device without encryption, and then so
    is everything else. `contacts` has the signed device list of each account that is trusted, its own included;
    `sessions` are by account and device number, `sender_keys` by conversation, `readers` by both.
    """

    account: str
    number: int
    account_key: bytes = field(default=b"", repr=False)
    device: bytes = field(default=b"", repr=False)
    contacts: Mapping[str, bytes] = field(default_factory=dict)
    sessions: Mapping[tuple[str, int], bytes] = field(default_factory=dict, repr=False)
    sender_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    readers: Mapping[tuple[str, str, int], tuple[bytes, ...]] = field(default_factory=dict, repr=False)

    def to_bytes(self) -> bytes:
        """The copy itself: private as nothing else is."""
        return b"".join(
            (
                number(VERSION, 1),
                block(DEVICE_STATE_LABEL),
                block(self.account.encode()),
                number(self.number),
                blocks(self.account_key, self.device),
                number(len(self.contacts)),
                *(blocks(name.encode(), data) for name, data in sorted(self.contacts.items())),
                number(len(self.sessions)),
                *(_address(*name) + block(state) for name, state in sorted(self.sessions.items())),
                number(len(self.sender_keys)),
                *(blocks(name.encode(), state) for name, state in sorted(self.sender_keys.items())),
                number(len(self.readers)),
                *(
                    block(conversation.encode()) + _address(account, device) + number(len(states)) + blocks(*states)
                    for (conversation, account, device), states in sorted(self.readers.items())
                ),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> DeviceState:
        """What `to_bytes` wrote. E2EEError: anything else."""
        reader = Reader(data)
        if reader.number(1) != VERSION or reader.block() != DEVICE_STATE_LABEL:
            raise E2EEError("this is not the state of a device of a known version")
        found = cls(
            reader.text(),
            reader.number(),
            reader.block(),
            reader.block(_MOST),
            _read_map(reader, reader.text, lambda: reader.block(_MOST)),
            _read_map(reader, lambda: (reader.text(), reader.number()), lambda: reader.block(_MOST)),
            _read_map(reader, reader.text, lambda: reader.block(_MOST)),
            _read_map(reader, lambda: (reader.text(), reader.text(), reader.number()), lambda: _read_readers(reader)),
        )
        reader.end()
        # One state, one form: what stands in another order, or twice, did not come from `to_bytes`.
        if found.to_bytes() != data:
            raise E2EEError("the state of a device is damaged")
        return found


def _address(account: str, device: int) -> bytes:
    return block(account.encode()) + number(device)


def _read_map[Name, State](
    reader: Reader, read_name: Callable[[], Name], read_state: Callable[[], State]
) -> dict[Name, State]:
    return {read_name(): read_state() for _ in range(reader.number())}


def _read_readers(reader: Reader) -> tuple[bytes, ...]:
    count = reader.number()
    if count > MAX_READERS:
        raise E2EEError("a device has more sender keys to read than it keeps")
    return tuple(reader.block(_MOST) for _ in range(count))
