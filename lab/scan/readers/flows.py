"""Flow files of mitmproxy: HTTP with WebSocket messages and trailers, TCP, UDP and DNS."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from lab.model import Direction, Observation
from lab.scan.entry import Entry, Read, Unread, on_the_way

with warnings.catch_warnings():
    # mitmproxy builds its filter language with names that newer versions of pyparsing call old.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy import dns, flow, http, tcp, udp
    from mitmproxy.exceptions import FlowReadException
    from mitmproxy.io import FlowReader

_TRAILERS = 1
"""The exchange that trailers are given: only the header block of a message says how its body is encoded."""


def read_flows(file: BinaryIO) -> Iterator[Read]:
    """One entry for each flow."""
    number = 0
    try:
        for number, one in enumerate(FlowReader(file).stream()):
            observations = tuple(observation for observation in _observations(number, one) if observation.data)
            yield Entry(number, observations, file.tell())
            for why in _lacking(one):
                yield Unread(why, file.tell(), number, "http.body")
    # The reader means to raise FlowReadException only; damaged flows make its innards raise what they like.
    except (FlowReadException, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        at = file.tell()
        yield Unread(f"the flow file is cut off or damaged at byte {at} or before; the rest is not scanned", at)


def _observations(number: int, one: flow.Flow) -> Iterator[Observation]:
    if one.client_conn.sni:
        yield on_the_way(number, "tls.sni", Direction.TO_SERVICE, one.client_conn.sni.encode(errors="replace"))
    if isinstance(one, http.HTTPFlow):
        yield from _http(number, one)
    elif isinstance(one, tcp.TCPFlow | udp.UDPFlow):
        place = "tcp.stream" if isinstance(one, tcp.TCPFlow) else "udp.datagram"
        for message in one.messages:
            yield on_the_way(number, place, _direction(message.from_client), message.content, message.timestamp)
    elif isinstance(one, dns.DNSFlow):
        yield on_the_way(number, "dns.message", Direction.TO_SERVICE, one.request.packed)
        if one.response:
            yield on_the_way(number, "dns.message", Direction.TO_CLIENT, one.response.packed)


def _http(number: int, one: http.HTTPFlow) -> Iterator[Observation]:
    request = one.request
    line = b" ".join([request.data.method, request.url.encode(errors="surrogateescape"), request.data.http_version])
    yield on_the_way(number, "http.request_line", Direction.TO_SERVICE, line + b"\r\n", request.timestamp_start)
    yield from _message(number, Direction.TO_SERVICE, request)
    if one.response:
        response = one.response
        line = b" ".join([response.data.http_version, str(response.status_code).encode(), response.data.reason])
        yield on_the_way(number, "http.status_line", Direction.TO_CLIENT, line + b"\r\n", response.timestamp_start)
        yield from _message(number, Direction.TO_CLIENT, response)
    if one.websocket:
        for message in one.websocket.messages:
            direction = _direction(message.from_client)
            yield on_the_way(number, "websocket.message", direction, message.content, message.timestamp)


def _message(number: int, direction: Direction, message: http.Message) -> Iterator[Observation]:
    start, end = message.timestamp_start, message.timestamp_end or message.timestamp_start
    yield on_the_way(number, "http.header", direction, _block(message.headers.fields), start)
    yield on_the_way(number, "http.body", direction, message.raw_content or b"", start)
    if message.trailers:
        block = _block(message.trailers.fields)
        yield on_the_way(number, "http.header", direction, block, end, exchange=_TRAILERS)


def _block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


def _direction(from_client: bool) -> Direction:
    return Direction.TO_SERVICE if from_client else Direction.TO_CLIENT


def _lacking(one: flow.Flow) -> Iterator[str]:
    if isinstance(one, http.HTTPFlow):
        if one.request.raw_content is None:
            yield "the body of the request is not in the recording"
        if one.response and one.response.raw_content is None:
            yield "the body of the response is not in the recording"
