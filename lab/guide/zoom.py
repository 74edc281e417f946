"""The evidence for one cell, layer by layer from the bytes inwards, as far as that observer can go. Pure.

Each layer shows bytes of this observer's own record and of nobody else's. Where the value itself was not found, the
layers are those of the message that carried it, by what the participants themselves said.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from lab.detect import http1, tls
from lab.detect.reassembly import STREAM, reassemble
from lab.device_copy import with_copies
from lab.e2ee.anatomy import Who, anatomy
from lab.e2ee.protocol import E2EEError
from lab.guide.words import Words
from lab.mail import from_base64, json_object
from lab.model import (
    INFERRED_ONLY,
    Capture,
    Cell,
    Deed,
    Direction,
    Event,
    Evidence,
    Exposure,
    LeakMatrix,
    Mode,
    Observation,
    Observer,
    SecretName,
    Statement,
)
from lab.record import Exchange, Record
from lab.report.page import visible
from lab.report.sentences import in_language
from lab.report.words import amount, answer

_ROW = 16
_ROWS = 6
_BODY = 320
"""Bytes of a body that are shown."""
_SHORT = 8
_NEAR = 4
"""Pieces that count as sent at one time: a request takes a few."""

_GREETING = bytes([tls.HANDSHAKE])
_OPENED = "opened."
"""How the places begin of what an observer has opened with keys that it had."""

_WRITTEN_TO = (b'"members"', b'"recipient"')
"""The fields of requests that name those to whom somebody wants to write."""

_SEALED = frozenset(SecretName) - INFERRED_ONLY - {SecretName.PASSWORD, SecretName.SERVICE}


@dataclass(frozen=True, slots=True)
class Layer:
    """One step inwards: what it is called, what it is, and what stands there."""

    title: str
    note: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Zoom:
    """The layers from the outside in, never none, and the sentence at the innermost one: why it goes no further."""

    layers: tuple[Layer, ...]
    end: str


def zoom(capture: Capture, matrix: LeakMatrix, cell: Cell, words: Words) -> Zoom:
    """The evidence for `cell`, a cell of `matrix`, which was judged by `capture`."""
    record = Record(with_copies(capture), Observer(cell.observer))
    layers = tuple(_layers(record, matrix, cell, words)) or (Layer(words.look, words.nothing_there, ()),)
    return Zoom(layers, _end(layers, record, cell, words))


def _layers(record: Record, matrix: LeakMatrix, cell: Cell, words: Words) -> Iterator[Layer]:
    found = _telling(cell)
    if cell.observer is Observer.DATABASE:
        yield from _on_disk(record, cell, found, words)
    elif _as_streams(record, found):
        yield from _on_the_wire(record, cell, found, words)
    else:
        yield from _in_http(record, cell, found, words)
    if cell.secret in INFERRED_ONLY:
        answers = [one for one in matrix.inferences if (one.secret, one.observer) == (cell.secret, cell.observer)]
        pairs = [(answer(one), amount(one, one.truth)) for one in answers]
        said = [[in_language(value, words.language) for value in pair] for pair in pairs]
        lines = tuple(words.estimate.format(estimate=estimate, truth=truth) for estimate, truth in said)
        yield Layer(words.worked_out, words.worked_out_note, lines)
    elif found is not None:
        note = words.value_decoded.format(decoders=", ".join(found.decoders)) if found.decoders else words.value_plain
        if found.place.startswith(_OPENED):
            note = words.value_opened.format(observer=cell.observer)
        yield Layer(words.value, note, (f"“{visible(found.excerpt)}”",))


def _as_streams(record: Record, found: Evidence | None) -> bool:
    """Whether to begin with the bytes of a connection, and not with requests.

    Whoever ends TLS has recorded both: the greeting of each connection as bytes, and what came after it as requests.
    """
    apart = {one.place for one in record.observations} - {STREAM}
    if not record.streams or found is None:
        return bool(record.streams) and not apart
    return found.place not in apart and not found.place.startswith(_OPENED)


def _telling(cell: Cell) -> Evidence | None:
    """The piece of evidence that says most: what somebody sent says more than what came back, and that a message is for
    somebody is seen where they are addressed, not where they log in.
    """
    sent = [one for one in cell.evidence if one.direction is Direction.TO_SERVICE]
    if cell.secret is SecretName.RECIPIENT:
        sent.sort(key=lambda one: not any(field in one.window for field in _WRITTEN_TO))
    return next(iter(sent or cell.evidence), None)


def _end(layers: tuple[Layer, ...], record: Record, cell: Cell, words: Words) -> str:
    if cell.exposure is Exposure.EXPOSED:
        return words.all_the_way
    reason = words.stop_other.format(reason=sentence(in_language(cell.reason, words.language)))
    if cell.exposure is Exposure.HIDDEN:
        titles = {layer.title for layer in layers}
        if cell.secret in INFERRED_ONLY:
            reason = words.stop_alike
        elif words.tls_record in titles and cell.observer is Observer.INTERCEPTOR and not record.relayed:
            reason = words.stop_broken_off  # it has no more than how the connection began
        elif words.tls_record in titles:
            reason = words.stop_tls.format(observer=cell.observer)
        elif cell.observer is Observer.DEVICE and words.envelope in titles:
            reason = words.stop_device
        elif (
            record.capture.story.mode is Mode.E2EE
            and cell.secret in _SEALED
            and titles & {words.envelope, words.disk, words.http}
        ):
            reason = words.stop_sealed.format(observer=cell.observer)
    return words.stops.format(reason=reason)


def _on_the_wire(record: Record, cell: Cell, found: Evidence | None, words: Words) -> Iterator[Layer]:
    """For whoever has byte streams: bytes, and what they are."""
    if found is not None:
        streams = (
            one for one in record.streams if (one.connection, one.direction) == (found.connection, found.direction)
        )
        stream, at = next(streams, None), found.spans[0][0]
    else:
        stream, at = _nearest(record, _sent(record.capture, cell.secret))
    if stream is None:
        return
    records = tls.records(stream.data)
    around = next((one for one in records if one.start <= at < one.end), None)
    start = around.start if around is not None and found is None else max(0, at - _ROW)
    note = words.wire_note.format(observer=cell.observer, connection=stream.connection, at=start)
    yield Layer(words.wire, note if found else f"{note} {words.wire_nearest}", tuple(hexdump(stream.data, start)))
    if around is not None:
        head = stream.data[around.start : around.start + tls.HEADER_LENGTH]
        lines = [head.hex(" ")]
        note = words.tls_note.format(size=around.end - around.start - tls.HEADER_LENGTH)
        hello = tls.client_hello(stream.data) if around.content_type == tls.HANDSHAKE else None
        if hello is not None and hello.sni:
            note = words.tls_hello.format(name=hello.sni)
        yield Layer(words.tls_record, note, tuple(lines))
        return
    for message in http1.messages(stream.data):
        first, last = message.start_line[0], max((end for _, end in message.body), default=message.headers[1])
        if first <= at < max(last, message.headers[1]):
            line = stream.data[slice(*message.start_line)]
            body = b"".join(stream.data[slice(*span)] for span in message.body)
            yield _http(line, body, cell.observer, words)
            return


def _nearest(record: Record, sent: Statement | None) -> tuple[Observation | None, int]:
    """The stream, and where in it the largest piece begins that the sender's device sent at that time."""
    ups = [one for one in record.observations if one.place == STREAM and one.direction is Direction.TO_SERVICE]
    if sent is not None:
        said = record.capture.statements
        addresses = {one.address for one in said if one.deed is Deed.CONNECTED and one.who == sent.who}
        opened = {note.connection for note in record.notes(Event.OPENED) if note.detail in addresses}
        ups = [one for one in ups if one.connection in opened] or ups
        ups = sorted(ups, key=lambda one: abs(one.time - sent.time))[:_NEAR]
    # The greeting of TLS may be longer than a short message, and says nothing about it.
    piece = max(ups, key=lambda one: (one.data[:1] != _GREETING, len(one.data)), default=None)
    if piece is None:
        return None, 0
    whole = next(one for one in record.streams if _way(one) == _way(piece))
    before = takewhile(lambda one: one is not piece, (one for one in record.observations if _way(one) == _way(piece)))
    return whole, sum(len(one.data) for one in before)


