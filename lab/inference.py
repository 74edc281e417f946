"""What an observer derives without reading it: when a message was sent and how long it was. Pure.

Each observer's record gives a list of message events (when, how many bytes as this observer counts them). The method
is the textbook one of traffic analysis (RFC 7624, section 3.1; Coull and Dyer 2014 for messengers):

* the network watches lengths and times alone: the service speaks to one client unasked, right after a burst from
  another client, so that burst was a message, together with a long one just before it: a file that is uploaded apart;
* the server knows its own API, and counts the bytes of each message request and of the upload before it;
* the database keeps a row a message, and a row an upload.

The observer may use the service like anybody else. Before the story it sends messages of its own with known sizes
(`OBSERVERS_OWN` in the transcript), which turn "bytes on the wire" into "bytes of content": a straight line through
two of them, for texts and for files, and a third one that must come out right (the control of the estimate).

That an estimate misses does not hide a size, for a better method may hit. What hides it is that messages of clearly
different sizes look exactly the same, as padding makes them: whatever is worked out from a length is then the same for
all of them, and wrong for most (`_Steps`). This is about lengths and nothing else. A header that tells the size, or a
length that is written into the record, is not read by these methods.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.calibration import OBSERVERS_OWN
from lab.detect import sqlite, tls
from lab.model import Capture, Control, Deed, Direction, Inference, Observation, Observer, SecretName, Statement
from lab.record import Record

SHORTEST_TEXT = 40
"""Bytes: by so much a message of the story may look shorter than the observer's own shortest text (16 bytes, which take
22 in base64, and longer account names) and still be one like it."""

TYPICAL_SIZE = 62
"""Bytes: the guess without a record is the median text message of the SMS Spam Collection v.1 (5,574 messages; Almeida
and Gómez Hidalgo 2011)."""

TYPICAL_TIME_ERROR = 6 * 3600.0
"""Seconds: who knows only the day names its middle and is six hours off on average."""

SIZE_TOLERANCE = (16, 0.05)
"""An estimate counts when it is off by at most so many bytes, or by this share of the truth, whichever is more."""

TIME_TOLERANCE = 1.0
"""Seconds."""

HEARTBEAT = 64
"""Bytes: what a service sends unasked to keep a connection open is shorter than any message that it delivers."""

UPLOAD = 600
"""Bytes: what is sent right before a message, and is longer than this, is more than a question to the service."""

FINISHED = 69
"""Bytes: the longest Finished message of TLS 1.3 (RFC 8446, section 4.4.4, with SHA-384) as a record. It ends the
handshake, looks like data, and goes out together with the first request; no request or answer is as short."""

MESSAGE_REQUEST = re.compile(rb"POST /v1/conversations/[^/ ]+/messages ")
"""The first line of a request that sends a message."""

UPLOAD_REQUEST = re.compile(rb"POST /v1/blobs ")
"""The first line of a request that uploads a sealed file, whose key goes with the next message."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message as an observer noticed it: seconds since the epoch, and bytes as this observer counts them."""

    time: float
    length: int


@dataclass(frozen=True, slots=True)
class Estimates:
    """The answers of one observer, and the control of each kind of answer (size, time)."""

    inferences: tuple[Inference, ...]
    controls: tuple[Control, ...]


def estimate(capture: Capture, record: Record) -> Estimates:
    """What an observer infers from its `record`: size and time of each message of the story, as the lesson asks."""
    asked = [name for name in (SecretName.SIZE, SecretName.TIME) if name in capture.facts]
    if not asked:
        return Estimates((), ())
    observer = record.observer
    if observer not in _EVENTS:
        return _unable(observer, asked, "whoever has a copy of a device is not asked for sizes and times")
    own = [one for one in _sent(capture) if one.who == OBSERVERS_OWN]
    story = [one for one in _sent(capture) if one.who != OBSERVERS_OWN]
    try:
        events = _EVENTS[observer](record)
    except sqlite.SqliteError as error:
        return _unable(observer, asked, f"the database cannot be read: {error}")
    # What came before the observer's own first message was people joining, all at the same time.
    events = [event for event in events if own and event.time >= own[0].time]
    own_events = events[: len(own)]
    seen = events[len(own) :]
    if len(events) != len(own) + len(story) or not own:
        why = (
            f"{len(events)} message events were noticed; {len(own)} messages of the observer's own and {len(story)} of "
            "the story were sent"
        )
        return _unable(observer, asked, why)
    inferences: list[Inference] = []
    controls: list[Control] = []
    if SecretName.TIME in asked:
        inferences += [_time(observer, event, one) for event, one in zip(seen, story, strict=True)]
        worst = max(abs(event.time - one.time) for event, one in zip(own_events, own, strict=True))
        detail = f"the times of {len(own)} messages of the observer's own come out within {worst:.3f} seconds"
        controls.append(Control("estimate", observer, SecretName.TIME, worst <= TIME_TOLERANCE, detail))
    if SecretName.SIZE in asked:
        rounds = _rounds(list(zip(own_events, own, strict=True)))
        scale, steps = _Scale(rounds), _Steps(observer, rounds)
        sizes = [_size(observer, scale, steps, event, one) for event, one in zip(seen, story, strict=True)]
        inferences += sizes
        controls.append(steps.check(sizes) if steps.seen else scale.check(observer))
    return Estimates(tuple(inferences), tuple(controls))


