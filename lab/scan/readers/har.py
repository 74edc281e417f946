"""HTTP archives (HAR 1.2) as browsers and proxies write them, one entry after the other.

ijson reads them event by event: an archive of some gigabytes does not fit into memory as one document, and the standard
library reads only whole ones.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import ijson  # type: ignore[import-untyped]

from lab.model import Direction, Observation
from lab.scan.entry import Entry, Read, Unread, on_the_way

HEAD = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*\"log\"\s*:\s*\{")
"""How an archive begins."""

_ENTRY = "log.entries.item"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_har(file: BinaryIO) -> Iterator[Read]:
    """One entry for each request. What is neither request nor response is searched as JSON, under "har.other"."""
    if file.peek(3).startswith(_BYTE_ORDER_MARK):  # type: ignore[attr-defined]  # all our files are buffered
        file.read(3)
    around: dict[str, Any] = {}
    number = 0
    try:
        for name, value in _parts(file):
            if name != "entry":
                around.setdefault(name, []).append(value)
                number += name == _ENTRY
                continue
            yield Entry(number, tuple(one for one in _observations(number, value) if one.data), file.tell())
            number += 1
    except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError):
        at = file.tell()
        yield Unread(f"the archive is cut off or damaged at byte {at} or before; the rest is not scanned", at)
    yield Entry(None, (_other(number, around),), file.tell())


def _parts(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """The entries as ("entry", …), and all other values in the archive with their names, in the order of the file."""
    builder: Any = None
    for prefix, event, value in ijson.parse(file, use_float=True):
        if builder is not None:
            builder.event(event, value)
            if prefix == _ENTRY and event == "end_map":
                yield "entry", builder.value
                builder = None
        elif prefix == _ENTRY and event == "start_map":
            builder = ijson.ObjectBuilder()
            builder.event(event, value)
        elif event in ("string", "number", "map_key") or (prefix == _ENTRY and event != "end_array"):
            yield prefix, value  # an entry that is no object has its number too


def _observations(number: int, entry: dict[str, Any]) -> Iterator[Observation]:
    request, response = _taken(entry, "request"), _taken(entry, "response")
    method, url, version = (_text(request.pop(name, "")) for name in ("method", "url", "httpVersion"))
    if "?" in url:  # else it is not there once more
        request.pop("queryString", None)
    line = f"{method} {url} {version}\r\n"
    yield on_the_way(number, "http.request_line", Direction.TO_SERVICE, _bytes(line))
    yield on_the_way(number, "http.header", Direction.TO_SERVICE, _headers(request))
    post = _taken(request, "postData")
    body = _decoded(post.pop("text", ""), post.pop("encoding", ""))
    parameters = post.pop("params") if isinstance(post.get("params"), list) else []
    yield on_the_way(number, "http.body", Direction.TO_SERVICE, body)
    if not body:
        yield on_the_way(number, "http.body", Direction.TO_SERVICE, _parameters(parameters))
    version, status, reason = (_text(response.pop(name, "")) for name in ("httpVersion", "status", "statusText"))
    yield on_the_way(number, "http.status_line", Direction.TO_CLIENT, _bytes(f"{version} {status} {reason}\r\n"))
    yield on_the_way(number, "http.header", Direction.TO_CLIENT, _headers(response))
    content = _taken(response, "content")
    body = _decoded(content.pop("text", ""), content.pop("encoding", ""))
    # Browsers write bodies as they are after the content coding was undone, which the header still names.
    yield on_the_way(number, "http.body", Direction.TO_CLIENT, body, exchange=1)
    messages = entry.pop("_webSocketMessages", None)
    for message in messages if isinstance(messages, list) else ():
        yield _web_socket_message(number, _dict(message))
    rest = {"entry": entry, "request": request, "postData": post, "response": response, "content": content}
    yield _other(number, {name: value for name, value in rest.items() if value})


def _web_socket_message(number: int, message: dict[str, Any]) -> Observation:
    binary = message.get("opcode") == 2
    direction = Direction.TO_SERVICE if message.get("type") == "send" else Direction.TO_CLIENT
    data = _decoded(message.get("data", ""), "base64" if binary else "")
    return on_the_way(number, "websocket.message", direction, data)


def _headers(message: dict[str, Any]) -> bytes:
    fields = message.pop("headers") if isinstance(message.get("headers"), list) else []
    pairs = (field if isinstance(field, dict) else {"value": field} for field in fields)
    lines = (f"{_text(pair.get('name', ''))}: {_text(pair.get('value', ''))}\r\n" for pair in pairs)
    text = "".join(lines)
    # The same values once more. Some programs leave out the header and keep its cookies.
    if re.search(r"^(?:set-)?cookie:", text, re.IGNORECASE | re.MULTILINE):
        message.pop("cookies", None)
    return _bytes(text)


def _parameters(parameters: list[Any]) -> bytes:
    """Form fields, each on a line of its own; a file has a name and content too."""
    lines = []
    for one in parameters:
        field = _dict(one)
        names = ("name", "value", "fileName", "contentType", "comment")
        lines.append("\r\n".join(_text(field[name]) for name in names if field.get(name)))
    return _bytes("\r\n\r\n".join(lines))


def _decoded(text: object, encoding: object) -> bytes:
    if encoding == "base64" and isinstance(text, str):
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            pass  # then it is searched as it stands there
    return _bytes(_text(text))


def _other(number: int, values: dict[str, Any]) -> Observation:
    text = json.dumps(values, ensure_ascii=False, default=str) if values else ""
    return on_the_way(number, "har.other", Direction.AT_REST, _bytes(text))


def _taken(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The object of that name, taken out of `values`. What is no object stays there, to be searched with the rest."""
    return values.pop(name) if isinstance(values.get(name), dict) else {}


def _dict(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
