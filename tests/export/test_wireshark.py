"""What Wireshark makes of the packets: sound in every mode; without keys the network's view, with keys the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.export.key_log import to_key_log
from lab.export.pcapng import to_pcapng
from lab.model import Capture, Deed, Direction, Mode, Observer, SecretName
from lab.record import Record

from .conftest import Tshark

WRONG = (
    "_ws.malformed || _ws.expert.severity >= 0x600000 || tcp.analysis.flags || "
    "ip.checksum.status == 0 || tcp.checksum.status == 0 || tls.alert_message"
)
"""Malformed, a warning or an error, lost, repeated or misordered segments, a checksum that is wrong."""


@pytest.fixture(scope="module", params=Mode)
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param)


@pytest.fixture(scope="module")
def recording(captures: Mapping[Mode, Capture], mode: Mode) -> Capture:
    return captures[mode]


@pytest.fixture(scope="module")
def packets(recording: Capture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packets") / "run.pcapng"
    path.write_bytes(to_pcapng(recording))
    return path


@pytest.fixture(scope="module")
def keys(recording: Capture, mode: Mode, packets: Path) -> tuple[str, ...]:
    """The arguments with which Wireshark decrypts, where there is something to decrypt."""
    if mode is Mode.PLAINTEXT:
        return ()
    path = packets.with_name("run.keys")
    path.write_text(to_key_log(recording), encoding="utf-8")
    return ("-o", f"tls.keylog_file:{path}")


def fields(tshark: Tshark, packets: Path, condition: str, *names: str, more: tuple[str, ...] = ()) -> list[list[str]]:
    wanted = [part for name in names for part in ("-e", name)]
    shown = tshark(packets, *more, "-Y", condition, "-T", "fields", *wanted)
    return [line.split("\t") for line in shown.splitlines()]


def planted(recording: Capture, name: SecretName) -> bytes:
    return next(secret.value for secret in recording.secrets if secret.name is name)


def test_every_packet_is_sound_with_keys_and_without(tshark: Tshark, packets: Path, keys: tuple[str, ...]) -> None:
    for more in ((), keys):
        assert tshark(packets, *more, "-Y", WRONG) == ""
        checked = fields(tshark, packets, "ip", "ip.checksum.status", "tcp.checksum.status", more=more)
        assert len(checked) > 50
        assert {tuple(line) for line in checked} == {("1", "1")}  # good, so it was looked at


def test_every_connection_begins_and_ends_as_tcp_does(tshark: Tshark, packets: Path, recording: Capture) -> None:
    connected = {one.address for one in recording.statements if one.deed is Deed.CONNECTED}
    begun = fields(tshark, packets, "tcp.flags.syn == 1 && tcp.flags.ack == 0", "ip.src", "tcp.srcport")
    assert {f"{host}:{port}" for host, port in begun} == connected
    # 31: handshake in three, data, and FIN from both sides.
    complete = fields(tshark, packets, "tcp.completeness == 31", "tcp.stream")
    assert {stream for (stream,) in complete} == {str(number) for number in range(len(connected))}


def test_without_keys_the_network_sees_what_the_lab_says(
    tshark: Tshark, packets: Path, recording: Capture, mode: Mode
) -> None:
    requests = fields(tshark, packets, "http.request", "http.request.method", "http.request.uri")
    everything = tshark(packets, "-T", "pdml") + tshark(packets, "-T", "jsonraw") + tshark(packets, "-x")
    body = planted(recording, SecretName.BODY)
    if mode is Mode.PLAINTEXT:
        assert ["POST", "/v1/accounts"] in requests
        assert fields(tshark, packets, "tls", "frame.number") == []
        assert body.hex() in everything
        return
    assert requests == []
    assert fields(tshark, packets, "http || json", "frame.number") == []
    names = {
        name for (name,) in fields(tshark, packets, "tls.handshake.type == 1", "tls.handshake.extensions_server_name")
    }
    assert names == {planted(recording, SecretName.SERVICE).decode()}
    assert names.pop() in everything
    for name in (SecretName.BODY, SecretName.PASSWORD, SecretName.SENDER):
        assert planted(recording, name).decode() not in everything
        assert planted(recording, name).hex() not in everything


def test_with_keys_every_request_appears(
    tshark: Tshark, packets: Path, keys: tuple[str, ...], recording: Capture
) -> None:
    shown = fields(
        tshark, packets, "http.request", "http.request.method", "http.request.uri", "http.request.version", more=keys
    )
    lines = sorted(exchange.line for exchange in Record(recording, Observer.SERVER).exchanges)
    assert sorted(" ".join(line) for line in shown) == lines


def test_with_keys_the_message_appears_unless_it_is_end_to_end_encrypted(
    tshark: Tshark, packets: Path, keys: tuple[str, ...], recording: Capture, mode: Mode
) -> None:
    body = planted(recording, SecretName.BODY).decode()
    texts = fields(tshark, packets, "http.request", "json.value.string", more=keys)
    sent = [line for line in texts if any(body in value for value in line)]
    assert len(sent) == (0 if mode is Mode.E2EE else 1)
    # The connection that brings the message to the recipient never ends its answer, so Wireshark gives out its pieces.
    everything = tshark(packets, *keys, "-T", "pdml")
    arrived = [
        one
        for one in recording.observations
        if (one.observer, one.direction) == (Observer.SERVER, Direction.TO_CLIENT) and body.encode() in one.data
    ]
    assert len(arrived) == (0 if mode is Mode.E2EE else 1)
    assert (body.encode().hex() in everything) is (mode is not Mode.E2EE)


def test_times_are_those_of_the_record(tshark: Tshark, packets: Path, recording: Capture) -> None:
    shown = [float(time) for (time,) in fields(tshark, packets, "tcp.len > 0", "frame.time_epoch")]
    times = sorted(one.time for one in recording.observations if one.observer is Observer.NETWORK)
    assert shown == pytest.approx(times, abs=1e-6)


@pytest.mark.parametrize("offset", [8, 24], ids=["time to live", "sequence number"])
def test_what_is_not_sound_would_be_seen(tshark: Tshark, packets: Path, tmp_path: Path, offset: int) -> None:
    data = bytearray(packets.read_bytes())
    data[-44 + offset] ^= 1  # in the last packet: 40 bytes, then the length of its block
    spoilt = tmp_path / "spoilt.pcapng"
    spoilt.write_bytes(data)
    assert tshark(spoilt, "-Y", WRONG) != ""
