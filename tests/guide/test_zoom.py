"""How deep each observer can look, and where it stops: in records put down by hand, with real envelopes."""

from __future__ import annotations

from dataclasses import replace

from by_hand import CONVERSATION, Conversation, base64_of

from lab.detect.reassembly import STREAM
from lab.guide.words import ENGLISH, GERMAN, Words
from lab.guide.zoom import Zoom, zoom
from lab.model import (
    Capture,
    Cell,
    Deed,
    Direction,
    Encryption,
    Event,
    Evidence,
    Exposure,
    Inference,
    LeakMatrix,
    Mode,
    Note,
    Observation,
    Observer,
    Secret,
    SecretName,
    Statement,
    Story,
)

TEXT = b"Meet me at 5pm [4711]"
UP = Direction.TO_SERVICE
ALICE, BOB = ("alice", 1), ("bob", 1)
OBSERVERS = (Observer.NETWORK, Observer.SERVER, Observer.DATABASE)


def opened(
    capture: Capture,
    observer: Observer,
    exposure: Exposure,
    *evidence: Evidence,
    secret: SecretName = SecretName.BODY,
    alike: tuple[int, int] | None = None,
    words: Words = ENGLISH,
) -> Zoom:
    cell = Cell(secret, observer, exposure, "not found, and all 5 controls passed", evidence)
    inferences = (Inference(observer, SecretName.SIZE, 33.0, 31.0, 8.0, 40.0, "bytes", "a guess", alike),)
    return zoom(capture, LeakMatrix("l", "t", capture.story.mode, (cell,), inferences), cell, words)


def titles(shown: Zoom) -> list[str]:
    return [layer.title for layer in shown.layers]


def recorded(mode: Mode, *observations: Observation, notes: tuple[Note, ...] = ()) -> Capture:
    statements = (
        Statement("observer", Deed.CONNECTED, 1.0, address="127.0.0.1:1"),
        Statement("alice", Deed.CONNECTED, 1.0, address="127.0.0.1:2"),
        Statement("alice", Deed.SENT, 5.0, message="message-1", text=TEXT.decode()),
    )
    secrets = (Secret(SecretName.BODY, TEXT),)
    return Capture(Story("l", "t", mode, OBSERVERS, 1.0), secrets, (), (), statements, observations, notes)


def piece(data: bytes, connection: str = "2", time: float = 5.0) -> Observation:
    return Observation(Observer.NETWORK, "tcp.stream", connection, UP, time, data)


def test_on_the_way_tls_is_the_end_and_the_bytes_are_those_of_the_sender() -> None:
    first, mine = b"\x17\x03\x03\x00\x04late", b"\x17\x03\x03\x00\x08" + bytes(range(130, 138))
    others = b"\x17\x03\x03\x01\x00" + bytes(256)
    capture = recorded(
        Mode.TLS,
        piece(others, "1"),
        piece(first, time=2.0),
        *(piece(b"\x17\x03\x03\x00\x01.", time=4.9) for _ in range(3)),
        piece(mine),
        notes=tuple(Note(Observer.NETWORK, Event.OPENED, 1.0, str(one), f"127.0.0.1:{one}") for one in (1, 2)),
    )
    shown = opened(capture, Observer.NETWORK, Exposure.HIDDEN)
    assert titles(shown) == ["Bytes on the wire", "TLS record"]
    assert shown.layers[0].lines[0].split()[:7] == ["27", "17", "03", "03", "00", "08", "82"]
    assert shown.layers[1].lines == ("17 03 03 00 08",)
    assert "8 bytes after it" in shown.layers[1].note
    assert shown.end.startswith("Here it stops. The rest is encrypted")


def test_the_greeting_is_not_taken_for_the_message_because_it_is_longer() -> None:
    capture = recorded(Mode.TLS, piece(b"\x16\x03\x03\x00\x20" + bytes(32)), piece(b"\x17\x03\x03\x00\x08" + bytes(8)))
    shown = opened(capture, Observer.NETWORK, Exposure.HIDDEN)
    assert shown.layers[1].lines == ("17 03 03 00 08",)


