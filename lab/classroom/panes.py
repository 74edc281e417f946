"""What observers got, as pieces for the panes of the stage view, with secrets marked where they can be read. Pure.

Nothing is marked because it is known to be there: each piece is searched with the detector that judges recordings, in
the bytes of this observer alone. It looks for less than a judge does (no disguises that are easily
mistaken for others),
since it has to keep up; the verdict is the judge's.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from lab.classroom.seen import Part, Piece
from lab.detect import Detector, Limits, http1, tls
from lab.detect.reassembly import BODY, STREAM
from lab.guide.lesson_path import first_words
from lab.model import Direction, Finding, Mode, Observation, Observer
from lab.report.page import visible

SHOWN = 400
"""Characters that one piece shows at most, about."""

LATELY = 4
"""Of the messages that are typed, one after the other, so many are looked for: the search grows slower with each."""

_LIVE = Limits(guesses=0, hashes=0)
_MARKED = 160
"""Characters of a secret that are shown."""
_HEX = 24
"""Bytes that are shown as numbers where there is no text."""
_LEAST = 8
"""Characters that are shown of a text between two secrets, if it has so many."""
_OPEN = 16 * 1024
"""Bytes that wait for the end of the message or record that they belong to; what is longer is shown as it comes."""

_TLS = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data", 24: "heartbeat"}
"""Types of TLS records (RFC 8446, section 5.1)."""

_PLACES = {BODY: "HTTP body", "websocket.message": "WebSocket message"}

_START = re.compile(rb"(?:HTTP/1\.[01] [0-9]{3}|[A-Z]{3,10} [^ \r\n]+ HTTP/1\.[01])")
_HEADERS = re.compile(rb"^(?:host|authorization|cookie|content-type|user-agent|location):", re.IGNORECASE)
"""Headers that are shown; others, if a secret stands in them."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}")
_CHARACTER = rb"[ -~]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_STORED = re.compile(rb"(?:%b){8,}" % _CHARACTER)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")
_LINE_ENDS = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Planted:
    """A value to look for: the name of the secret that it is, and the nickname of whose own it is, "" if nobody's."""

    secret: str
    value: bytes
    whose: str = ""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """As the detector takes it: its findings have the place in the list of what is planted as their name."""

    name: str
    value: bytes
    decoys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _Mark:
    """[start, end) of some bytes is a secret, or it is what they become once they are decoded."""

    start: int
    end: int
    part: Part

    def beside(self, other: _Mark) -> bool:
        """Whether both can be shown: they are apart, or two of the values that the same bytes become."""
        apart = self.end <= other.start or other.end <= self.start
        return apart or ((self.start, self.end) == (other.start, other.end) and self.part.text != other.part.text)


