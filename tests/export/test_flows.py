"""The flows, as mitmproxy itself reads them: both observers' views, comments, marks."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader
from mitmproxy.tcp import TCPFlow

from lab.export.flows import to_flows
from lab.model import Capture, Direction, Event, LabError, Mode, Note, Observer, Secret, SecretName
from lab.record import Record


def flows(file: bytes) -> list[Flow]:
    return list(FlowReader(io.BytesIO(file)).stream())  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def files(captures: Mapping[Mode, Capture]) -> Mapping[Mode, bytes]:
    return {mode: to_flows(recording) for mode, recording in captures.items()}


def body(recording: Capture) -> bytes:
    return next(secret.value for secret in recording.secrets if secret.name is SecretName.BODY)


@pytest.mark.parametrize("mode", Mode)
def test_both_views_are_there_and_say_whose_they_are(
    files: Mapping[Mode, bytes], captures: Mapping[Mode, Capture], mode: Mode
) -> None:
    found = flows(files[mode])
    assert [flow.timestamp_created for flow in found] == sorted(flow.timestamp_created for flow in found)
    https = [flow for flow in found if isinstance(flow, HTTPFlow)]
    tcps = [flow for flow in found if isinstance(flow, TCPFlow)]
    assert len(found) == len(https) + len(tcps) == len({flow.id for flow in found})
    assert all(flow.comment.startswith("server observer, connection ") for flow in https)
    assert all(flow.comment.startswith("network observer, connection ") for flow in tcps)
    recorded = sorted((one.request, one.answer) for one in Record(captures[mode], Observer.SERVER).exchanges)
    assert sorted((flow.request.content, flow.response.content) for flow in https if flow.response) == recorded
    scheme = "http" if mode is Mode.PLAINTEXT else "https"
    host = next(secret.value for secret in captures[mode].secrets if secret.name is SecretName.SERVICE).decode()
    assert all(flow.request.url.startswith(f"{scheme}://{host}/v1/") for flow in https)
    streams = sorted(
        b"".join(message.content for message in flow.messages if message.from_client is from_client)
        for flow in tcps
        for from_client in (True, False)
    )
    assert streams == sorted(one.data for one in Record(captures[mode], Observer.NETWORK).streams)


@pytest.mark.parametrize("mode", Mode)
def test_flows_with_something_to_read_are_marked(files: Mapping[Mode, bytes], mode: Mode) -> None:
    found = flows(files[mode])
    with_body = {type(flow) for flow in found if "body readable in" in flow.comment}
    assert with_body == {Mode.PLAINTEXT: {HTTPFlow, TCPFlow}, Mode.TLS: {HTTPFlow}, Mode.E2EE: set()}[mode]
    assert all(flow.marked for flow in found if "body readable in" in flow.comment)
    tcps = [flow for flow in found if isinstance(flow, TCPFlow)]
    if mode is not Mode.PLAINTEXT:
        assert {flow.comment.partition(": ")[2] for flow in tcps} == {"service readable in tls.sni"}
        assert not any(flow.marked for flow in tcps)
    assert any(flow.marked for flow in found)
    assert not all(flow.marked for flow in found)


def test_the_same_recording_gives_the_same_file(files: Mapping[Mode, bytes], captures: Mapping[Mode, Capture]) -> None:
    assert to_flows(captures[Mode.TLS]) == files[Mode.TLS]


def test_mitmdump_reads_them(files: Mapping[Mode, bytes], captures: Mapping[Mode, Capture], tmp_path: Path) -> None:
    file = tmp_path / "run.flows"
    file.write_bytes(files[Mode.TLS])
    program = "from mitmproxy.tools.main import mitmdump; mitmdump()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--set", f"confdir={tmp_path}", "--flow-detail", "4", "-nr", str(file)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "/v1/conversations/" in done.stdout
    assert body(captures[Mode.TLS]).decode() in done.stdout
    assert " -> tcp -> " in done.stdout


def test_what_is_missing_or_broke_is_an_error_on_the_flow(captures: Mapping[Mode, Capture]) -> None:
    recording = captures[Mode.PLAINTEXT]
    asked = tuple(
        one
        for one in recording.observations
        if one.observer is not Observer.SERVER or one.direction is Direction.TO_SERVICE
    )
    closed = {(Observer.NETWORK, Event.CLOSED)}
    notes = tuple(note for note in recording.notes if (note.observer, note.event) not in closed)
    broken = Note(Observer.NETWORK, Event.BROKEN, recording.story.started + 60, "1", "the cable was cut")
    found = flows(to_flows(replace(recording, observations=asked, notes=(*notes, broken))))
    errors = {str(flow.error) for flow in found if isinstance(flow, HTTPFlow)}
    assert errors == {"no answer was recorded"}
    assert [str(flow.error) for flow in found if isinstance(flow, TCPFlow) and flow.error] == ["the cable was cut"]


@pytest.mark.parametrize("observer", [Observer.NETWORK, Observer.SERVER])
def test_nothing_recorded_is_an_error(captures: Mapping[Mode, Capture], observer: Observer) -> None:
    recording = captures[Mode.TLS]
    rest = tuple(one for one in recording.observations if one.observer is not observer)
    with pytest.raises(LabError, match=f"the {observer} observer recorded nothing"):
        to_flows(replace(recording, observations=rest))


def test_a_value_too_short_to_search_for_is_an_error(captures: Mapping[Mode, Capture]) -> None:
    with pytest.raises(LabError, match="at least 8"):
        to_flows(replace(captures[Mode.TLS], secrets=(Secret(SecretName.BODY, b"bob"),)))