def test_in_the_clear_it_goes_to_the_text() -> None:
    request = b"POST /v1/x HTTP/1.1\r\nContent-Length: 32\r\n\r\n" + b'{"text":"%b"}' % TEXT
    at = request.index(TEXT)
    found = Evidence("http.body", "2", UP, ((at, at + len(TEXT)),), ("json",), TEXT.decode())
    shown = opened(recorded(Mode.PLAINTEXT, piece(request)), Observer.NETWORK, Exposure.EXPOSED, found)
    assert titles(shown) == ["Bytes on the wire", "HTTP", "Text"]
    assert shown.layers[1].lines == ("POST /v1/x HTTP/1.1", f'{{"text": "{TEXT.decode()}"}}')
    assert shown.layers[2].lines == (f"“{TEXT.decode()}”",)
    assert "this was undone, from the outside in: json" in shown.layers[2].note
    assert shown.end == "All the way: this is the value itself."


def sealed(encryption: Encryption = Encryption.PQXDH) -> Capture:
    story = Conversation(encryption)
    story.join("alice")
    story.join("bob")
    story.post(ALICE, {BOB: story.seal(ALICE, BOB, TEXT)})
    story.statements.append(Statement("alice", Deed.SENT, 5.0, message="message-1", text=TEXT.decode()))
    return story.recorded()


def test_the_server_stops_at_the_envelope() -> None:
    shown = opened(sealed(), Observer.SERVER, Exposure.HIDDEN)
    assert titles(shown) == ["HTTP", "Envelope"]
    http, envelope = shown.layers
    assert http.lines[0] == f"POST /v1/conversations/{CONVERSATION}/messages HTTP/1.1"
    assert "…" in http.lines[1], "the envelope itself is the next layer"
    fields = [line.split()[0] for line in envelope.lines]
    assert fields[:3] == ["version", "kind", "suite"]
    (ciphertext,) = (line for line in envelope.lines if line.startswith("ciphertext"))
    assert "no   it has no key" in ciphertext
    assert shown.end.startswith("Here it stops. To read it takes keys that are on the phones alone")


def behind_tls(capture: Capture) -> Capture:
    """The same for an interceptor: as the server has it, and the greeting of TLS besides."""
    greeting = Observation(Observer.INTERCEPTOR, STREAM, "1", UP, 0.5, b"\x16\x03\x03\x00\x20" + bytes(32))
    ended = [replace(one, observer=Observer.INTERCEPTOR) for one in capture.observations]
    return replace(capture, observations=(greeting, *ended))


def test_an_interceptor_stops_at_the_envelope_and_not_at_the_tls_that_it_has_ended() -> None:
    shown = opened(behind_tls(sealed()), Observer.INTERCEPTOR, Exposure.HIDDEN)
    assert titles(shown) == ["HTTP", "Envelope"]
    assert "the phones alone; interceptor has none of them" in shown.end


def test_what_an_interceptor_read_is_shown_in_its_request_and_a_name_in_the_greeting() -> None:
    capture = behind_tls(sealed())
    body = next(one for one in capture.observations if one.exchange and one.place == "http.body")
    found = Evidence("http.body", "1", UP, ((3, 9),), (), "excerpt", 0, body.data[:40])
    shown = opened(capture, Observer.INTERCEPTOR, Exposure.EXPOSED, found, secret=SecretName.RECIPIENT)
    assert titles(shown) == ["HTTP", "Text"]
    named = Evidence("tls.sni", "1", UP, ((7, 9),), (), "chat.lab.test")
    shown = opened(capture, Observer.INTERCEPTOR, Exposure.EXPOSED, named, secret=SecretName.SERVICE)
    assert titles(shown) == ["Bytes on the wire", "TLS record", "Text"]


def test_a_german_reader_gets_the_fields_in_german() -> None:
    shown = opened(sealed(), Observer.SERVER, Exposure.HIDDEN, words=GERMAN)
    lines = shown.layers[1].lines
    assert [line[:20].strip() for line in lines[:4]] == ["Version", "Art", "Verfahren", "flüchtiger Schlüssel"]
    (ciphertext,) = (line for line in lines if line.startswith("Geheimtext"))
    assert "nein  er hat keinen Schlüssel; nur die Länge ist zu sehen" in ciphertext
    english = opened(sealed(), Observer.SERVER, Exposure.HIDDEN).layers[1].lines
    assert len(lines) == len(english)
    assert not {line.split(maxsplit=4)[-1] for line in lines} & {line.split(maxsplit=4)[-1] for line in english}


