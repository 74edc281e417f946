"""The participants' TLS keys: they are in the recording, open its connections, and have no say in any verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lab.detect import tls
from lab.export.key_log import to_key_log
from lab.matrix import judge
from lab.model import Capture, Direction, LabError, Mode, Observer
from lab.record import Record

ENCRYPTED = [Mode.TLS, Mode.E2EE]


def client_randoms(recording: Capture) -> set[str]:
    """What names each TLS connection: it stands in the client's first message, which the network can read."""
    firsts = [one.data for one in Record(recording, Observer.NETWORK).streams if one.direction is Direction.TO_SERVICE]
    assert all(tls.records(first) for first in firsts)
    return {first[11:43].hex() for first in firsts}  # RFC 8446, 4.1.2, after the headers of record and handshake


@pytest.mark.parametrize("mode", ENCRYPTED)
def test_every_recorded_connection_has_its_keys(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    recording = captures[mode]
    assert [keys.who for keys in recording.tls_keys].count("alice") == 1
    assert {keys.who for keys in recording.tls_keys} == {one.who for one in recording.statements}
    lines = [line.split() for line in to_key_log(recording).splitlines() if not line.startswith("#")]
    for label in ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"):
        assert {random for name, random, _ in lines if name == label} == client_randoms(recording)


@pytest.mark.parametrize("mode", ENCRYPTED)
def test_no_observer_has_them(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    recording = captures[mode]
    lines = [line for keys in recording.tls_keys for line in keys.lines.splitlines()]
    assert len(lines) > 4
    for line in lines:
        secret = line.split()[2]
        for one in recording.observations:
            assert secret.encode() not in one.data
            assert bytes.fromhex(secret) not in one.data


@pytest.mark.parametrize("mode", ENCRYPTED)
def test_verdicts_are_the_same_without_them(captures: Mapping[Mode, Capture], mode: Mode) -> None:
    assert captures[mode].tls_keys
    assert judge(replace(captures[mode], tls_keys=())) == judge(captures[mode])


def test_the_names_of_their_holders_are_comments(captures: Mapping[Mode, Capture]) -> None:
    comments = [line for line in to_key_log(captures[Mode.TLS]).splitlines() if line.startswith("#")]
    assert {"# alice", "# bob"} <= set(comments)
    assert len(comments) == len(captures[Mode.TLS].tls_keys)


def test_in_plaintext_there_are_none(captures: Mapping[Mode, Capture]) -> None:
    assert captures[Mode.PLAINTEXT].tls_keys == ()
    with pytest.raises(LabError, match="no TLS keys in plaintext mode"):
        to_key_log(captures[Mode.PLAINTEXT])


def test_a_recording_without_keys_says_so(captures: Mapping[Mode, Capture]) -> None:
    with pytest.raises(LabError, match="holds no TLS keys"):
        to_key_log(replace(captures[Mode.TLS], tls_keys=()))
