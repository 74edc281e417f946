"""The capture file: what goes in comes out, and what is not whole never passes for whole."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import capture
from lab.capture import CaptureError, Fact, Item, Writer
from lab.model import (
    Capture,
    Claim,
    Deed,
    DeviceCopy,
    Direction,
    Event,
    Exposure,
    Missing,
    Mode,
    Note,
    Observation,
    Observer,
    Secret,
    SecretName,
    Statement,
    Story,
    TlsKeys,
)

STORY = Story("tour", "The operator reads along", Mode.TLS, (Observer.NETWORK, Observer.SERVER), 1_700_000_000.25)
ONE_OF_EACH: tuple[Item, ...] = (
    Secret(SecretName.BODY, "Treffen um fünf – 17 Uhr".encode(), (b"decoy one", b"decoy two")),
    Fact(SecretName.SIZE),
    Claim(SecretName.BODY, Observer.SERVER, Exposure.EXPOSED, 12),
    Statement("alice", Deed.SENT, 1.5, text="fünf\u2028Uhr", file=b"\x00\xff", size=9),
    Observation(Observer.NETWORK, "tcp.stream", "1", Direction.TO_SERVICE, 2.5, b"\x16\x03\x01\n", 1),
    Note(Observer.NETWORK, Event.BROKEN, 3.5, "1", "Verbindung zurückgesetzt"),
    Missing("the server tap ended unexpectedly", Observer.SERVER),
    Missing("the conversation broke off"),
    TlsKeys("alice", "CLIENT_RANDOM 00 11\nCLIENT_RANDOM 22 33\n"),
    DeviceCopy("bob", "bob-1", 2, 4.5, b"\x00keys\xff"),
)

MOMENTS = st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.one_of(
    st.builds(Secret, st.sampled_from(SecretName), st.binary(), st.lists(st.binary(), max_size=3).map(tuple)),
    st.builds(Fact, st.sampled_from(SecretName)),
    st.builds(Claim),
    st.builds(Statement, time=MOMENTS),
    st.builds(Observation, time=MOMENTS),
    st.builds(Note, time=MOMENTS),
    st.builds(TlsKeys),
    st.builds(DeviceCopy, time=MOMENTS),
    st.builds(Missing, st.text(), st.none() | st.sampled_from(Observer)),
)


def write(path: Path, *items: Item, story: Story = STORY) -> Path:
    with Writer(path, story) as writer:
        writer.add(*items)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A capture with an item of each kind."""
    return write(tmp_path / "small.capture.jsonl", *ONE_OF_EACH)


def items_of(taken: Capture) -> list[Item]:
    facts = [Fact(name) for name in taken.facts]
    return [
        *taken.secrets,
        *facts,
        *taken.claims,
        *taken.statements,
        *taken.observations,
        *taken.notes,
        *taken.missing,
        *taken.tls_keys,
        *taken.copies,
    ]


def test_an_item_of_each_kind_comes_back(small: Path) -> None:
    taken = capture.read(small)
    assert taken.story == STORY
    assert items_of(taken) == list(ONE_OF_EACH)


def test_every_kind_of_item_is_tried_here() -> None:
    assert {type(item) for item in ONE_OF_EACH} == set(capture._KINDS.values())


@given(ITEMS)
def test_any_item_comes_back_from_its_line(item: Item) -> None:
    line = capture.encode(item)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert capture.decode(line) == item


@given(st.builds(Observation))
def test_the_line_put_together_by_hand_is_the_one_that_json_would_write(observation: Observation) -> None:
    data = base64.b64encode(observation.data).decode()
    fields = {"is": "observation", **dataclasses.asdict(observation), "data": data}
    assert capture.encode(observation) == json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


@given(st.builds(Story, started=MOMENTS), st.lists(ITEMS, max_size=6))
def test_any_session_comes_back_from_its_file(story: Story, items: list[Item]) -> None:
    with TemporaryDirectory() as folder:
        taken = capture.read(write(Path(folder) / "capture", *items, story=story))
    assert taken.story == story
    kinds = list(dict.fromkeys(type(item) for item in ONE_OF_EACH))
    assert items_of(taken) == sorted(items, key=lambda item: kinds.index(type(item)))