def _way(one: Observation | Evidence) -> tuple[str, str, Direction]:
    return one.place, one.connection, one.direction


def _in_http(record: Record, cell: Cell, found: Evidence | None, words: Words) -> Iterator[Layer]:
    """For whoever has requests and answers."""
    if found is not None and not found.place.startswith(_OPENED):
        yield _http(*_around(record, found), cell.observer, words)
        return
    if cell.observer is Observer.DEVICE:  # whoever has the copy has the server's record as well
        record = Record(record.capture, Observer.SERVER)
    exchange = _carrying(record, cell.secret, _sent(record.capture, cell.secret))
    if exchange is None:
        return
    yield _http(exchange.line.encode(), exchange.request, cell.observer, words)
    envelope = next(_envelopes(exchange), b"")
    if envelope:
        yield _envelope(envelope, words.envelope_note if found is None else words.envelope_opened, words)


def _around(record: Record, found: Evidence) -> tuple[bytes, bytes]:
    """The request in which something was found, and the bytes around it."""
    for one in reassemble(record.observations):
        if _way(one) == _way(found) and one.data[found.window_start :].startswith(found.window):
            exchange = (
                other.data
                for other in record.observations
                if (other.connection, other.exchange) == (one.connection, one.exchange)
                and other.place == "http.request_line"
            )
            return next(exchange, found.place.encode()), found.window
    return found.place.encode(), found.window


