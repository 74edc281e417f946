"""The second opinion reads what was really sent: a message out of a recording, opened by python-doubleratchet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import capture, mail
from lab.e2ee.agreement import FirstHeader, respond
from lab.e2ee.codec import Reader
from lab.e2ee.device import DeviceState
from lab.e2ee.identity import DeviceKeys
from lab.e2ee.prekeys import PreKeys
from lab.e2ee.protocol import VERSION, Kind
from lab.model import Capture, Observer, SecretName
from lab.record import Record
from lab.scenario import parse
from lab.scenario.director import play
from lab.stage.stage import Stage

from .witness import REFUSALS, Witness

LESSON = """# Feature: A message on the wire

## Scenario: Bob's keys are known from the start

* Given a message service in e2ee mode with {encryption}
* And the secrets later
* When somebody copies the device of bob
* And alice sends bob the later text "Meet me at 5pm"
* And alice sends bob "Or at six"
* Then the observers can read

  |       | network | server | database | device  |
  | ----- | ------- | ------ | -------- | ------- |
  | later | hidden  | hidden | hidden   | exposed |
"""


def recorded(stage: Stage, folder: Path, encryption: str) -> Capture:
    lesson = parse(LESSON.format(encryption=encryption), Path("wire.feature.md"))
    play(lesson, lesson.scenarios[0], stage, folder / "wire", lambda _: None)
    return capture.read(folder / "wire")


@pytest.mark.parametrize("encryption", ["pqxdh", "x3dh"])
def test_another_implementation_opens_what_was_captured(stage: Stage, tmp_path: Path, encryption: str) -> None:
    recording = recorded(stage, tmp_path, encryption)
    exchanges = Record(recording, Observer.SERVER).exchanges
    devices = {(one.account, one.device): one for found in mail.device_lists(exchanges) for one in found.devices}
    (copy,) = recording.copies
    held = Reader(DeviceState.from_bytes(copy.state).device)
    keys, prekeys = DeviceKeys.from_bytes(held.block()), PreKeys.from_bytes(held.block())

    bodies: list[bytes] = []
    witness: Witness | None = None
    for carried in mail.messages(exchanges):
        ((address, envelope),) = carried.envelopes
        assert address == (copy.account, copy.number)
        reader = Reader(envelope)
        assert (reader.number(1), reader.number(1)) == (VERSION, Kind.FIRST)
        header = FirstHeader.from_reader(reader)
        message = reader.rest()
        if witness is None:
            agreed = respond(keys, prekeys, devices[carried.sender], header)
            witness = Witness.responder(agreed.secret, agreed.ratchet_key, agreed.associated_data)
        bodies.append(witness.decrypt(message))
        with pytest.raises(REFUSALS):
            witness.decrypt(message)
    first, second = (json.loads(body)["text"] for body in bodies)
    (planted,) = (one.value.decode() for one in recording.secrets if one.name is SecretName.LATER)
    assert first == planted
    assert second.startswith("Or at six")
