"""HTTP archives as browsers write them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.scan import readers
from lab.scan.entry import Entry, Unread
from lab.scan.source import Shipped

from .conftest import MAIL, Scan


def entry(request: dict[str, Any] | None = None, response: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-01-05T10:00:00.000Z",
        "time": 12.5,
        "request": {
            "method": "GET",
            "url": "https://shop.example/",
            "httpVersion": "h2",
            "headers": [],
            **(request or {}),
        },
        "response": {"status": 200, "statusText": "", "headers": [], "content": {}, **(response or {})},
        **more,
    }


def archive(*entries: dict[str, Any], **more: Any) -> bytes:
    log = {"version": "1.2", "creator": {"name": "entries", "version": "1"}, "entries": list(entries), **more}
    return json.dumps({"log": log}, indent=1).encode()


PLACES = {
    "http.query": entry({"url": f"https://shop.example/?user={MAIL}"}),
    "http.header.cookie": entry({"headers": [{"name": "Cookie", "value": f"who={MAIL}"}]}),
    "http.header.cookie once": entry(
        {"headers": [{"name": "Cookie", "value": f"who={MAIL}"}], "cookies": [{"name": "who", "value": MAIL}]}
    ),
    "http.body": entry({"postData": {"mimeType": "text/plain", "text": f"user {MAIL}"}}),
    "http.body with fields": entry(
        {"postData": {"mimeType": "multipart/form-data", "params": [{"name": "a"}, {"name": "user", "value": MAIL}]}}
    ),
    "http.body of an answer": entry(None, {"content": {"text": f"<b>{MAIL}</b>"}}),
    "http.body in base64": entry(
        None, {"content": {"text": base64.b64encode(b"\x00" + MAIL.encode()).decode(), "encoding": "base64"}}
    ),
    "websocket.message": entry(_webSocketMessages=[{"type": "send", "opcode": 1, "data": f"i am {MAIL}"}]),
    "websocket.message in base64": entry(
        _webSocketMessages=[
            {"type": "receive", "opcode": 2, "data": base64.b64encode(b"\x00\xff" + MAIL.encode()).decode()}
        ]
    ),
    "har.other": entry(comment=f"about {MAIL}"),
    "har.other, a cookie without its header": entry(
        {"headers": [{"name": "Host", "value": "shop.example"}], "cookies": [{"name": "who", "value": MAIL}]}
    ),
    "har.other, a cookie of an answer": entry(
        None, {"headers": [{"name": "Date", "value": "now"}], "cookies": [{"name": "who", "value": MAIL}]}
    ),
    "har.other, a query without its address": entry({"queryString": [{"name": "who", "value": MAIL}]}),
    "har.other, no request": entry() | {"request": MAIL},
    "har.other, no response": entry() | {"response": [MAIL]},
    "har.other, no body": entry({"postData": [MAIL]}),
    "har.other, no headers": entry({"headers": MAIL}),
    "http.header no name": entry({"headers": [MAIL]}),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place(tmp_path: Path, scan: Scan, place: str) -> None:
    (tmp_path / "a").write_bytes(archive(entry(), PLACES[place]))
    done = scan(tmp_path / "a")
    assert [(one["flow"], one["place"]) for one in done.findings] == [(1, place.split()[0].rstrip(","))]
    assert [one["decoders"] for one in done.findings] == [[]]
    assert done.gave_up == []


def test_what_stands_around_the_entries_is_searched_too(tmp_path: Path, scan: Scan) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + archive(entry(), pages=[{"title": f"Orders of {MAIL}"}]))
    (found,) = scan(tmp_path / "a").findings
    assert (found["flow"], found["place"]) == (None, "har.other")


def test_what_is_no_entry_has_its_number_too(tmp_path: Path, scan: Scan) -> None:
    odd: list[Any] = [None, [MAIL], 5, f"text {MAIL}", True, {}]
    (tmp_path / "a").write_bytes(archive(*odd, PLACES["http.body"]))
    found = scan(tmp_path / "a").findings
    assert [(one["flow"], one["place"]) for one in found] == [
        (None, "har.other"),
        (None, "har.other"),
        (6, "http.body"),
    ]


def test_a_body_that_the_browser_decompressed_is_not_decompressed_again(tmp_path: Path, scan: Scan) -> None:
    headers = [{"name": "Content-Encoding", "value": "br"}]
    (tmp_path / "a").write_bytes(archive(entry(None, {"headers": headers, "content": {"text": f"user {MAIL}"}})))
    done = scan(tmp_path / "a")
    assert [one["place"] for one in done.findings] == ["http.body"]
    assert done.gave_up == []


def test_an_archive_that_is_cut_off_gives_what_is_there(tmp_path: Path, scan: Scan) -> None:
    whole = archive(PLACES["http.body in base64"], entry(), entry())
    (tmp_path / "a").write_bytes(whole[:-200])
    done = scan(tmp_path / "a")
    assert [one["flow"] for one in done.findings] == [0]
    assert "cut off or damaged" in done.gave_up[0]["why"]


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.just(MAIL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["request", "response", "headers", "name", "value", "content", "text", "encoding", "postData"]
            )
            | st.sampled_from(["params", "cookies", "_webSocketMessages", "opcode", "url", "status"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(ODD, max_size=3), st.integers(1, 400))
@settings(max_examples=100)
def test_nothing_that_is_in_the_file_makes_the_reader_fail(entries: list[Any], cut: int) -> None:
    whole = json.dumps({"log": {"entries": entries}}).encode()
    for data in (whole, whole[:cut], whole.replace(b"e", b"\xff", 1)):
        for one in readers.read(Shipped(data)):
            assert isinstance(one, Entry | Unread)