def _carrying(record: Record, secret: str, sent: Statement | None) -> Exchange | None:
    """The request that carried the secret: a file is stored before the message that names it."""
    if secret is SecretName.ATTACHMENT:
        blobs = [one for one in record.exchanges if one.line.startswith("POST /v1/blobs ")]
        if blobs:
            return blobs[-1]
    posts = [one for one in record.exchanges if "/messages " in one.line and one.line.startswith("POST ")]
    mine = (one for one in posts if sent is not None and json_object(one.answer).get("id") == sent.message)
    return next(mine, posts[-1] if posts else None)


def _sent(capture: Capture, secret: str) -> Statement | None:
    """Who sent the message with this secret in it, or logged in with it; else whoever did so last."""
    values = [one.value for one in capture.secrets if one.name is secret]
    sent = [one for one in capture.statements if one.deed is Deed.SENT]
    if secret is SecretName.PASSWORD:
        sent = [one for one in capture.statements if one.deed is Deed.LOGGED_IN]

    def said(one: Statement) -> bytes:
        return one.text.encode() + one.file + one.password.encode()

    carrying = (one for one in sent if any(value and value in said(one) for value in values))
    return next(carrying, sent[-1] if sent else None)


def _envelopes(exchange: Exchange) -> Iterator[bytes]:
    fields = json_object(exchange.request)
    envelopes = fields.get("envelopes")
    for one in envelopes if isinstance(envelopes, list) else ():
        if isinstance(one, dict) and (data := from_base64(one.get("data"))):
            yield data
    if shared := from_base64(fields.get("shared")):
        yield shared


def _envelope(envelope: bytes, note: str, words: Words) -> Layer:
    try:
        fields = anatomy(envelope)
    except E2EEError:  # another encryption than the ratchet's: its bytes say nothing about their fields
        return Layer(words.envelope, words.envelope_bytes, tuple(hexdump(envelope, 0)))
    lines = []
    widest = max(len(words.reads), len(words.reads_not))
    for field in fields:
        data = envelope[field.start : field.end]
        shown = data.hex() if len(data) <= _SHORT else f"{data[:4].hex()}..{data[-4:].hex()}"
        reads = next(one for one in field.readers if one.who is Who.SERVER)
        name, why = (in_language(text, words.language) for text in (field.name, reads.why))
        answer_ = words.reads if reads.reads else words.reads_not
        lines.append(f"{name:<20} {len(data):>5}  {shown:<18}  {answer_:<{widest}}  {why}")
    return Layer(words.envelope, note, tuple(lines))


def _http(line: bytes, body: bytes, observer: str, words: Words) -> Layer:
    lines = [_text(line.strip())]
    if body:
        lines += _text_lines(_without_envelopes(body))
    return Layer(words.http, words.http_note.format(observer=observer), tuple(lines))


def _without_envelopes(body: bytes) -> bytes:
    """The same JSON, with each envelope cut: its text in base64 is longer than a screen, and taken apart below."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(_cut(found), ensure_ascii=False).encode() if isinstance(found, dict) else body


def _cut(value: object) -> object:
    match value:
        case dict():
            return {name: _cut(part) for name, part in value.items()}
        case list():
            return [_cut(part) for part in value]
        case str() if len(value) > 4 * _ROW and _is_base64(value):
            return f"{value[:_ROW]}…"
    return value


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _on_disk(record: Record, cell: Cell, found: Evidence | None, words: Words) -> Iterator[Layer]:
    if found is not None:
        place, data, at, note = found.place, found.window, found.window_start, ""
        lines = tuple(hexdump(data, 0, at))
    else:
        sent = _sent(record.capture, cell.secret)
        row, note = (sent.message.encode() if sent is not None else b""), words.disk_row
        if sent is not None and cell.secret is SecretName.PASSWORD:
            row, note = sent.account.encode() + b"$", words.disk_account  # hashes begin with that
        held = (one for one in record.observations if row and row in one.data)
        one = next(held, None)
        if one is None:
            return
        at, place = max(0, one.data.index(row) - _ROW), one.place
        lines = tuple(hexdump(one.data, at))
    yield Layer(words.disk, f"{words.disk_note.format(place=place, at=at)} {note}".strip(), lines)


def hexdump(data: bytes, start: int, shift: int = 0) -> Iterator[str]:
    """Some rows of `data` from `start` on: offset (`shift` further), bytes, the same as text where it is text."""
    for at in range(start, min(len(data), start + _ROW * _ROWS), _ROW):
        row = data[at : at + _ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{at + shift:>7}  {row.hex(' '):<{3 * _ROW - 1}}  {text}"


def _text(data: bytes) -> str:
    return visible(data[:_BODY].decode("utf-8", errors="replace"))


def _text_lines(data: bytes) -> list[str]:
    """Text as text, anything else as bytes."""
    if readable(data[:_BODY]):
        return _text(data).splitlines()
    return list(hexdump(data, 0))


def sentence(reason: str) -> str:
    """As the beginning of a sentence."""
    return reason[:1].upper() + reason[1:]


def readable(data: bytes) -> bool:
    """Whether a person would call these bytes text."""
    return sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in data) * 10 >= len(data) * 9
