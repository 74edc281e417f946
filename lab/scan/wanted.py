"""The secrets to look for, as they are given on the command line or in a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.model import LabError

MASK = "•"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A secret of somebody's own."""

    name: str
    value: bytes
    decoys: tuple[bytes, ...] = ()


def given(assignments: Sequence[str], file: Path | None) -> tuple[Wanted, ...]:
    """The secrets of the command line, then those of the file. LabError says what is wrong, never with a value."""
    found = [_wanted(text, f"--secret, number {number}") for number, text in enumerate(assignments, start=1)]
    if file is not None:
        found += _in_file(file)
    if not found:
        raise LabError("nothing to look for: give --secret NAME=VALUE, or --secrets FILE with such lines")
    return tuple(dict.fromkeys(found))


def readable_by_others(file: Path) -> bool:
    return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)) and os.name == "posix"


def _in_file(file: Path) -> Iterator[Wanted]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabError(f"{file}: the secrets cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise LabError(f"{file}:{line}: not text in UTF-8; write one NAME=VALUE a line") from None
    for at, content in enumerate(text.split("\n"), start=1):
        if content.strip() and not content.lstrip().startswith("#"):
            yield _wanted(content, f"{file}:{at}")


def _wanted(text: str, where: str) -> Wanted:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value and name.isprintable()):
        raise LabError(f"{where}: not NAME=VALUE; write a name of your choice, =, and what to look for")
    # What the command line gives as bytes that are no UTF-8 stays what it was.
    return Wanted(name, value.encode(errors="surrogateescape"))
