"""A secret's own encodings, to be searched as they are, whether or not their surroundings can be decoded.

Base64 is not among them: there the same value looks different behind each neighbour and shares characters with it, so
only decoding tells it from a value that differs in the last bits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from lab.model import Secret, SecretName

MIN_VALUE = 8
"""Bytes. Anything shorter stands in noise by chance."""

_GRAM = 4
_WORD = 2 ** (8 * _GRAM) - 1
_TAIL = 2 * _GRAM - 1


class Form(NamedTuple):
    """One way in which a value may be written; `decoders` lead back to it, none for the value itself."""

    data: bytes
    decoders: tuple[str, ...]


class Needle(NamedTuple):
    """A form to look for, and whose it is. `decoy`: of a value that was planted nowhere."""

    secret: SecretName
    decoy: bool
    form: Form


def forms(value: bytes) -> tuple[Form, ...]:
    """The forms of `value`, the value itself first, none twice. Forms of text are left out where it is not UTF-8."""
    found: dict[bytes, Form] = {}
    for form in (Form(value, ()), *_text_forms(value), *_byte_forms(value)):
        found.setdefault(form.data, form)
    return tuple(found.values())


def _byte_forms(value: bytes) -> Iterator[Form]:
    digits = value.hex()
    yield Form(digits.encode(), ("hex",))
    yield Form(digits.upper().encode(), ("hex",))
    yield Form(quote(value, safe="").encode(), ("percent",))
    yield Form(quote_plus(value).encode(), ("urlencoded",))
    escaped = "%" + value.hex("%")
    yield Form(escaped.encode(), ("percent",))
    yield Form(escaped.upper().encode(), ("percent",))


def _text_forms(value: bytes) -> Iterator[Form]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield Form(text.encode("utf-16-le"), ("utf-16le",))
    yield Form(text.encode("utf-16-be"), ("utf-16be",))
    yield Form(json.dumps(text)[1:-1].encode(), ("json",))
    # Host names and addresses may be folded on their way.
    yield Form(text.lower().encode(), ("lowercase",))
    yield Form(text.upper().encode(), ("uppercase",))


class Needles:
    """All forms of all secrets and their decoys, with a quick way to tell which of them some bytes may hold.

    The bytes are cut into words of four, and only needles sharing a word are searched. Of the last seven bytes of any
    needle, wherever it stands, four lie in one such word; that is where values drawn with a random tag differ.
    """

    def __init__(self, secrets: Sequence[Secret]) -> None:
        """Raises ValueError for a value or decoy of less than MIN_VALUE bytes."""
        self._needles: list[Needle] = []
        self._by_gram: dict[int, list[int]] = {}
        for secret in secrets:
            for number, value in enumerate((secret.value, *secret.decoys)):
                if len(value) < MIN_VALUE:
                    raise ValueError(
                        f"{secret.name}: a value of {len(value)} bytes would stand in noise by chance; "
                        f"plant at least {MIN_VALUE}"
                    )
                for form in forms(value):
                    self._add(Needle(secret.name, number > 0, form))

    def _add(self, needle: Needle) -> None:
        tail = int.from_bytes(needle.form.data[-_TAIL:], sys.byteorder)
        for shift in range(0, 8 * _GRAM, 8):
            self._by_gram.setdefault(tail >> shift & _WORD, []).append(len(self._needles))
        self._needles.append(needle)

    def candidates(self, data: bytes) -> Iterator[Needle]:
        """The needles that `data` may hold, in a fixed order; never leaves one out that it holds."""
        words = memoryview(data)[: len(data) - len(data) % _GRAM].cast("I")
        shared = self._by_gram.keys() & words
        for index in sorted({index for gram in shared for index in self._by_gram[gram]}):
            yield self._needles[index]
