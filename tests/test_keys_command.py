"""`lab keys`: what two participants would compare, and what a recording says about whose keys those are."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab import cli
from lab.e2ee.device import DeviceState
from lab.e2ee.fingerprint import Party, groups, matches, qr_payload, safety_number
from lab.model import DeviceCopy, Encryption, LabError, Mode
from lab.safety import comparisons
from tests.by_hand import START, Conversation
from tests.test_cli import Said


@pytest.fixture
def story() -> Conversation:
    told = Conversation()
    told.join("alice")
    told.join("bob")
    return told


def party(story: Conversation, who: str, key: Ed25519PrivateKey | None = None) -> Party:
    public = (key or story.account_keys[who]).public_key()
    return Party.of_account(story.account(who), public.public_bytes_raw())


def numbers(printed: str) -> list[tuple[str, ...]]:
    """Every safety number in what was printed, as its groups."""
    rows = [line.split() for line in printed.splitlines() if line.startswith(" " * 6)]
    digits = [group for row in rows for group in row]
    return [tuple(digits[at : at + 12]) for at in range(0, len(digits), 12)]


def codes(printed: str) -> list[list[str]]:
    """Every code in what was printed, as its lines."""
    found: list[list[str]] = [[]]
    for line in printed.splitlines():
        if line[2:3] in ("█", "▀"):
            found[-1].append(line[2:])
        elif found[-1]:
            found.append([])
    return [lines for lines in found if lines]


def modules(drawn: list[str]) -> list[list[int]]:
    """What a camera sees: two rows of modules in each line, the drawn ones light."""
    light = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
    return [[light[character][half] for character in line] for line in drawn for half in (0, 1)]


# One number


def test_both_phones_would_show_this_number_in_twelve_groups_of_five(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path
) -> None:
    said = Said(capsys, "keys", str(story.written(tmp_path)), "alice", "bob")
    assert (said.status, said.err) == (0, "")
    (number,) = numbers(said.out)
    assert number == groups(safety_number(party(story, "bob"), party(story, "alice")))
    assert len(number) == 12
    assert all(len(group) == 5 and group.isdigit() for group in number)
    for who in ("alice", "bob"):
        assert f"  {who:<5}  {story.account_keys[who].public_key().public_bytes_raw().hex()}\n" in said.out
    assert "identity" not in said.out


def test_the_number_is_the_same_the_other_way_round_and_the_code_is_the_other_ones(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path
) -> None:
    path = str(story.written(tmp_path))
    there, back = (Said(capsys, "keys", path, *names).out for names in (("alice", "bob"), ("bob", "alice")))
    assert numbers(there) == numbers(back)
    assert codes(there) != codes(back)
    (one,), (other,) = (comparisons(story.recorded(), *names) for names in (("alice", "bob"), ("bob", "alice")))
    assert matches(one.code, other.code)
    assert one.code == qr_payload(party(story, "alice"), party(story, "bob"))


def test_what_is_drawn_is_the_code_with_its_margin(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path
) -> None:
    (drawn,) = codes(Said(capsys, "keys", str(story.written(tmp_path)), "alice", "bob").out)
    wanted = segno.make_qr(qr_payload(party(story, "alice"), party(story, "bob")), mode="byte")
    rows = [list(row) for row in wanted.matrix_iter(border=4)]
    assert modules(drawn)[: len(rows)] == rows
    assert len(modules(drawn)) - len(rows) in (0, 1)


def test_a_terminal_that_cannot_show_blocks_gets_the_bytes(
    monkeypatch: pytest.MonkeyPatch, story: Conversation, tmp_path: Path
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    assert cli.main(["keys", str(story.written(tmp_path)), "alice", "bob"]) == 0
    printed = written.getvalue().decode("ascii")
    assert qr_payload(party(story, "alice"), party(story, "bob")).hex() in "".join(printed.split())
    assert len(numbers(printed)) == 1


def test_it_works_with_every_encryption_since_the_account_keys_are_the_same_kind(tmp_path: Path) -> None:
    told = Conversation(Encryption.STATIC)
    told.join("alice")
    told.join("bob")
    (found,) = comparisons(told.recorded(), "alice", "bob")
    assert found.number == safety_number(party(told, "alice"), party(told, "bob"))


def test_a_device_that_is_added_changes_nothing(story: Conversation) -> None:
    before = comparisons(story.recorded(), "alice", "bob")
    story.devices["bob", 2] = story.engine.create(story.account("bob"), 2)
    story.hand_out("bob", story.device_list("bob"))
    assert comparisons(story.recorded(), "alice", "bob") == before


# More than one


def test_a_new_account_key_is_told_and_both_numbers_are_shown(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path
) -> None:
    old = story.account_keys["bob"]
    story.join("bob")
    said = Said(capsys, "keys", str(story.written(tmp_path)), "alice", "bob")
    assert said.status == 0
    words = " ".join(said.out.split())
    assert "The recording shows 2 account keys of bob: the identity changed." in words
    assert "account keys of alice" not in words
    alice = party(story, "alice")
    assert numbers(said.out) == [
        groups(safety_number(alice, party(story, "bob", old))),
        groups(safety_number(alice, party(story, "bob"))),
    ]
    assert len(codes(said.out)) == 2


def test_a_service_that_hands_each_of_them_a_key_of_its_own_is_seen_with_all_that_their_phones_show(
    story: Conversation,
) -> None:
    false = {who: Ed25519PrivateKey.generate() for who in ("alice", "bob")}
    for who, key in false.items():
        story.hand_out(who, story.device_list(who, key))
    found = {one.number for one in comparisons(story.recorded(), "alice", "bob")}
    on_her_phone = safety_number(party(story, "alice"), party(story, "bob", false["bob"]))
    on_his_phone = safety_number(party(story, "alice", false["alice"]), party(story, "bob"))
    assert {on_her_phone, on_his_phone} < found
    assert on_her_phone != on_his_phone


def copy_of(story: Conversation, who: str, **about: object) -> DeviceCopy:
    state = DeviceState(story.account(who), 1, **about)  # type: ignore[arg-type]
    return DeviceCopy(who, story.account(who), 1, START, state.to_bytes())


def test_a_key_that_only_a_copied_device_trusts_counts_too(story: Conversation) -> None:
    hidden = Ed25519PrivateKey.generate()
    trusted = {story.account("bob"): story.device_list("bob", hidden)}
    own = story.account_keys["alice"].private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    story.copies.append(copy_of(story, "alice", account_key=own, contacts=trusted))
    first, second = comparisons(story.recorded(), "alice", "bob")
    assert first.other.key == story.account_keys["bob"].public_key().public_bytes_raw()
    assert second.other.key == hidden.public_key().public_bytes_raw()
    assert first.one == second.one, "her own key is known already"


def test_a_damaged_copy_says_nothing(story: Conversation) -> None:
    before = comparisons(story.recorded(), "alice", "bob")
    story.copies.append(DeviceCopy("alice", story.account("alice"), 1, START, b"damaged"))
    story.copies.append(copy_of(story, "alice", contacts={story.account("bob"): b"damaged"}))
    assert comparisons(story.recorded(), "alice", "bob") == before


# What cannot be shown: one line


def test_the_observers_own_accounts_are_nobody_to_compare_with(story: Conversation) -> None:
    story.join("observer")
    with pytest.raises(LabError, match=r"known: alice, bob$"):
        comparisons(story.recorded(), "observer", "alice")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("alcie", "bob"), "alcie: no participant of this name in the recording; did you mean alice?"),
        (("alice", "zzz"), "zzz: no participant of this name in the recording; known: alice, bob"),
        (("bob", "bob"), "bob and bob are the same participant; a safety number is between two"),
    ],
)
def test_somebody_who_is_not_there(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path, names: tuple[str, str], words: str
) -> None:
    path = story.written(tmp_path)
    said = Said(capsys, "keys", str(path), *names)
    assert (said.status, said.out, said.err) == (2, "", f"lab: {path}: {words}\n")


def test_a_participant_whose_list_was_not_recorded(
    capsys: pytest.CaptureFixture[str], story: Conversation, tmp_path: Path
) -> None:
    story.observations = [one for one in story.observations if one.exchange == 1]
    path = story.written(tmp_path)
    said = Said(capsys, "keys", str(path), "alice", "bob")
    assert (said.status, said.out) == (2, "")
    assert said.err == f"lab: {path}: the server's record has no signed device list of bob\n"


def test_a_recording_without_end_to_end_encryption(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = Conversation(mode=Mode.PLAINTEXT).written(tmp_path)
    said = Said(capsys, "keys", str(path), "alice", "bob")
    assert (said.status, said.out) == (2, "")
    words = "in plaintext mode nothing is end-to-end encrypted; give a recording in e2ee mode"
    assert said.err == f"lab: {path}: {words}\n"