def test_an_envelope_of_another_kind_is_bytes() -> None:
    shown = opened(sealed(Encryption.STATIC), Observer.SERVER, Exposure.HIDDEN)
    assert titles(shown) == ["HTTP", "Envelope"]
    assert shown.layers[1].lines[0].split()[0] == "0"
    assert "fields" not in shown.layers[1].note


def test_what_the_server_read_is_shown_in_its_request() -> None:
    capture = sealed()
    line = next(one for one in capture.observations if one.data.startswith(b"POST"))
    body = next(one for one in capture.observations if one.exchange == line.exchange and one.place == "http.body")
    found = Evidence("http.body", "1", UP, ((3, 9),), (), "excerpt", 0, body.data[:40])
    shown = opened(capture, Observer.SERVER, Exposure.EXPOSED, found, secret=SecretName.RECIPIENT)
    assert titles(shown) == ["HTTP", "Text"]
    assert shown.layers[0].lines[0].startswith("POST /v1/conversations/")


HELLO = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"
"""The beginning of a connection, before anything is encrypted."""


def intercepted(*observations: Observation) -> Capture:
    """What somebody recorded who answers in place of the service."""
    return recorded(Mode.TLS, *(replace(one, observer=Observer.INTERCEPTOR) for one in observations))


def test_who_ends_tls_shows_the_request_and_not_how_the_connection_began() -> None:
    body = b'{"text":"%b"}' % TEXT
    places = {"http.request_line": b"POST /v1/x HTTP/1.1", "http.body": body}
    parts = (Observation(Observer.INTERCEPTOR, place, "2", UP, 5.0, data, 1) for place, data in places.items())
    capture = intercepted(piece(HELLO), *parts)
    at = body.index(TEXT)
    found = Evidence("http.body", "2", UP, ((at, at + len(TEXT)),), (), TEXT.decode(), 0, body, exchange=1)
    shown = opened(capture, Observer.INTERCEPTOR, Exposure.EXPOSED, found)
    assert titles(shown) == ["HTTP", "Text"]
    assert shown.layers[0].lines[0] == "POST /v1/x HTTP/1.1"


def test_who_was_refused_shows_how_the_connection_began_and_that_nothing_came_after_it() -> None:
    shown = opened(intercepted(piece(HELLO)), Observer.INTERCEPTOR, Exposure.HIDDEN)
    assert titles(shown) == ["Bytes on the wire", "TLS record"]
    assert shown.end == "Here it stops. Nothing came after this: the app broke off the connection."


def test_who_only_passed_on_what_is_encrypted_has_no_keys() -> None:
    down = replace(piece(HELLO), direction=Direction.TO_CLIENT)
    shown = opened(intercepted(piece(HELLO), down), Observer.INTERCEPTOR, Exposure.HIDDEN)
    assert "interceptor has none" in shown.end


def test_a_recipient_is_shown_where_a_message_is_addressed() -> None:
    requests = (
        (b"POST /v1/accounts HTTP/1.1", b'{"name":"bob-1"}'),
        (
            b"POST /v1/conversations HTTP/1.1",
            b'{"members":["bob-1"]}',
        ),
    )
    capture = recorded(
        Mode.TLS,
        *(
            Observation(Observer.SERVER, place, "1", UP, 4.0, data, number)
            for number, request in enumerate(requests, start=1)
            for place, data in zip(("http.request_line", "http.body"), request, strict=True)
        ),
    )
    joined, addressed = (Evidence("http.body", "1", UP, ((9, 14),), (), "bob-1", 0, body) for _, body in requests)
    shown = opened(capture, Observer.SERVER, Exposure.EXPOSED, joined, addressed, secret=SecretName.RECIPIENT)
    assert shown.layers[0].lines[0] == "POST /v1/conversations HTTP/1.1"
    shown = opened(capture, Observer.SERVER, Exposure.EXPOSED, joined, addressed, secret=SecretName.SENDER)
    assert shown.layers[0].lines[0] == "POST /v1/accounts HTTP/1.1"


def test_the_storage_shows_where_the_message_stands() -> None:
    data = bytes(100) + b"message-1" + bytes(10)
    capture = recorded(Mode.E2EE, Observation(Observer.DATABASE, "database.file", "", Direction.AT_REST, 9.0, data))
    shown = opened(capture, Observer.DATABASE, Exposure.HIDDEN)
    assert titles(shown) == ["Bytes on the disk"]
    assert "message-1" in "".join(line.split("  ")[-1] for line in shown.layers[0].lines)
    assert "the phones alone; database has none" in shown.end
    found = Evidence("database.file", "", Direction.AT_REST, ((100, 109),), (), "message-1", 90, data[90:110])
    shown = opened(capture, Observer.DATABASE, Exposure.EXPOSED, found)
    assert titles(shown) == ["Bytes on the disk", "Text"]
    assert shown.layers[0].lines[0].split()[0] == "90"