def network_events(record: Record) -> list[Event]:
    """Message events from lengths and times of a byte stream, in plaintext and under TLS alike."""
    bursts: dict[str, _Burst] = {}
    last: dict[str, Direction] = {}
    spoken: dict[str, int] = {}
    noticed: dict[int, _Burst] = {}
    latest: _Burst | None = None
    for number, (connection, direction, moment, length) in enumerate(payloads(record.observations)):
        if direction is Direction.TO_SERVICE:
            if last.get(connection) is not Direction.TO_SERVICE:
                latest = bursts[connection] = _Burst(connection, number, moment, bursts.get(connection))
            bursts[connection].length += length
        else:
            unasked = last.get(connection) is Direction.TO_CLIENT
            if unasked and length <= HEARTBEAT:
                continue
            if unasked and latest and latest.connection != connection and latest.number > spoken[connection]:
                noticed[latest.number] = latest
            spoken[connection] = number
        last[connection] = direction
    return [Event(burst.time, burst.length + _uploaded(burst, noticed)) for _, burst in sorted(noticed.items())]


def _uploaded(burst: _Burst, noticed: Mapping[int, _Burst]) -> int:
    """Bytes that the same client sent right before, if they were many and no message of their own."""
    before = burst.before
    return before.length if before and before.length >= UPLOAD and before.number not in noticed else 0


def server_events(record: Record) -> list[Event]:
    """Message events from the requests that the front end passed on."""
    lengths: dict[tuple[str, int], int] = {}
    for one in record.observations:
        if one.place == "http.body" and one.direction is Direction.TO_SERVICE:
            lengths[one.connection, one.exchange] = lengths.get((one.connection, one.exchange), 0) + len(one.data)
    events: list[Event] = []
    uploaded: dict[str, int] = {}
    for one in record.observations:
        if one.place == "http.request_line":
            length = lengths.get((one.connection, one.exchange), 0)
            if UPLOAD_REQUEST.match(one.data):
                uploaded[one.connection] = length
            elif MESSAGE_REQUEST.match(one.data):
                events.append(Event(one.time, length + uploaded.pop(one.connection, 0)))
    return events


def database_events(record: Record) -> list[Event]:
    """Message events from the rows at rest. SqliteError: the copy is not a database."""
    query = """
        SELECT created, coalesce(length(CAST(text AS BLOB)), 0) + coalesce(length(attachment), 0)
               + coalesce(length(shared), 0)
               + coalesce((SELECT max(length(data)) FROM envelopes WHERE envelopes.message = messages.id), 0)
               + coalesce((SELECT sum(length(data)) FROM blobs
                           WHERE blobs.account = messages.sender AND blobs.created <= messages.created
                           AND blobs.created > coalesce((SELECT max(earlier.created) FROM messages AS earlier
                                                         WHERE earlier.sender = messages.sender
                                                         AND earlier.sequence < messages.sequence), 0)), 0)
        FROM messages ORDER BY sequence
        """
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(record.image)
        return [Event(float(created), int(length)) for created, length in database.execute(query)]
    except sqlite3.Error as error:
        raise sqlite.SqliteError(str(error)) from None
    finally:
        database.close()


_EVENTS = {
    Observer.NETWORK: network_events,
    Observer.INTERCEPTOR: server_events,
    Observer.SERVER: server_events,
    Observer.DATABASE: database_events,
}


