"""The capture file: an append-only, versioned record of one session, one JSON object a line.

The first line is the head, the last one counts the lines before it, so that a record cut short is known as such.
Bytes are base64. Taps write the same lines (observations and notes) into a file of their own, which the stage
copies into the capture; judging happens later and any number of times.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from json.encoder import encode_basestring as _quoted
from pathlib import Path
from types import UnionType
from typing import Any, TextIO, get_args, get_origin, get_type_hints

from lab import private
from lab.model import (
    Capture,
    Claim,
    DeviceCopy,
    Direction,
    LabError,
    Missing,
    Note,
    Observation,
    Observer,
    Secret,
    SecretName,
    Statement,
    Story,
    TlsKeys,
)

FORMAT = 3
"""1: first format. 2: with copies of devices, and the story says how messages were encrypted. 3: a copied device may
keep messages."""

SUFFIX = ".capture.jsonl"


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the conversation that the lesson asks about and nobody types (its size, its time)."""

    name: SecretName


type Item = Secret | Fact | Claim | Statement | Observation | Note | Missing | TlsKeys | DeviceCopy

_KINDS: dict[str, type[Any]] = {
    "secret": Secret,
    "fact": Fact,
    "claim": Claim,
    "statement": Statement,
    "observation": Observation,
    "note": Note,
    "missing": Missing,
    "tls_keys": TlsKeys,
    "device_copy": DeviceCopy,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_HINTS = {kind: get_type_hints(kind) for kind in (Story, *_NAMES)}


class CaptureError(LabError):
    """A file that is not a capture, is damaged, or was written by a newer lab: "FILE[:LINE]: what is wrong"."""


def encode(item: Item) -> str:
    """One line for `item`, with its line end."""
    if isinstance(item, Observation):
        return observation_line(
            item.observer, item.place, item.connection, item.direction, item.time, item.data, item.exchange
        )
    return json.dumps({"is": _NAMES[type(item)], **_fields(item)}, ensure_ascii=False, separators=(",", ":")) + "\n"


def observation_line(
    observer: Observer, place: str, connection: str, direction: Direction, time: float, data: bytes, exchange: int
) -> str:
    """The line for an observation. A tap writes several for each request, so this is put together by hand."""
    moment = repr(time) if math.isfinite(time) else json.dumps(time)
    return (
        f'{{"is":"observation","observer":{_quoted(observer)},"place":{_quoted(place)}'
        f',"connection":{_quoted(connection)},"direction":{_quoted(direction)},"time":{moment}'
        f',"data":"{binascii.b2a_base64(data, newline=False).decode("ascii")}","exchange":{exchange}}}\n'
    )


def decode(line: str) -> Item:
    """The item in `line`; ValueError says what does not fit."""
    fields = _object(line)
    kind = _KINDS.get(str(fields.pop("is", None)))
    if kind is None:
        raise ValueError("a line of an unknown kind")
    item: Item = _build(kind, fields)
    return item


class Writer:
    """Appends to one capture file, which only its owner can read. Use as a context manager: leaving it writes the end.

    An existing file is never overwritten: FileExistsError. When left by an exception the end is not written, and the
    capture counts as cut short.
    """

    def __init__(self, path: Path, story: Story) -> None:
        self._file: TextIO = os.fdopen(private.create(path), "w", encoding="utf-8", newline="\n")
        self._lines = 0
        self.path = path
        self._put(json.dumps({"is": "capture", "format": FORMAT, **_fields(story)}, ensure_ascii=False) + "\n")

    def add(self, *items: Item) -> None:
        for item in items:
            self._put(encode(item))

    def copy_lines(self, recording: Path, size: int | None = None) -> None:
        """Append what a tap wrote, or its first `size` bytes: it may be writing on.

        A last line cut short is left out; `missing` says why elsewhere.
        """
        left = sys.maxsize if size is None else size
        with recording.open("rb") as lines:  # a line may be cut in the middle of a character
            for line in lines:
                left -= len(line)
                if left < 0:
                    break
                if line.endswith(b"\n"):
                    self._put(line.decode())

    def _put(self, line: str) -> None:
        self._file.write(line)
        self._lines += 1

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.write(json.dumps({"is": "end", "lines": self._lines}) + "\n")


def read(path: Path) -> Capture:
    """The capture in `path`. A record cut short is returned with `missing` set; anything else wrong: CaptureError."""
    try:
        with path.open("rb") as lines:
            return parse((_text(line) for line in lines), str(path))
    except UnicodeDecodeError:
        raise CaptureError(
            f"{path}: not a capture (it is not text); give a file that lab run --captures wrote"
        ) from None
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from None


def _text(line: bytes) -> str:
    # The last line of a record cut short may end in the middle of a character; it is left out anyway.
    return line.decode(errors="strict" if line.endswith(b"\n") else "replace")


def parse(lines: Iterable[str], name: str) -> Capture:
    """`read` for lines already at hand; `name` stands in messages."""
    numbered = enumerate(lines, start=1)
    story = _head(next(numbered, (1, ""))[1], name)
    items: list[Item] = []
    ended = False
    for number, line in numbered:
        if ended:
            raise CaptureError(f"{name}:{number}: text after the end of the capture; the file was damaged")
        if not line.endswith("\n"):
            break
        try:
            fields = _object(line)
            if fields.get("is") == "end":
                _check_end(fields, number)
                ended = True
            else:
                items.append(decode(line))
        except (ValueError, TypeError, OverflowError) as error:
            raise CaptureError(f"{name}:{number}: damaged: {error}") from None
    return _assemble(story, items, ended)


def _check_end(fields: dict[str, Any], number: int) -> None:
    if fields.get("lines") != number - 1:
        raise ValueError(f"{number - 1} lines stand before the end, {fields.get('lines')} were written")


def _head(line: str, name: str) -> Story:
    wrong = CaptureError(f"{name}: not a capture; give a file that lab run --captures wrote")
    try:
        fields = _object(line)
    except ValueError:
        raise wrong from None
    if fields.pop("is", None) != "capture":
        raise wrong
    version = fields.pop("format", None)
    if not isinstance(version, int):
        raise wrong
    if version > FORMAT:
        raise CaptureError(f"{name}: capture format {version} is newer than this lab knows ({FORMAT}); update the lab")
    try:
        story: Story = _build(Story, fields)
    except (ValueError, TypeError, OverflowError) as error:
        raise CaptureError(f"{name}:1: damaged: {error}") from None
    return story


def _assemble(story: Story, items: list[Item], ended: bool) -> Capture:
    def all_of[T](kind: type[T]) -> tuple[T, ...]:
        return tuple(item for item in items if isinstance(item, kind))

    missing = all_of(Missing)
    if not ended:
        missing += (Missing("the capture ends early"),)
    return Capture(
        story=story,
        secrets=all_of(Secret),
        facts=tuple(fact.name for fact in all_of(Fact)),
        claims=all_of(Claim),
        statements=all_of(Statement),
        observations=all_of(Observation),
        notes=all_of(Note),
        missing=missing,
        tls_keys=all_of(TlsKeys),
        copies=all_of(DeviceCopy),
    )


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("a line that is no JSON object")  # noqa: TRY004 - the content is wrong, not the caller
    return value


def _fields(item: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(item, field.name)) for field in dataclasses.fields(item)}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return binascii.b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def _build[T](kind: type[T], fields: dict[str, Any]) -> T:
    hints = _HINTS[kind]
    unknown = fields.keys() - hints.keys()
    if unknown:
        raise ValueError(f"unknown field {min(unknown)!r}")
    return kind(**{name: _typed(hints[name], value) for name, value in fields.items()})


def _typed(hint: Any, value: Any) -> Any:
    """`value` as JSON gave it, as `hint` wants it; ValueError or TypeError where it does not fit."""
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError("a list was expected")
        return tuple(_typed(get_args(hint)[0], part) for part in value)
    if isinstance(hint, UnionType):  # the one optional type there is: an observer or none
        return None if value is None else _typed(get_args(hint)[0], value)
    if hint is bytes:
        return base64.b64decode(value, validate=True)
    if issubclass(hint, StrEnum):
        return hint(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise TypeError(f"{hint.__name__} expected, {type(value).__name__} found")
    return value
