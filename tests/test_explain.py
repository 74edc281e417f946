"""`lab explain`: a recorded message taken apart, and who can read which part of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import mail
from lab.e2ee.anatomy import anatomy
from lab.model import Direction, Encryption, Mode, Observation, Observer
from lab.record import Exchange, Record
from tests.by_hand import START, Address, Conversation, base64_of, dumped
from tests.test_cli import Said

ALICE, BOB, TABLET, CAROL = ("alice", 1), ("bob", 1), ("bob", 2), ("carol", 1)
TEXT = b"Meet me at 5pm"


def told() -> tuple[Conversation, bytes]:
    """Alice writes to Bob's two devices, he answers, and then she writes to him and Carol as to a group.

    With it the first envelope of all.
    """
    story = Conversation()
    story.join("alice")
    story.join("bob", 1, 2)
    story.join("carol")
    first = story.seal(ALICE, BOB, TEXT)
    story.post(ALICE, {BOB: first, TABLET: story.seal(ALICE, TABLET, TEXT)})
    story.open(ALICE, BOB, first)
    story.post(BOB, {ALICE: story.seal(BOB, ALICE, b"See you there")})
    new = {CAROL: story.seal(ALICE, CAROL, b"the sender key")}
    story.post(ALICE, {BOB: None, TABLET: None, **new}, story.seal_for_all(ALICE, b"All of us, at 5pm"))
    return story, first


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told()[0].written(tmp_path_factory.mktemp("recording"))


def words(text: str) -> str:
    """Text as if the terminal were endlessly wide."""
    return " ".join(text.split())


def listed(printed: str) -> list[list[str]]:
    """The lines of the list of messages."""
    lines = printed.split("kind  ")[1].split("\n\n")[0].splitlines()[1:]
    return [line.split() for line in lines if line.strip()]


# What is printed


def test_all_messages_are_listed_with_time_devices_kinds_and_sizes(
    capsys: pytest.CaptureFixture[str], recording: Path
) -> None:
    said = Said(capsys, "explain", str(recording))
    assert (said.status, said.err) == (0, "")
    lines = listed(said.out)
    assert [line[:5] for line in lines if line[0].isdigit()] == [
        ["1", "14:13:21.000", "UTC", "alice/1", "bob/1"],
        ["2", "14:13:22.000", "UTC", "bob/1", "alice/1"],
        ["3", "14:13:23.000", "UTC", "alice/1", "carol/1"],
    ]
    assert [line[-2] for line in lines] == ["first", "first", "message", "first", "group"]
    assert [int(line[-1]) for line in lines] == [1685, 1685, 71, 1685, 111]
    assert lines[1][0] == "bob/2"
    assert lines[-1][:-2] == ["bob/1,", "bob/2,", "carol/1"], "what is shared is for those with no envelope, too"


def test_the_first_message_is_explained_unless_another_one_is_wanted(
    capsys: pytest.CaptureFixture[str], recording: Path
) -> None:
    assert "Message 1, alice/1 to bob/1: first, 1685 bytes" in Said(capsys, "explain", str(recording)).out
    second = Said(capsys, "explain", str(recording), "--message", "2").out
    assert "Message 2, bob/1 to alice/1: message, 71 bytes" in second
    assert "Messages in" not in second
    assert "Message 1" not in second


def test_each_field_has_a_row_with_its_place_and_its_bytes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    story, envelope = told()
    out = Said(capsys, "explain", str(story.written(tmp_path)), "--message", "1").out
    rows = [line.split(maxsplit=3) for line in out.splitlines() if line[:12].strip() and line[4:5].isdigit()]
    fields = anatomy(envelope)
    assert [(int(row[0]), int(row[1]), row[3].strip()) for row in rows] == [
        (field.start, field.end - field.start, field.name) for field in fields
    ]
    for row, field in zip(rows, fields, strict=True):
        start, _, end = row[2].partition("..")
        assert envelope[field.start : field.end].hex().startswith(start)
        assert envelope[field.start : field.end].hex().endswith(end)
    for field in fields:
        assert field.meaning in words(out)


def test_each_row_says_who_can_read_it_and_why(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    out = words(Said(capsys, "explain", str(recording)).out)
    assert out.count("network no: TLS encrypts the whole request server ") == len(anatomy(told()[1]))
    assert "server yes: it handed that key out itself recipient yes: it must know" in out
    assert "server no: it has no key; only the length shows" in out


def test_of_each_kind_in_a_message_one_envelope_is_explained(
    capsys: pytest.CaptureFixture[str], recording: Path
) -> None:
    third = Said(capsys, "explain", str(recording), "--message", "3").out
    headings = [line for line in third.splitlines() if line.startswith("Message")]
    assert headings == [
        "Message 3, alice/1 to carol/1: first, 1685 bytes",
        "Message 3, alice/1 to bob/1, bob/2, carol/1: group, 111 bytes",
    ]
    assert "An Ed25519 signature over all of it." in third
    first = Said(capsys, "explain", str(recording), "--message", "1").out
    assert first.count("Message 1") == 1, "the tablet's has the same fields"


def test_the_observers_own_messages_before_the_story_are_listed_and_passed_over(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    story = Conversation()
    for who in ("observer", "alice", "bob"):
        story.join(who)
    own = ("observer", 1)
    story.post(own, {BOB: story.seal(own, BOB, b"how long does this look?")})
    only = Said(capsys, "explain", str(story.written(tmp_path))).out
    assert "Message 1, observer/1 to bob/1" in only
    story.post(ALICE, {BOB: story.seal(ALICE, BOB, TEXT)})
    (tmp_path / "both").mkdir()
    both = Said(capsys, "explain", str(story.written(tmp_path / "both"))).out
    assert [line[3] for line in listed(both)] == ["observer/1", "alice/1"]
    assert "Message 2, alice/1 to bob/1" in both
    assert "Message 1" not in both


def test_nothing_that_was_written_is_in_it(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    out = Said(capsys, "explain", str(recording)).out
    assert TEXT.decode() not in out
    assert TEXT.hex() not in out


@pytest.mark.parametrize(
    ("encryption", "sentence"),
    [
        (Encryption.OLM, "This was made by Olm or Megolm"),
        (Encryption.STATIC, "keys that never change"),
        (Encryption.CTR, "can flip any bit of the text"),
        (Encryption.RSA, "the text under the recipient's RSA key and nothing else"),
    ],
)
def test_of_another_encryption_it_says_what_it_is_and_shows_the_bytes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, encryption: Encryption, sentence: str
) -> None:
    if encryption is Encryption.OLM:
        pytest.importorskip("vodozemac", reason="the extra olm is not installed")
    story = Conversation(encryption)
    story.join("alice")
    story.join("bob")
    envelope = story.seal(ALICE, BOB, TEXT)
    story.post(ALICE, {BOB: envelope})
    said = Said(capsys, "explain", str(story.written(tmp_path)))
    assert said.status == 0
    assert sentence in words(said.out)
    assert f"Message 1, alice/1 to bob/1: {encryption}, {len(envelope)} bytes" in said.out
    assert envelope.hex(" ") in " ".join(" ".join(line.split()[1:]) for line in said.out.splitlines())
    assert "recipient yes:" not in said.out


def test_of_what_no_device_would_accept_the_reason_and_the_bytes_are_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    story = Conversation()
    story.join("alice")
    story.join("bob")
    story.post(ALICE, {BOB: b"\x01\x09" + bytes(600)})
    said = Said(capsys, "explain", str(story.written(tmp_path)))
    assert said.status == 0
    assert "No fields can be named: not an envelope of a known version and kind." in words(said.out)
    assert "  01 09 00 00" in said.out
    assert "512  and 90 bytes more" in said.out
    assert "unknown" in listed(said.out)[0]


# What cannot be explained: one line


def test_a_message_that_is_not_there(capsys: pytest.CaptureFixture[str], recording: Path) -> None:
    for number in ("0", "-1", "4"):
        said = Said(capsys, "explain", str(recording), "--message", number)
        assert (said.status, said.out) == (2, "")
        assert said.err == f"lab: {recording}: there is no message {number}; they are numbered from 1 to 3\n"


def test_a_recording_without_end_to_end_encryption(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = Conversation(mode=Mode.TLS).written(tmp_path)
    said = Said(capsys, "explain", str(path))
    assert (said.status, said.out) == (2, "")
    words = "in tls mode nothing is end-to-end encrypted; give a recording in e2ee mode"
    assert said.err == f"lab: {path}: {words}\n"


def test_a_recording_without_messages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = Conversation().written(tmp_path)
    said = Said(capsys, "explain", str(path))
    assert (said.status, said.out) == (2, "")
    assert said.err == f"lab: {path}: the server's record has no end-to-end encrypted message\n"


# The messages as `lab.mail` finds them, in what a hostile server may have recorded as well


def carried(story: Conversation) -> tuple[mail.Carried, ...]:
    return tuple(mail.messages(Record(story.recorded(), Observer.SERVER).exchanges))


def test_a_message_has_its_devices_its_envelopes_and_the_services_time() -> None:
    story, envelope = told()
    first, _, third = carried(story)

    def address(of: Address) -> mail.Address:
        return story.account(of[0]), of[1]

    assert (first.sender, first.time) == (address(ALICE), START + 1)
    assert first.envelopes[0] == (address(BOB), envelope)
    assert first.recipients == (address(BOB), address(TABLET))
    assert third.recipients == (address(BOB), address(TABLET), address(CAROL))
    assert [to for to, _ in third.envelopes] == [address(CAROL)]
    assert third.shared != b""


def test_a_message_that_nobody_was_given_is_left_out_as_its_sender_is_not_known() -> None:
    story = Conversation()
    story.join("alice")
    story.join("bob")
    story.post(ALICE, {BOB: story.seal(ALICE, BOB, TEXT)}, delivered=False)
    assert carried(story) == ()


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"envelopes": 7},
        {"envelopes": [7, None, {"recipient": 7, "device": 1}, {"recipient": "bob", "device": "one"}]},
        {"envelopes": {"recipient": "bob"}, "shared": ["AQ=="]},
    ],
)
def test_what_is_no_message_has_no_envelopes(request_: dict[str, object]) -> None:
    posted = dumped({"id": "1", "time": float("nan")})
    delivered = b"data: " + dumped({"id": "1", "sender": "alice", "device": 1}) + b"\n"
    exchanges = [
        Exchange("POST /v1/conversations/a/messages HTTP/1.1", dumped(request_), posted, whole=True),
        Exchange("GET /v1/events HTTP/1.1", b"", delivered + b"data: [\ndata: 7\n", whole=True),
    ]
    assert list(mail.messages(exchanges)) == [mail.Carried("a", ("alice", 1), ())]
    assert list(mail.messages([replace(exchanges[0], answer=b'{"id": ["1"]}'), exchanges[1]])) == []


def test_a_device_list_counts_if_its_signature_is_valid() -> None:
    story = Conversation()
    story.join("alice")
    whole = story.device_list("alice")
    story.hand_out("alice", whole[:-1] + bytes([whole[-1] ^ 1]))
    story.hand_out("alice", b"")
    (found,) = mail.device_lists(Record(story.recorded(), Observer.SERVER).exchanges)
    assert found.account == story.account("alice")
    assert found.account_key == story.account_keys["alice"].public_key().public_bytes_raw()


def test_files_are_found_by_the_name_that_the_service_gave_them() -> None:
    parts = [
        (Direction.TO_SERVICE, "http.request_line", b"POST /v1/blobs HTTP/1.1"),
        (Direction.TO_SERVICE, "http.body", b"sealed"),
        (Direction.TO_CLIENT, "http.body", dumped({"id": "blob-1"})),
    ]
    observations = (Observation(Observer.SERVER, place, "1", way, 0.0, data, 1) for way, place, data in parts)
    recording = replace(Conversation().recorded(), observations=tuple(observations))
    assert mail.blobs(Record(recording, Observer.SERVER).exchanges) == {"blob-1": b"sealed"}


def test_base64_that_is_none_is_nothing() -> None:
    assert mail.from_base64(base64_of(b"ab")) == b"ab"
    assert mail.from_base64("*") == mail.from_base64(None) == mail.from_base64("ü") == b""