@dataclass(slots=True)
class _Burst:
    """Consecutive bytes from one client, up to the service's answer."""

    connection: str
    number: int
    time: float
    before: _Burst | None
    length: int = 0


def payloads(observations: Sequence[Observation]) -> Iterable[tuple[str, Direction, float, int]]:
    """(connection, direction, time, bytes of application data), in the order of arrival.

    Under TLS (RFC 8446, section 5) only records of type application_data count, at the moment they are complete.
    """
    streams: dict[tuple[str, Direction], bytearray] = {}
    done: dict[tuple[str, Direction], int] = {}
    for one in observations:
        key = (one.connection, one.direction)
        stream = streams.setdefault(key, bytearray())
        stream += one.data
        if not _looks_like_tls(streams.get((one.connection, Direction.TO_SERVICE), b"")):
            yield *key, one.time, len(one.data)
            continue
        start = done.get(key, 0)
        length = 0
        for record in tls.records(bytes(stream[start:])):
            done[key] = start + record.end
            size = record.end - record.start - tls.HEADER_LENGTH
            if record.content_type == tls.APPLICATION_DATA and size > FINISHED:
                length += size
        if length:
            yield *key, one.time, length


def _looks_like_tls(start: bytes | bytearray) -> bool:
    return len(start) > 2 and start[0] == tls.HANDSHAKE and start[1] == 3


class _Round:
    """The observer's own messages of one round, as (bytes as counted, bytes of content): texts, and files if any."""

    def __init__(self, own: Sequence[tuple[Event, Statement]]) -> None:
        self.texts = [(event.length, one.size) for event, one in own if not one.file]
        self.files = [(event.length, one.size) for event, one in own if one.file]

    def size(self, length: int) -> float:
        # A text of the story may be longer than the longest of the observer's own, a file is hardly shorter than the
        # shortest one: so what is at least as long as that counts as a file.
        of_files = bool(self.files) and length >= min(self.files)[0]
        (x1, y1), (x2, y2) = (self.files if of_files else self.texts)[:2]
        if x1 == x2:
            return (y1 + y2) / 2  # all alike: the length says nothing, and the control below will say so
        return max(0.0, float(round(y1 + (length - x1) * (y2 - y1) / (x2 - x1))))


class _Scale:
    """Bytes as counted by an observer → bytes of content, from the observer's own messages.

    With end-to-end encryption, messages carry what sets up the session until somebody has answered. So there may be a
    second round of the observer's own messages, after an answer; which of the two a message belongs to shows in its
    length, unless it is a very long one.
    """

    def __init__(self, rounds: Iterable[Sequence[tuple[Event, Statement]]]) -> None:
        self._rounds = [_Round(part) for part in rounds]

    def size(self, length: int) -> float:
        unanswered = self._rounds[0]
        begins = min(unanswered.texts)[0] <= length + SHORTEST_TEXT
        return (unanswered if begins else self._rounds[-1]).size(length)

    def check(self, observer: Observer) -> Control:
        kinds = [kind for one in self._rounds for kind in (one.texts, one.files) if len(kind) > 2]
        tries = [(self.size(kind[2][0]), kind[2][1]) for kind in kinds]
        passed = bool(tries) and all(abs(answer - truth) <= size_tolerance(truth) for answer, truth in tries)
        words = ", ".join(f"{answer:.0f} for {truth} bytes" for answer, truth in tries)
        detail = f"messages of the observer's own, kept aside for this check, come out as {words}"
        return Control("estimate", observer, SecretName.SIZE, passed, detail)


@dataclass(frozen=True, slots=True)
class _Step:
    """Messages of `least` and of `greatest` bytes of content count as `length` bytes, one of `longer` as more."""

    length: int
    least: int
    greatest: int
    longer: int