def test_the_order_within_a_kind_is_kept(tmp_path: Path) -> None:
    notes = [Note(Observer.SERVER, Event.OPENED, float(9 - number), str(number)) for number in range(9)]
    assert capture.read(write(tmp_path / "capture", *notes)).notes == tuple(notes)


def test_only_its_owner_can_read_it_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write(tmp_path / "capture")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_never_overwritten(small: Path) -> None:
    before = small.read_bytes()
    with pytest.raises(FileExistsError):
        Writer(small, STORY)
    assert small.read_bytes() == before


def test_a_session_left_by_an_exception_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    writer = Writer(path, STORY)
    writer.add(*ONE_OF_EACH[:3])
    writer.__exit__(KeyboardInterrupt)
    taken = capture.read(path)
    assert taken.missing == (Missing("the capture ends early"),)
    assert items_of(taken)[:-1] == list(ONE_OF_EACH[:3])


def test_a_record_cut_short_anywhere_never_passes_for_whole(small: Path, tmp_path: Path) -> None:
    whole = small.read_bytes()
    cut = tmp_path / "cut"
    # The head takes the first line; without all of it, it is no capture. One without its end line is read as far as
    # it goes, and says so.
    head = whole.index(b"\n")
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        if size < head:
            with pytest.raises(CaptureError, match="not a capture"):
                capture.read(cut)
            continue
        taken = capture.read(cut)
        assert taken.missing[-1] == Missing("the capture ends early"), size
        lines = whole[:size].count(b"\n")
        assert len(items_of(taken)) == max(lines - 1, 0) + 1, size
    cut.write_bytes(whole)
    assert Missing("the capture ends early") not in capture.read(cut).missing


def test_a_line_lost_from_the_middle_is_noticed(small: Path) -> None:
    lines = small.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines) - 1):
        small.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        last = len(lines) - 1
        with pytest.raises(CaptureError) as caught:
            capture.read(small)
        assert (
            str(caught.value) == f"{small}:{last}: damaged: {last - 1} lines stand before the end, {last} were written"
        )


def test_nothing_may_follow_the_end(small: Path) -> None:
    last = small.read_bytes().count(b"\n") + 1
    with small.open("a", encoding="utf-8") as file:
        file.write(capture.encode(ONE_OF_EACH[0]))
    with pytest.raises(CaptureError, match=f":{last}: text after the end of the capture; the file was damaged$"):
        capture.read(small)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes"),
        ("[]", "a line that is no JSON object"),
        ("{}", "a line of an unknown kind"),
        ('{"is": "rumour"}', "a line of an unknown kind"),
        ('{"is": ["note"]}', "a line of an unknown kind"),
        ('{"is": "fact", "name": "colour"}', "'colour' is not a valid SecretName"),
        ('{"is": "fact", "name": "size", "more": 1}', "unknown field 'more'"),
        ('{"is": "missing", "what": 1}', "str expected, int found"),
        ('{"is": "claim", "secret": "body", "observer": "server", "exposure": "hidden", "line": true}', "int expected"),
        ('{"is": "secret", "name": "body", "value": "*"}', ""),
        ('{"is": "secret", "name": "body", "value": "", "decoys": ""}', "a list was expected"),
        ('{"is": "note", "observer": "server", "event": "opened", "time": "now"}', "float expected, str found"),
        ('{"is": "note", "observer": "server", "event": "opened", "time": 1' + "0" * 400 + "}", "int too large"),
        ('{"is": "note"}', ""),
        ('{"is": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_line_is_named(small: Path, line: str, why: str) -> None:
    lines = small.read_text("utf-8").split("\n")
    lines[3] = line
    small.write_text("\n".join(lines), "utf-8")
    with pytest.raises(CaptureError) as caught:
        capture.read(small)
    assert str(caught.value).startswith(f"{small}:4: damaged: {why}")


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists)
    | st.dictionaries(
        st.sampled_from([field.name for kind in capture._KINDS.values() for field in dataclasses.fields(kind)]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.text())
        | st.sampled_from([*Observer, *Event]),
    ),
    st.sampled_from([*capture._KINDS, "capture", "end", ""]),
)
def test_no_line_whatsoever_is_more_than_damaged(value: Any, kind: str) -> None:
    if isinstance(value, dict):
        value["is"] = kind
    head = json.dumps({"is": "capture", "format": 1, **capture._fields(STORY)}) + "\n"
    with suppress(CaptureError):  # any other exception fails the test
        taken = capture.parse([head, json.dumps(value) + "\n"], "NAME")
        assert items_of(taken) != []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"{}\n",
        b"hello\n",
        b'{"is": "note"}\n',
        b'{"is": "capture"}\n',
        b'{"is": "capture", "format": "1"}\n',
    ],
)
def test_another_file_is_not_a_capture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        capture.read(path)
    assert str(caught.value) == f"{path}: not a capture; give a file that lab run --captures wrote"


