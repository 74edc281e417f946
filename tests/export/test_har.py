"""The HTTP archive: valid, and each request of the server's record is in it with its answer."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from lab.export.har import to_har
from lab.model import Capture, Direction, LabError, Mode, Observation, Observer, SecretName, Story
from lab.record import Record

from .har_1_2 import SCHEMA

VALID = jsonschema.Draft202012Validator(SCHEMA)
STORY = Story("tour", "t", Mode.TLS, (Observer.SERVER,), 1_700_000_000.0)


def entries(recording: Capture) -> list[dict[str, Any]]:
    archive = json.loads(to_har(recording, "1.0"))
    VALID.validate(archive)
    assert archive["log"]["creator"] == {"name": "lab", "version": "1.0"}
    found: list[dict[str, Any]] = archive["log"]["entries"]
    return found


def part(
    place: str, data: bytes, way: Direction = Direction.TO_SERVICE, time: float = 1.0, exchange: int = 1
) -> Observation:
    return Observation(Observer.SERVER, place, "1", way, time, data, exchange)


def request(body: bytes = b"", line: bytes = b"POST /v1/x?a=1&b= HTTP/1.1") -> list[Observation]:
    header = b"Host: chat.example\r\nContent-Type: text/plain\r\nX-Empty:\r\n"
    return [part("http.request_line", line), part("http.header", header), part("http.body", body)]


def answer(*pieces: bytes, line: bytes = b"HTTP/1.1 200 Very OK") -> list[Observation]:
    way = Direction.TO_CLIENT
    head = [part("http.status_line", line, way, 3.0), part("http.header", b"Content-Type: text/plain\r\n", way, 3.0)]
    return [*head, *(part("http.body", piece, way, 4.0 + number) for number, piece in enumerate(pieces))]


def one(*observations: Observation) -> dict[str, Any]:
    (entry,) = entries(Capture(STORY, observations=observations))
    return entry


def posted(entry: dict[str, Any]) -> bytes:
    """The bytes of a request's body: files that were sealed are no text."""
    data = entry["request"].get("postData", {"text": ""})
    return base64.b64decode(data["text"]) if data.get("_encoding") == "base64" else data["text"].encode()


class TestReal:
    @pytest.mark.parametrize("mode", Mode)
    def test_every_exchange_is_in_it_in_the_order_of_time(self, captures: Mapping[Mode, Capture], mode: Mode) -> None:
        recording = captures[mode]
        found = entries(recording)
        host = next(secret.value for secret in recording.secrets if secret.name is SecretName.SERVICE).decode()
        scheme = "http" if mode is Mode.PLAINTEXT else "https"
        seen = [
            " ".join([entry["request"]["method"], entry["request"]["url"], entry["request"]["httpVersion"]])
            for entry in found
        ]
        recorded = Record(recording, Observer.SERVER).exchanges
        assert sorted(seen) == sorted(one.line.replace(" /", f" {scheme}://{host}/", 1) for one in recorded)
        began = [datetime.fromisoformat(entry["startedDateTime"]) for entry in found]
        assert began == sorted(began)
        assert sorted(map(posted, found)) == sorted(one.request for one in recorded)
        assert {entry["response"]["status"] for entry in found} == {200, 201}

    def test_an_event_stream_is_one_answer(self, captures: Mapping[Mode, Capture]) -> None:
        recording = captures[Mode.TLS]
        streams = [
            entry for entry in entries(recording) if entry["request"]["url"].split("?")[0].endswith("/v1/events")
        ]
        body = next(secret.value for secret in recording.secrets if secret.name is SecretName.BODY).decode()
        texts = [stream["response"]["content"]["text"] for stream in streams]
        assert all(text.startswith("event: ready") for text in texts)
        assert [body in text for text in texts].count(True) == 1
        assert all(stream["response"]["content"]["mimeType"] == "text/event-stream" for stream in streams)
        assert all(stream["timings"]["receive"] > 0 for stream in streams)

    @pytest.mark.parametrize("mode", Mode)
    def test_the_body_is_readable_unless_it_is_end_to_end_encrypted(
        self, captures: Mapping[Mode, Capture], mode: Mode
    ) -> None:
        archive = to_har(captures[mode], "1.0")
        body = next(secret.value for secret in captures[mode].secrets if secret.name is SecretName.BODY).decode()
        assert (body in archive) is (mode is not Mode.E2EE)
        assert ("body readable in http.body" in archive) is (mode is not Mode.E2EE)

    def test_mitmproxy_reads_it(self, captures: Mapping[Mode, Capture]) -> None:
        archive = to_har(captures[Mode.TLS], "1.0")
        flows = list(FlowReader(io.BytesIO(archive.encode())).stream())  # type: ignore[no-untyped-call]
        assert len(flows) == len(json.loads(archive)["log"]["entries"])
        assert all(isinstance(flow, HTTPFlow) and flow.response for flow in flows)


