"""The registry of decoders: each makes further views of a view, as far as it finds something of its kind there.

To add one: write a function (view, budget) → views with Builder, which keeps the way back to the source, and put it
into the list where it belongs. Decoders never raise on odd input; what they cannot finish they note with
`budget.give_up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple

from lab.detect.budget import Budget
from lab.detect.decoders.based import (
    ascii85,
    base32,
    base58,
    base64,
    base64_pieces,
    base64_variants,
    base85,
    hexadecimal,
    hexdump,
    spaced_digits,
    uuencode,
    yenc,
)
from lab.detect.decoders.compressed import content_coding, lz_string, recognised, undeclared
from lab.detect.decoders.disguises import (
    array,
    concatenated,
    grouped_digits,
    separated,
    tags_removed,
    turned,
    unwrapped,
    zero_width,
    zero_width_between,
)
from lab.detect.decoders.escapes import (
    css,
    encoded_word,
    html,
    javascript,
    json,
    percent,
    punycode,
    quoted_printable,
    urlencoded,
    utf7,
    utf16,
    utf32,
)
from lab.detect.decoders.framing import (
    dns_messages,
    event_stream,
    grpc_messages,
    host_labels,
    http2_streams,
    http_bodies,
    multipart_parts,
    tls_records,
    websocket_messages,
)
from lab.detect.decoders.structures import cbor, fields, msgpack, protobuf
from lab.detect.decoders.xored import xored
from lab.detect.views import View

Decode = Callable[[View, Budget], Iterator[View]]


class Reads(Enum):
    """What a decoder works on. Only decoders of bytes are tried on the parts of a view that are no text."""

    BYTES = "bytes"
    TEXT = "text"


class Kind(Enum):
    """What the find of a decoder is worth, and what it leaves to the others."""

    CERTAIN = "certain"
    """Where it finds something, that is hardly ever there by chance."""
    GUESS = "guess"
    """What it finds may be anything: only so many of these are tried on top of each other (see budget.Limits)."""
    REARRANGES = "rearranges"
    """A guess that takes the same letters apart or together: one of these for each layer of encoding."""
    TURNS = "turns"
    """A guess that exchanges the letters: once for each layer, and after rearranging."""


class Decoder(NamedTuple):
    """One way of decoding, and what it reads."""

    decode: Decode
    reads: Reads
    kind: Kind


_CERTAIN_BYTES: tuple[Decode, ...] = (
    tls_records,
    http_bodies,
    websocket_messages,
    http2_streams,
    multipart_parts,
    grpc_messages,
    dns_messages,
    content_coding,
    recognised,
    utf16,
    utf32,
    yenc,
)
_GUESSED_BYTES: tuple[Decode, ...] = (
    undeclared,
    cbor,
    msgpack,
    protobuf,
    zero_width_between,
    xored,
)
# base64, base32 and hexadecimal, and base58 below, share what they look for in a view; the dearest stand last.
_CERTAIN_TEXT: tuple[Decode, ...] = (
    event_stream,
    base64,
    base32,
    hexadecimal,
    hexdump,
    percent,
    urlencoded,
    json,
    javascript,
    html,
    quoted_printable,
    encoded_word,
    punycode,
    zero_width,
)
_GUESSED_TEXT: tuple[Decode, ...] = (
    base58,
    base64_pieces,
    base64_variants,
    spaced_digits,
    uuencode,
    css,
    utf7,
    array,
    lz_string,
    base85,
    ascii85,
)
_REARRANGING: tuple[Decode, ...] = (
    fields,
    host_labels,
    concatenated,
    tags_removed,
    separated,
    grouped_digits,
    unwrapped,
)
DECODERS: tuple[Decoder, ...] = (
    *(Decoder(decode, Reads.BYTES, Kind.CERTAIN) for decode in _CERTAIN_BYTES),
    *(Decoder(decode, Reads.TEXT, Kind.CERTAIN) for decode in _CERTAIN_TEXT),
    *(Decoder(decode, Reads.BYTES, Kind.GUESS) for decode in _GUESSED_BYTES),
    *(Decoder(decode, Reads.TEXT, Kind.GUESS) for decode in _GUESSED_TEXT),
    *(Decoder(decode, Reads.TEXT, Kind.REARRANGES) for decode in _REARRANGING),
    Decoder(turned, Reads.TEXT, Kind.TURNS),
)
"""All decoders, in the order in which they are tried."""
