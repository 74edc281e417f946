"""Names the part of a protocol in which a span lies."""

from __future__ import annotations

from typing import NamedTuple

from lab.detect import http1, tls
from lab.detect.views import Span


class Region(NamedTuple):
    """[start, end) of a stream is `place`."""

    start: int
    end: int
    place: str


def regions(stream: bytes) -> tuple[Region, ...]:
    """The named parts of one direction of a stream; the most specific first where they overlap.

    Places are "tls.sni" and "tls.record", or "http.request_line", "http.status_line", "http.header" (trailers too)
    and "http.body". () for a stream that is neither TLS nor HTTP/1.
    """
    if records := tls.records(stream):
        hello = tls.client_hello(stream)
        names = [Region(*span, "tls.sni") for span in hello.sni_spans] if hello else []
        return (*names, Region(records[0].start, records[-1].end, "tls.record"))
    found: list[Region] = []
    for message in http1.messages(stream):
        line = "http.request_line" if message.is_request else "http.status_line"
        found.append(Region(*message.start_line, line))
        found.append(Region(*message.headers, "http.header"))
        found.append(Region(*message.body_extent, "http.body"))
        found.append(Region(*message.trailers, "http.header"))
    return tuple(found)


def place_of(spans: tuple[Span, ...], named: tuple[Region, ...], default: str) -> str:
    """The place of the first span: the first region that it begins in, and ends in where regions nest."""
    start, end = spans[0]
    within = [region for region in named if region.start <= start < region.end]
    for region in within:
        if end <= region.end:
            return region.place
    return within[0].place if within else default