class TestMadeUp:
    def test_sizes_times_and_fields(self) -> None:
        entry = one(*request(b"question"), *answer(b"an", b"swer"))
        assert entry["startedDateTime"] == "1970-01-01T00:00:01.000000+00:00"
        assert entry["timings"] == {"send": 0, "wait": 2000, "receive": 2000}
        assert entry["time"] == 4000
        assert entry["connection"] == "1"
        asked, answered = entry["request"], entry["response"]
        assert asked["url"] == "https://chat.example/v1/x?a=1&b="
        assert asked["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
        assert asked["headers"][2] == {"name": "X-Empty", "value": ""}
        assert asked["postData"] == {"mimeType": "text/plain", "text": "question"}
        assert asked["bodySize"] == 8
        assert answered["headersSize"] == len("HTTP/1.1 200 Very OK\r\nContent-Type: text/plain\r\n\r\n")
        assert (answered["status"], answered["statusText"], answered["bodySize"]) == (200, "Very OK", 6)
        assert answered["content"] == {"size": 6, "mimeType": "text/plain", "text": "answer"}

    @pytest.mark.parametrize("data", [b"\xff\x00", b"\0", b"\x1b[1m", "ü".encode("latin-1")])
    def test_binary_bodies_are_in_base64(self, data: bytes) -> None:
        entry = one(*request(data), *answer(data))
        text = base64.b64encode(data).decode()
        assert entry["response"]["content"] == {
            "size": len(data),
            "mimeType": "text/plain",
            "text": text,
            "encoding": "base64",
        }
        assert entry["request"]["postData"]["text"] == text
        assert entry["request"]["postData"]["_encoding"] == "base64"

    def test_text_in_any_language_is_text(self) -> None:
        text = "Grüße\n\t\U0001f600 ¡"
        assert one(*request(), *answer(text.encode()))["response"]["content"]["text"] == text

    def test_without_an_answer_it_says_so(self) -> None:
        entry = one(*request())
        assert (entry["response"]["status"], entry["response"]["comment"]) == (0, "no answer was recorded")

    @pytest.mark.parametrize("line", [b"", b"HTTP/1.1", b"HTTP/1.1 \xb2\xb2\xb2 x", b"nonsense nonsense"])
    def test_an_odd_status_line_is_no_crash(self, line: bytes) -> None:
        assert one(*request(), *answer(line=line))["response"]["status"] == 0

    def test_an_answer_without_a_request_is_left_out(self) -> None:
        assert entries(Capture(STORY, observations=tuple(answer(b"x")))) == []

    @pytest.mark.parametrize("time", [float("nan"), float("inf"), -1.0, 1e300])
    def test_any_time_is_a_moment(self, time: float) -> None:
        one(*(replace(each, time=time) for each in [*request(), *answer(b"x")]))

    def test_nothing_recorded_is_an_error(self) -> None:
        with pytest.raises(LabError, match="server observer recorded nothing"):
            to_har(Capture(STORY), "1.0")


@pytest.mark.parametrize("spoil", [{"version": 1.2}, {"extra": 1}, {"entries": [{}]}, {"creator": {"name": "x"}}])
def test_the_schema_refuses_what_is_no_archive(captures: Mapping[Mode, Capture], spoil: dict[str, object]) -> None:
    archive = json.loads(to_har(captures[Mode.TLS], "1.0"))
    archive["log"].update(spoil)
    assert not VALID.is_valid(archive)