class Panes:
    """Of one session. What observers got is added bit by bit, in the order in which it came."""

    def __init__(self, mode: Mode, planted: Iterable[Planted], numbers: Iterator[int]) -> None:
        self._mode = mode
        self._planted = tuple(planted)
        self._typed: tuple[Planted, ...] = ()
        self._numbers = numbers
        self._detector: Detector | None = None
        self._streams: dict[tuple[Observer, str, Direction], _Stream] = {}
        self._stored: set[int] = set()
        self._found: dict[Planted, dict[Observer, str]] = {}

    def look_for(self, typed: Planted) -> None:
        """From now on look for this as well, and no longer for what was typed long before it."""
        self._typed = (*self._typed, typed)[-LATELY:]
        self._found = {one: where for one, where in self._found.items() if one in (*self._planted, *self._typed)}
        self._detector = None

    def found(self, planted: Planted) -> Mapping[Observer, str]:
        """Where this could be read so far, with an excerpt."""
        return dict(self._found.get(planted, {}))

    def pieces(self, observations: Sequence[Observation], newest: int = sys.maxsize) -> list[Piece]:
        """What these are; if there are many, so many of the newest of each observer, or somewhat more.

        A request may have to wait for its end, which comes with later ones.
        """
        ordered = sorted(observations, key=lambda one: one.time)
        groups = [list(group) for _, group in groupby(ordered, key=_whole)]
        left = Counter(group[0].observer for group in groups)
        made: list[Piece] = []
        for group in groups:
            first = group[0]
            left[first.observer] -= 1
            shown = left[first.observer] < newest
            if first.place == STREAM:
                made += self._streamed(group, shown=shown)
            elif first.direction is Direction.AT_REST:
                made += self._at_rest(group)
            elif shown:
                made.append(self._message(group))
        return made

    def _streamed(self, pieces: Sequence[Observation], *, shown: bool) -> Iterator[Piece]:
        """For whoever has bytes: records of TLS, or messages of HTTP."""
        first = pieces[0]
        stream = self._streams.setdefault((first.observer, first.connection, first.direction), _Stream())
        window, units = stream.add(b"".join(one.data for one in pieces))
        if not units or not shown:
            return
        marks = self._marks([replace(first, data=window)])[0]
        for unit in units:
            data = window[unit.start : unit.end]
            within = _within(marks, unit.start, unit.end)
            parts = _record(data, within) if unit.is_record else _http(data, within)
            yield self._piece(first, unit.what, len(data), parts)

    def _message(self, parts: Sequence[Observation]) -> Piece:
        """For whoever has requests and answers, part by part."""
        joined = _joined(parts)
        marks = self._marks(joined)
        what, shown = joined[0].place, list[Part]()
        for one, within in zip(joined, marks, strict=True):
            name = _PLACES.get(one.place, one.place)
            if one.place == "http.header":
                shown += _header(one.data, within)
            elif one.place in ("http.request_line", "http.status_line"):
                what = _title(one.data, name)
                # The line itself is the title: it is only shown again for what can be read in it.
                shown += _parts(one.data, within) if within else ()
            else:
                what = _title(one.data, name) if one is joined[0] else what
                shown += [Part("\n")] if shown else []
                shown += _parts(one.data, within)
        return self._piece(parts[0], what, sum(len(one.data) for one in parts), shown)

    def _at_rest(self, pieces: Sequence[Observation]) -> Iterator[Piece]:
        """For the storage: texts that were not there before. Whole pages are written again and again."""
        for one in pieces:
            # No place that has rows: these are pages without a database around them.
            marks = self._marks([replace(one, place="at rest")])[0]
            shown: list[list[Part]] = []
            plain: list[list[Part]] = []
            for first, last in self._new_texts(one.data):
                within = _within((mark for mark in marks if first <= mark.start and mark.end <= last), first, last)
                (shown if within else plain).append(_parts(one.data[first:last], within))
            # What is encoded or packed is found outside of texts as well.
            shown += [[mark.part] for mark in marks if self._is_new(mark.part)]
            plain.sort(key=lambda parts: -sum(len(part.text) for part in parts))
            lines = list(_each_once(shown)) or plain[:2]
            if lines:
                yield self._piece(
                    one, one.place, len(one.data), (part for line in lines for part in (*line, Part("\n")))
                )

    def _new_texts(self, data: bytes) -> Iterator[tuple[int, int]]:
        for text in _STORED.finditer(data):
            if self._is_new(text[0]):
                yield text.span()

    def _is_new(self, what: bytes | Part) -> bool:
        before = len(self._stored)
        self._stored.add(hash(what))
        return len(self._stored) > before

    def _piece(self, one: Observation, what: str, size: int, parts: Iterable[Part]) -> Piece:
        return Piece(one.observer, self._mode, next(self._numbers), what, one.direction, size, bounded(parts))

    def _marks(self, sources: Sequence[Observation]) -> list[list[_Mark]]:
        """What can be read in each of these, which the search must not join: in order, none over another."""
        if self._detector is None:
            values = enumerate((*self._planted, *self._typed))
            self._detector = Detector([_Wanted(str(at), one.value) for at, one in values], _LIVE)
        search = self._detector.search(sources)
        marks: list[list[_Mark]] = [[] for _ in sources]
        # The whole before a piece of it; of names for one value, the first.
        for finding in sorted(search.findings, key=lambda one: (one.partial is not None, int(one.secret))):
            planted = (*self._planted, *self._typed)[int(finding.secret)]
            source = sources[finding.source]
            self._found.setdefault(planted, {}).setdefault(source.observer, finding.excerpt)
            mark = _mark(finding, planted, source.data)
            taken = marks[finding.source]
            if all(mark.beside(one) for one in taken):
                taken.append(mark)
        return [sorted(each, key=lambda one: (one.start, one.end)) for each in marks]


