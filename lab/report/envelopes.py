"""Envelopes for the terminal: what a recording holds of them, and one of them field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.e2ee.anatomy import Field, anatomy, kind_of
from lab.e2ee.protocol import E2EEError
from lab.mail import Address, Carried
from lab.model import Encryption
from lab.report.words import clock

_SHORT = 8
"""Bytes that are shown in full; of longer fields both ends are, with half as many each."""
_ROW = 16
_MOST = 512
"""Bytes that are shown of an envelope without fields."""
_INDENT = 14

_OTHERS = {
    Encryption.OLM: "This was made by Olm or Megolm, as Matrix clients use them, with the library vodozemac: a ratchet "
    "like that of the lab, in a form of its own, which is not taken apart here.",
    Encryption.STATIC: "This message was sealed alone, by a key agreement with keys that never change: there is no "
    "ratchet in it and no counter, and whoever gets the recipient's keys opens it, and all others to that device.",
    Encryption.CTR: "This message was sealed alone, with keys that never change, and without a tag at its end: whoever "
    "carries it can flip any bit of the text, and the recipient's device has nothing to notice it by.",
    Encryption.RSA: "This is the text under the recipient's RSA key and nothing else: no version, no sender, no "
    "counter, no signature. Whoever gets the one private key opens it, and all others to that device.",
}
"""What stands in place of the fields that cannot be named."""


def print_messages(
    messages: Sequence[Carried], names: Mapping[str, str], encryption: Encryption, console: Console
) -> None:
    """One line for each envelope of each message; `names` has the participant behind each account."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("number", "time", "from", "to", "kind", "bytes"):
        table.add_column(
            heading, no_wrap=heading != "to", justify="right" if heading in ("number", "bytes") else "left"
        )
    for number, message in enumerate(messages, start=1):
        about = (str(number), clock(message.time), _named(message.sender, names))
        for to, envelope in _envelopes(message, names):
            table.add_row(*about, to, _kind(envelope, encryption), str(len(envelope)))
            about = ("", "", "")
    console.print()
    console.print(Text("Messages in the server's record (participant/device)", style="bold"))
    console.print(Padding(table, (1, 0, 0, 2)))


def print_message(
    number: int, message: Carried, names: Mapping[str, str], encryption: Encryption, console: Console
) -> None:
    """The first envelope of each kind in a message, field by field: others of that kind have the same fields."""
    shown: set[tuple[str, bool]] = set()
    for to, envelope in _envelopes(message, names):
        kind, shared = _kind(envelope, encryption), envelope is message.shared
        if (kind, shared) not in shown:
            shown.add((kind, shared))
            heading = f"Message {number}, {_named(message.sender, names)} to {to}: {kind}, {len(envelope)} bytes"
            console.print()
            console.print(Text(heading, style="bold"))
            console.print(Padding(explained(envelope, encryption), (1, 0, 0, 0)))


def explained(envelope: bytes, encryption: Encryption | None = None) -> RenderableType:
    """One envelope field by field: where it stands, its bytes, what it is for, who can read it and why.

    Of other encryptions than the ratchet's, and of what no device would accept: one sentence and the bytes. None is
    for those who only have the bytes and must believe what they say of themselves.
    """
    if encryption in _OTHERS:
        return Group(_indented(_OTHERS[encryption]), Text(), *_dump(envelope))
    try:
        fields = anatomy(envelope)
    except E2EEError as error:
        return Group(_indented(f"No fields can be named: {error}."), Text(), *_dump(envelope))
    heading = f"{'at':>5} {'bytes':>6}  {'hexadecimal':<20}  field, its use, who can read it"
    return Group(Text(heading, style="dim"), *(part for field in fields for part in _rows(field, envelope)))


def _rows(field: Field, envelope: bytes) -> Iterator[RenderableType]:
    data = envelope[field.start : field.end]
    place = f"{field.start:>5} {len(data):>6}  {_shortened(data):<20}  "
    yield Text.assemble(place, (field.name, "bold"), no_wrap=True)
    yield _indented(field.meaning)
    readers = Table.grid(padding=(0, 1, 0, 0))
    for one in field.readers:
        readers.add_row(one.who, "yes:" if one.reads else "no:", one.why)
    yield Padding(readers, (0, 0, 0, _INDENT))


def _shortened(data: bytes) -> str:
    half = _SHORT // 2
    return data.hex() if len(data) <= _SHORT else f"{data[:half].hex()}..{data[-half:].hex()}"


def _dump(data: bytes) -> Iterator[Text]:
    for at in range(0, min(len(data), _MOST), _ROW):
        yield Text(f"{at:>5}  {data[at : at + _ROW].hex(' ')}", no_wrap=True)
    if len(data) > _MOST:
        yield Text(f"{_MOST:>5}  and {len(data) - _MOST} bytes more")


def _indented(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, _INDENT))


def _envelopes(message: Carried, names: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Every ciphertext in a message, with the names of the devices that it is for."""
    for address, envelope in message.envelopes:
        yield _named(address, names), envelope
    if message.shared:
        yield ", ".join(_named(address, names) for address in message.recipients), message.shared


def _named(address: Address, names: Mapping[str, str]) -> str:
    account, device = address
    return f"{names.get(account, account)}/{device}"


def _kind(envelope: bytes, encryption: Encryption) -> str:
    if encryption in _OTHERS:
        return encryption
    try:
        return kind_of(envelope).name.lower()
    except E2EEError:
        return "unknown"
