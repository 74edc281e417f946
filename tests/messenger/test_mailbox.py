"""Outbox and inbox: what is written down comes back, in the order it was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.messenger.content import Content, File
from lab.messenger.mailbox import Mailbox, Prepared, Waiting
from lab.messenger.store import Changes, DeviceStore

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
fields = st.dictionaries(
    texts, texts | st.integers() | st.none() | st.dictionaries(texts, texts, max_size=2), max_size=3
)
contents = st.builds(Content, texts, st.none() | st.builds(File, texts, st.binary(max_size=20))).filter(
    lambda content: bool(content.text or content.file)
)
HI = Content("Hi")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeviceStore]:
    with closing(DeviceStore(tmp_path / "alice.db")) as opened:
        yield opened


def message(number: int) -> Prepared:
    return Prepared(str(number), "5", ("bob",), HI, {"text": "Hi"}, {"id": str(number)})


@given(st.builds(Prepared, texts, texts, st.lists(texts, max_size=3).map(tuple), contents, fields, fields))
def test_a_prepared_message_comes_back_as_it_was(prepared: Prepared) -> None:
    assert Prepared.from_bytes(prepared.to_bytes()) == prepared


@given(st.builds(Waiting, texts, texts, fields, st.booleans()))
def test_a_waiting_message_comes_back_as_it_was(waiting: Waiting) -> None:
    assert Waiting.from_bytes(waiting.to_bytes()) == waiting


def test_what_was_not_posted_is_pending_in_its_order(store: DeviceStore) -> None:
    mailbox = Mailbox(store)
    for number in (3, 1, 2):
        mailbox.prepare(message(number), Changes())
    sealed_anew = Prepared("3", "5", ("bob",), HI, {"text": "Hi"}, {"id": "3", "anew": True})
    mailbox.prepare(sealed_anew, Changes())
    mailbox.posted("1")
    assert list(mailbox.pending()) == [sealed_anew, message(2)]


def test_the_last_sequence_number_is_kept_with_the_message(store: DeviceStore) -> None:
    mailbox = Mailbox(store)
    assert (mailbox.sequence, mailbox.waiting()) == (0, None)
    waiting = Waiting("a", "bob", {"text": "Hi"})
    mailbox.receive(waiting, 2**62, Changes())
    assert (mailbox.sequence, mailbox.waiting()) == (2**62, waiting)
    mailbox.shown("a")
    assert (mailbox.sequence, mailbox.waiting()) == (2**62, None)
    mailbox.skip(2**62 + 1)
    assert (mailbox.sequence, mailbox.waiting()) == (2**62 + 1, None)