def test_in_place_of_a_password_stands_its_hash() -> None:
    data = bytes(100) + b"alice-1$argon2id$v=19$"
    capture = recorded(Mode.TLS, Observation(Observer.DATABASE, "database.file", "", Direction.AT_REST, 9.0, data))
    logged_in = Statement("alice", Deed.LOGGED_IN, 1.0, "alice-1", password="pass-1")
    capture = replace(
        capture,
        secrets=(Secret(SecretName.PASSWORD, b"pass-1"),),
        statements=(*capture.statements, logged_in, Statement("bob", Deed.LOGGED_IN, 2.0, "bob-1", password="pass-2")),
    )
    shown = opened(capture, Observer.DATABASE, Exposure.HIDDEN, secret=SecretName.PASSWORD)
    assert "what is kept in its place" in shown.layers[0].note
    assert "$argon2id" in "".join(line.split("  ")[-1] for line in shown.layers[0].lines)


def test_whoever_has_a_key_that_fits_goes_through_the_envelope() -> None:
    capture = sealed()
    found = Evidence("opened.envelope", "", UP, ((0, 9),), (), TEXT.decode())
    for observer in (Observer.SERVER, Observer.DEVICE):
        shown = opened(capture, observer, Exposure.EXPOSED, found)
        assert titles(shown) == ["HTTP", "Envelope", "Text"]
        assert "what a server without keys makes of them" in shown.layers[1].note
        assert f"{observer} had a key that fits" in shown.layers[2].note
    shown = opened(capture, Observer.DEVICE, Exposure.HIDDEN)
    assert titles(shown) == ["HTTP", "Envelope"]
    assert shown.end == "Here it stops. None of the keys on the copied phone opens the ciphertext."


def test_what_is_worked_out_stands_beside_the_truth() -> None:
    capture = recorded(Mode.TLS, piece(b"\x17\x03\x03\x00\x01."))
    shown = opened(capture, Observer.NETWORK, Exposure.INFERRED, secret=SecretName.SIZE)
    assert titles(shown) == ["Bytes on the wire", "TLS record", "Worked out"]
    assert shown.layers[2].lines == ("worked out 33 bytes, true 31 bytes",)
    padded = opened(capture, Observer.NETWORK, Exposure.HIDDEN, secret=SecretName.SIZE, alike=(16, 90))
    assert padded.layers[2].lines == ("worked out 16–90 bytes, true 31 bytes",)
    assert padded.end == "Here it stops. Messages of all these sizes look exactly the same."


def test_a_german_reader_gets_the_estimates_and_the_reason_in_german() -> None:
    capture = recorded(Mode.TLS, piece(b"\x17\x03\x03\x00\x01."))
    shown = opened(capture, Observer.NETWORK, Exposure.INFERRED, secret=SecretName.SIZE, words=GERMAN)
    assert shown.layers[2].lines == ("erschlossen 33 Bytes, wahr 31 Bytes",)
    nothing = opened(recorded(Mode.TLS), Observer.SERVER, Exposure.INCONCLUSIVE, words=GERMAN)
    assert nothing.end == "Hier ist Schluss. Nicht gefunden, und alle 5 Kontrollen sind bestanden."


def test_a_record_with_nothing_in_it_says_so() -> None:
    for observer in OBSERVERS:
        shown = opened(recorded(Mode.TLS), observer, Exposure.INCONCLUSIVE)
        assert shown.layers[0].note == "The record holds nothing that could be shown for this."
        assert shown.end == "Here it stops. Not found, and all 5 controls passed."


def test_long_base64_is_cut_and_other_text_is_not() -> None:
    long = base64_of(bytes(200))
    body = b'{"data":"%b","text":"%b"}' % (long.encode(), b"a b" * 40)
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    found = Evidence("http.body", "2", UP, ((60, 61),), (), "x")
    lines = opened(recorded(Mode.PLAINTEXT, piece(request)), Observer.NETWORK, Exposure.EXPOSED, found).layers[1].lines
    assert long not in lines[1]
    assert "a b" * 40 in lines[1]
