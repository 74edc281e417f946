"""The JSON shapes of the log of keys."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from lab.service.fields import Bytes, Name, Shape

MAX_ENTRIES = 1000
"""Entries in one answer."""

_Number = Annotated[int, Field(ge=0, lt=2**63, description="Number of an entry, from 0.")]
_Version = Annotated[int, Field(ge=1, lt=2**31, description="Which of the account's lists this is, from 1.")]
_Hash = Annotated[Bytes, Field(description="SHA-256.")]
_Size = Annotated[int, Field(ge=0, lt=2**63, description="How many entries the log has.")]


class TreeHead(Shape):
    """What the log says of itself, signed with its own key (both Ed25519)."""

    key: Bytes
    size: _Size
    root: _Hash
    signature: Bytes


class Entry(Shape):
    """That a list of devices was accepted for an account; `digest` is over the list as clients signed it."""

    account: Name
    version: _Version
    digest: _Hash


class Inclusion(Shape):
    """The latest entry of an account, and the proof (RFC 9162, section 2.1.3) that it is in the tree of `head`."""

    head: TreeHead
    number: _Number
    entry: Entry
    path: list[_Hash]


class Consistency(Shape):
    """The proof (RFC 9162, section 2.1.4) that one tree is the beginning of another."""

    path: list[_Hash]


class Entries(Shape):
    """Entries of all accounts, in the order of the log; fewer than were asked for, if they are many."""

    entries: Annotated[list[Entry], Field(max_length=MAX_ENTRIES)]


class OwnEntry(Shape):
    """An entry of one's own account, with the list itself."""

    number: _Number
    version: _Version
    data: Bytes


class OwnEntries(Shape):
    """The entries of one's own account, in the order of the log."""

    entries: list[OwnEntry]


class _Range(BaseModel):
    """Not strict: a query has only strings."""


class TwoSizes(_Range):
    """Two sizes of the log."""

    first: Annotated[int, Field(ge=1, lt=2**63, description="The smaller size.")]
    second: Annotated[int, Field(ge=1, lt=2**63, description="The larger size.")]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.second:
            raise ValueError("The first size should not be larger than the second one")
        return self


class Stretch(_Range):
    """From which entry to before which one."""

    start: _Number
    end: _Number