@dataclass(frozen=True, slots=True)
class _Unit:
    """[start, end) of a window is one record or message."""

    start: int
    end: int
    what: str
    is_record: bool = False
    goes_on: bool = False
    """What comes next may be a part of the same text."""


class _Stream:
    """One direction of a connection, cut into what belongs together."""

    def __init__(self) -> None:
        self._kept = b""
        self._shown = 0
        """So much of what is kept was shown before: it is there for what is broken over two records."""

    def add(self, data: bytes) -> tuple[bytes, list[_Unit]]:
        """What is to be searched, and where in it the units stand that are whole by now."""
        window, before = self._kept + data, self._shown
        fresh = window[before:]
        if tls.may_begin_record(fresh[: tls.HEADER_LENGTH]):
            units = [
                _Unit(before + one.start, before + one.end, _record_type(fresh, one), is_record=True, goes_on=True)
                for one in tls.records(fresh)
            ]
        else:
            units = [
                _Unit(before + start, before + end, _title(fresh[start:end], "bytes"), goes_on=open_ended)
                for start, end, open_ended in _messages(fresh)
            ]
        end = units[-1].end if units else before
        if len(window) - end > _OPEN:
            units.append(_Unit(end, len(window), _title(window[end:], "bytes"), goes_on=True))
            end = len(window)
        if not units:
            self._kept = window
            return window, []
        start = units[-1].start if units[-1].goes_on else end
        self._kept, self._shown = window[start:], end - start
        return window, units


