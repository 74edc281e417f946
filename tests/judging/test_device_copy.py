"""Somebody has a copy of Bob's phone and everything that the server recorded: what opens, and what does not."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lab import capture, device_copy
from lab.e2ee.device import DeviceState
from lab.e2ee.protocol import E2EEError
from lab.e2ee.ratcheted import Ratcheted
from lab.matrix import judge
from lab.model import Capture, Direction, Encryption, Exposure, LabError, Observer, SecretName
from lab.scenario import parse
from lab.scenario.director import play
from lab.stage.stage import Stage

from .recordings import about, cells

STORY = """# Feature: A copied device

## Scenario: Bob's phone is copied

* Given a message service in e2ee mode with {encryption}
{padding}* And the secrets earlier, later and healed
* When alice sends bob the earlier text "The key is under the mat"
* And somebody copies the device of {owner}
* And alice sends bob the later text "It is under the pot now"
* And bob sends alice "Thanks"
* And alice sends bob "Welcome"
* And bob sends alice "Bye"
* And alice sends bob the healed text "It is in the shed"
* Then the observers can read

  |         | network | server | database | device |
  | ------- | ------- | ------ | -------- | ------ |
  | earlier | hidden  | hidden | hidden   | hidden |
  | later   | hidden  | hidden | hidden   | hidden |
  | healed  | hidden  | hidden | hidden   | hidden |
"""

TEXTS = (SecretName.EARLIER, SecretName.LATER, SecretName.HEALED)
EXPOSED, HIDDEN, INCONCLUSIVE = Exposure.EXPOSED, Exposure.HIDDEN, Exposure.INCONCLUSIVE

type Record = Callable[..., Capture]


@functools.cache
def held(stage: Stage, encryption: Encryption, owner: str, padding: str) -> Capture:
    """One conversation on real taps, recorded once."""
    lesson = parse(STORY.format(encryption=encryption, owner=owner, padding=padding), Path("copied.feature.md"))
    with TemporaryDirectory(prefix="lab-tests-") as folder:
        path = Path(folder) / "copied"
        play(lesson, lesson.scenarios[0], stage, path, lambda _: None)
        return capture.read(path)


@pytest.fixture
def record(stage: Stage) -> Record:
    def record(encryption: Encryption = Encryption.PQXDH, owner: str = "bob", padding: str = "") -> Capture:
        return held(stage, encryption, owner, padding)

    return record


def verdicts(recording: Capture) -> Mapping[SecretName, Exposure]:
    return {name: cell.exposure for name, cell in cells(of_device(recording)).items()}


def of_device(recording: Capture) -> Capture:
    return about(recording, Observer.DEVICE, frozenset(TEXTS))


@pytest.mark.parametrize("encryption", [Encryption.PQXDH, Encryption.X3DH])
def test_the_ratchet_keeps_what_was_before_and_heals_afterwards(record: Record, encryption: Encryption) -> None:
    opened = verdicts(record(encryption))
    assert opened == {SecretName.EARLIER: HIDDEN, SecretName.LATER: EXPOSED, SecretName.HEALED: HIDDEN}


def test_another_implementation_gives_the_same_matrix(record: Record) -> None:
    """Olm, by vodozemac: what observers see does not depend on our own code."""
    ours, other = (judge(record(encryption)) for encryption in (Encryption.PQXDH, Encryption.OLM))
    assert all(control.passed for matrix in (ours, other) for control in matrix.controls)
    found = [{(cell.secret, cell.observer): cell.exposure for cell in matrix.cells} for matrix in (ours, other)]
    assert found[0] == found[1]


@pytest.mark.parametrize("encryption", [Encryption.STATIC, Encryption.CTR, Encryption.RSA])
def test_keys_that_never_change_open_everything(record: Record, encryption: Encryption) -> None:
    assert set(verdicts(record(encryption)).values()) == {EXPOSED}


def test_the_senders_copy_opens_what_she_sends_next(record: Record) -> None:
    """The copy has her sending chain; what she sent before is gone from it."""
    opened = verdicts(record(owner="alice"))
    assert opened == {SecretName.EARLIER: HIDDEN, SecretName.LATER: EXPOSED, SecretName.HEALED: HIDDEN}


def test_padding_changes_nothing_about_it(record: Record) -> None:
    padded = record(padding="* And texts are padded\n")
    assert padded.story.padded
    assert verdicts(padded) == verdicts(record())


def test_without_a_copy_nothing_opens(record: Record) -> None:
    nobody = replace(record(Encryption.RSA), copies=())
    assert device_copy.with_copies(nobody) is nobody
    assert set(verdicts(nobody).values()) == {INCONCLUSIVE}
    assert "no device was copied" in cells(of_device(nobody))[SecretName.LATER].reason


def test_another_devices_copy_opens_nothing_of_theirs(record: Record) -> None:
    """The copy of a phone from another conversation: the same method, the wrong keys."""
    strangers = replace(record(), copies=record(Encryption.X3DH).copies)
    assert set(verdicts(strangers).values()) == {HIDDEN}


def test_where_the_servers_record_has_a_hole_nothing_is_hidden(record: Record) -> None:
    whole = record()
    posts = [
        one.exchange
        for one in whole.observations
        if one.place == "http.request_line" and b"/messages " in one.data and one.direction is Direction.TO_SERVICE
    ]
    holed = replace(
        whole,
        observations=tuple(
            one for one in whole.observations if one.observer is not Observer.SERVER or one.exchange != posts[0]
        ),
    )
    assert HIDDEN not in verdicts(holed).values()


def test_a_method_that_opens_nothing_proves_nothing(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin of every `hidden`: a message planted for the copied device must open."""
    detects = [one for one in judge(of_device(record())).controls if one.name == "detects"]
    assert [one.passed for one in detects] == [True] * len(TEXTS)

    def fails(*_: object) -> None:
        raise E2EEError("on purpose")

    monkeypatch.setattr(Ratcheted, "open", fails)
    assert set(verdicts(record()).values()) == {INCONCLUSIVE}


def test_a_copy_that_names_another_device_is_refused(record: Record) -> None:
    whole = record()
    (copy,) = whole.copies
    renamed = replace(DeviceState.from_bytes(copy.state), account="somebody-else")
    with pytest.raises(LabError, match="names another device"):
        judge(replace(whole, copies=(replace(copy, state=renamed.to_bytes()),)))


def test_a_secret_that_fits_into_no_message_is_not_called_hidden(record: Record) -> None:
    """RSA seals 190 bytes: a longer secret cannot be planted, so nothing can be said about it."""
    recording = record(Encryption.RSA)
    long = tuple(
        replace(one, value=_long(one.value), decoys=tuple(map(_long, one.decoys))) for one in recording.secrets
    )
    assert set(verdicts(replace(recording, secrets=long)).values()) == {INCONCLUSIVE}


def _long(value: bytes) -> bytes:
    """Another value, no piece of which was ever sent."""
    return hashlib.sha512(value).hexdigest().encode() + hashlib.sha384(value).hexdigest().encode()


@pytest.mark.parametrize("state", [b"", b"\x01", bytes(200)])
def test_a_damaged_copy_is_an_error_in_one_line(record: Record, state: bytes) -> None:
    whole = record()
    damaged = replace(whole, copies=(replace(whole.copies[0], state=state),))
    with pytest.raises(LabError, match=r"^the copy of the device of bob is damaged: [^\n]+$"):
        judge(damaged)


def test_the_same_recording_gives_the_same_matrix(record: Record, forget: Callable[[], None]) -> None:
    first = judge(record())
    forget()
    assert judge(record()) == first