def test_a_file_that_is_no_text_is_not_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(CaptureError, match=r"not a capture \(it is not text\)"):
        capture.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError) as caught:
        capture.read(tmp_path / "nothing")
    assert str(caught.value) == f"{tmp_path / 'nothing'}: cannot be read: No such file or directory"


def test_a_capture_of_a_newer_lab_says_so(small: Path) -> None:
    small.write_bytes(small.read_bytes().replace(b'"format": 3', b'"format": 4', 1))
    with pytest.raises(CaptureError) as caught:
        capture.read(small)
    assert str(caught.value) == f"{small}: capture format 4 is newer than this lab knows (3); update the lab"


def test_a_capture_of_the_first_format_is_read(small: Path) -> None:
    """It knew neither copies of devices nor kinds of encryption."""
    head, *lines, end = small.read_text(encoding="utf-8").rstrip("\n").split("\n")
    fields = json.loads(head)
    del fields["encryption"], fields["padded"]
    before = [line for line in lines if '"is":"device_copy"' not in line]
    ended = json.loads(end) | {"lines": len(before) + 1}
    old = [json.dumps(fields | {"format": 1}), *before, json.dumps(ended)]
    small.write_text("".join(f"{line}\n" for line in old), encoding="utf-8")
    taken = capture.read(small)
    assert taken.story == STORY
    assert items_of(taken) == [one for one in ONE_OF_EACH if not isinstance(one, DeviceCopy)]


def test_a_head_with_a_wrong_word_is_damaged(small: Path) -> None:
    small.write_bytes(small.read_bytes().replace(b'"mode": "tls"', b'"mode": "ssl"', 1))
    with pytest.raises(CaptureError) as caught:
        capture.read(small)
    assert str(caught.value) == f"{small}:1: damaged: 'ssl' is not a valid Mode"


def test_what_a_tap_wrote_is_taken_over_line_by_line(tmp_path: Path) -> None:
    recording = tmp_path / "network.jsonl"
    observed = [item for item in ONE_OF_EACH if isinstance(item, Observation | Note)]
    recording.write_text("".join(capture.encode(item) for item in observed), "utf-8")
    path = tmp_path / "capture"
    with Writer(path, STORY) as writer:
        writer.copy_lines(recording)
    assert items_of(capture.read(path)) == observed


def test_no_more_is_taken_over_than_was_meant(tmp_path: Path) -> None:
    """A tap that goes on may have written more by the time its recording is copied."""
    note = Note(Observer.NETWORK, Event.CHECKPOINT, 1.0, "", "0")
    recording = tmp_path / "tap.jsonl"
    recording.write_text(capture.encode(note), "utf-8")
    size = recording.stat().st_size
    recording.write_text(2 * capture.encode(note), "utf-8")
    for meant, taken in ((size, 1), (size - 1, 0), (2 * size, 2), (None, 2)):
        path = tmp_path / f"{meant}.capture.jsonl"
        with Writer(path, STORY) as writer:
            writer.copy_lines(recording, meant)
        assert capture.read(path).notes == (note,) * taken


def test_the_last_line_of_a_tap_that_was_killed_is_left_out_wherever_it_was_cut(tmp_path: Path) -> None:
    note = ONE_OF_EACH[5]
    assert isinstance(note, Note)
    line = capture.encode(note).encode()
    assert len(line) > len(line.decode()), "some characters take more than one byte"
    for size in range(len(line)):
        recording, path = tmp_path / f"recording-{size}", tmp_path / f"capture-{size}"
        recording.write_bytes(line + line[:size])
        with Writer(path, STORY) as writer:
            writer.copy_lines(recording)
        assert capture.read(path).notes == (note,)