def _messages(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """The messages that are whole, and what has come of one that has no end yet, or goes on from before (True)."""
    at = 0
    for message in http1.messages(data):
        at = message.start_line[0]
        ends_late = message.chunked and message.body_extent[0] > message.headers[1]
        if not message.complete and not ends_late:
            return
        end = message.end if message.complete else len(data)
        yield at, end, not message.complete
        at = end
    if at < len(data) and not _may_begin(data[at:]):
        yield at, len(data), True


def _may_begin(data: bytes) -> bool:
    return _START.match(data) is not None or (b"\n" not in data and data[:4] in (b"HTTP", b"GET ", b"POST", b"PUT "))


def _each_once(lines: Iterable[list[Part]]) -> Iterator[list[Part]]:
    """Those lines in which something can be read that stands in none before."""
    seen: set[Part] = set()
    for line in lines:
        marks = {part for part in line if part.secret}
        if marks - seen:
            yield line
        seen |= marks


def _whole(one: Observation) -> tuple[object, ...]:
    """What comes right behind each other with the same of this is shown as one."""
    if one.direction is Direction.AT_REST:
        return (one.observer,)
    return one.observer, one.connection, one.direction, one.exchange, one.place == STREAM


def _joined(parts: Sequence[Observation]) -> list[Observation]:
    """Pieces of one body as one."""
    kept = [one for one in parts if one.place != BODY]
    bodies = [one for one in parts if one.place == BODY]
    if bodies:
        kept.append(replace(bodies[0], data=b"".join(one.data for one in bodies)))
    return kept


def _mark(finding: Finding, planted: Planted, data: bytes) -> _Mark:
    start, end = min(one[0] for one in finding.spans), max(one[1] for one in finding.spans)
    text = finding.excerpt
    if finding.partial is None:
        text = planted.value.decode(errors="replace")
    return _Mark(start, end, Part(_cut(visible(text), _MARKED), planted.secret, planted.whose))


def _record_type(data: bytes, record: tls.Record) -> str:
    hello = record.start == 0 and record.content_type == tls.HANDSHAKE and tls.client_hello(data[: record.end])
    return "TLS ClientHello" if hello else f"TLS {_TLS[record.content_type]}"


def _record(data: bytes, marks: Sequence[_Mark]) -> list[Part]:
    """A record of TLS: the name of the service where it stands in the open, else numbers."""
    hello = tls.client_hello(data)
    if hello is None or not hello.sni:
        return _parts(data, marks)
    start, end = hello.sni_spans[0][0], hello.sni_spans[-1][1]
    return [Part("server name: "), *_parts(data[start:end], _within(marks, start, end))]


def _http(data: bytes, marks: Sequence[_Mark]) -> list[Part]:
    """A message of HTTP as it stands in the stream, or a further piece of one."""
    message = next(iter(http1.messages(data)), None)
    if message is None:
        return _parts(data, marks)
    shown: list[Part] = []
    line = _within(marks, *message.start_line)
    shown += _parts(data[slice(*message.start_line)], line) if line else ()
    shown += _header(data[slice(*message.headers)], _within(marks, *message.headers))
    first, last = message.body_extent[0], len(data)
    if first < last:
        shown += [Part("\n")] if shown else []
        shown += _parts(data[first:last], _within(marks, first, last))
    return shown


def _within(marks: Iterable[_Mark], start: int, end: int) -> list[_Mark]:
    return [
        replace(one, start=max(one.start, start) - start, end=min(one.end, end) - start)
        for one in marks
        if one.start < end and start < one.end
    ]


def _header(block: bytes, marks: Sequence[_Mark]) -> list[Part]:
    """Those lines of a header that say something here."""
    shown: list[Part] = []
    at = 0
    for line in block.splitlines(keepends=True):
        within = _within(marks, at, at + len(line))
        if within or _HEADERS.match(line):
            shown += [Part("\n")] if shown else []
            shown += _parts(line.rstrip(), within)
        at += len(line)
    return shown


def _parts(data: bytes, marks: Sequence[_Mark]) -> list[Part]:
    """Bytes as a person can look at them. What is found decoded stands behind what it was decoded from."""
    parts: list[Part] = []
    at = 0
    for mark in marks:
        parts.append(Part(_plain(data[at : mark.start])))
        raw = data[max(at, mark.start) : mark.end]
        at = max(at, mark.end)
        if raw and mark.part.text.encode() not in raw:
            parts.append(Part(f"{_cut(_plain(raw), 20)} = "))
        parts.append(mark.part)
    parts.append(Part(_plain(data[at:])))
    return [one for one in parts if one.text]


def _plain(data: bytes) -> str:
    """Text as text, with long stretches of base64 cut; anything else as numbers."""
    text = data.decode(errors="replace")
    good = sum((char.isprintable() and char != "\ufffd") or char in "\r\n\t" for char in text)
    if good * 10 < len(text) * 9:
        return data[:_HEX].hex(" ") + (" …" if len(data) > _HEX else "")
    text = _BASE64.sub(lambda found: f"{found[0][:16]}…", _ID.sub("..", text)).replace("\t", " ")
    return _LINE_ENDS.sub("\n", text) if text.isprintable() else "\n".join(map(visible, _LINE_ENDS.split(text)))


def _title(data: bytes, otherwise: str) -> str:
    """What a message is, by its first line: what is asked for, the status, or the event."""
    line = data.split(b"\n", 1)[0].strip()
    if line.startswith(b"HTTP/"):
        return visible(line.partition(b" ")[2].decode(errors="replace"))
    if _START.match(data) or line.startswith(b"event:"):
        return first_words(line)
    event = re.search(rb"^event: ?[^\r\n]+", data, re.MULTILINE)
    return first_words(event[0]) if event else otherwise


def bounded(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The same, cut to what a pane shows: secrets before the text between them."""
    kept: list[Part] = []
    room = SHOWN
    for one in parts:
        if one.secret and len(one.text) <= room:
            kept.append(one)
            room -= len(one.text)
        elif kept and not one.secret and not kept[-1].secret:
            kept[-1] = Part(kept[-1].text + one.text)
        elif not one.secret and one.text:
            kept.append(one)
    texts = [len(one.text) for one in kept if not one.secret]
    each = room // max(1, len(texts))
    long = [size for size in texts if size > each]
    most = max(_LEAST, (room - sum(texts) + sum(long)) // max(1, len(long)))
    last = len(kept) - 1
    return tuple(
        one if one.secret else Part(_middle(one.text, most, begins=at > 0 or last == 0, ends=at < last))
        for at, one in enumerate(kept)
    )


def _middle(text: str, most: int, *, begins: bool, ends: bool) -> str:
    """What is next to others, cut to `most` characters: its beginning, its end, or both."""
    if len(text) <= most:
        return text
    if begins and ends:
        half = (most - 3) // 2
        return f"{text[:half]} … {text[-half:]}"
    return f"{text[: most - 1]}…" if begins else f"…{text[1 - most :]}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