class _Steps:
    """Which sizes look exactly the same to an observer, as they do if texts are filled up to a multiple of a length.

    When is a size hidden from whoever counts bytes? When the same count comes from sizes so far apart that no answer
    is within the tolerance of all of them: then no method, however good, gets a size from this count and is right about
    the observer's own messages. And the guess that anybody makes without the record has to be among these sizes: else
    the nearest of them would be a better answer than the guess, whatever the truth, and the record would have told
    something. What is left to the observer is that the size is one of these, and the verdict says so.

    The observer's own messages show this in each of their rounds: two texts of very different sizes have the same
    length to the byte, and a third one is longer, so that a difference is noticed where there is one. A message of the
    story is like them if it has this same length, to the byte, apart from the recipient's name: that stands beside the
    message in a request, as long as it is. The observer need not know it; here it is given, so that nothing but the
    size is left to explain a difference of a single byte.
    """

    def __init__(self, observer: Observer, rounds: Iterable[Sequence[tuple[Event, Statement]]]) -> None:
        self._observer = observer
        steps = [self._step([(event, one) for event, one in part if not one.file]) for part in rounds]
        known = tuple(step for step in steps if step is not None)
        self._steps = known if len(known) == len(steps) else ()

    @property
    def seen(self) -> bool:
        """Whether there are such sizes in each round. The scale, which holds for texts as they are, then holds not."""
        return bool(self._steps)

    def alike(self, event: Event, one: Statement) -> tuple[int, int] | None:
        """From which to which size the observer's own texts look exactly like this message; None: no two of them."""
        length = self._length(event, one)
        return next(((step.least, step.greatest) for step in self._steps if step.length == length), None)

    def check(self, sizes: Sequence[Inference]) -> Control:
        """The control where steps are seen: each message of the story, of these `sizes`, has to be on one."""
        rounds = [
            f"{one.least} and {one.greatest} bytes look the same, and {one.longer} look longer" for one in self._steps
        ]
        rounds[1:] = [f"after an answer, {one}" for one in rounds[1:]]
        detail = f"of the observer's own messages, those of {'; '.join(rounds)}"
        passed = bool(sizes) and all(one.alike is not None for one in sizes)
        if not passed:
            detail += "; but not each message of the story looks like these two"
        return Control("estimate", self._observer, SecretName.SIZE, passed, detail)

    def _step(self, texts: Sequence[tuple[Event, Statement]]) -> _Step | None:
        sizes: dict[int, list[int]] = {}
        for event, one in texts:
            sizes.setdefault(self._length(event, one), []).append(one.size)
        for length, alike in sizes.items():
            least, greatest = min(alike), max(alike)
            longer = min((one.size for event, one in texts if self._length(event, one) > length), default=0)
            apart = greatest - least > 2 * size_tolerance(greatest)
            if apart and least <= TYPICAL_SIZE <= greatest < longer:
                return _Step(length, least, greatest, longer)
        return None

    def _length(self, event: Event, one: Statement) -> int:
        # What is stored with a message names nobody in the bytes that are counted.
        beside = 0 if self._observer is Observer.DATABASE else len(one.peer.encode())
        return event.length - beside


def _rounds(own: Sequence[tuple[Event, Statement]]) -> list[Sequence[tuple[Event, Statement]]]:
    """The observer's own messages before an answer, and those after it, if there was one."""
    first = own[0][1].account
    answer = next((number for number, (_, one) in enumerate(own) if one.account != first), len(own))
    return [part for part in (own[:answer], own[answer + 1 :]) if part]


def _sent(capture: Capture) -> list[Statement]:
    return [one for one in capture.statements if one.deed is Deed.SENT]


def _time(observer: Observer, event: Event, truth: Statement) -> Inference:
    return Inference(
        observer,
        SecretName.TIME,
        event.time,
        truth.time,
        TIME_TOLERANCE,
        TYPICAL_TIME_ERROR,
        "seconds since 1970 (UTC)",
        "the middle of the day",
    )


def _size(observer: Observer, scale: _Scale, steps: _Steps, event: Event, truth: Statement) -> Inference:
    guess_error = abs(TYPICAL_SIZE - truth.size)
    alike = steps.alike(event, truth)
    return Inference(
        observer,
        SecretName.SIZE,
        sum(alike) / 2 if alike else scale.size(event.length),
        truth.size,
        size_tolerance(truth.size),
        guess_error,
        "bytes",
        f"a typical text message, {TYPICAL_SIZE} bytes",
        alike,
    )


def size_tolerance(truth: int) -> float:
    """By how many bytes an estimate may be off."""
    least, share = SIZE_TOLERANCE
    return max(float(least), truth * share)


def _unable(observer: Observer, asked: Iterable[SecretName], why: str) -> Estimates:
    return Estimates((), tuple(Control("estimate", observer, name, passed=False, detail=why) for name in asked))
