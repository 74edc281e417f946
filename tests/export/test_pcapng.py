"""The packets, read back by a reader of the tests' own: every recorded byte once, in order, sound to the last bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.export.pcapng import LONGEST, checksum, to_pcapng
from lab.model import Capture, Direction, Event, LabError, Mode, Note, Observation, Observer, Story

from .reading import Segment, adds_up, segments

STORY = Story("tour", "Ein Schloß", Mode.TLS, (Observer.NETWORK,), 1_700_000_000.0)
WAYS = (Direction.TO_SERVICE, Direction.TO_CLIENT)
STARTED = 1_700_000_000.0
CLIENT_PORT = 40_000
UNKNOWN = "0.0.0.0"  # noqa: S104 - nothing is bound to it


def note(event: Event, time: float, connection: str = "1", detail: str = "") -> Note:
    return Note(Observer.NETWORK, event, time, connection, detail)


def opened(time: float, connection: str = "1") -> Note:
    return note(Event.OPENED, time, connection, f"127.0.0.1:{CLIENT_PORT + int(connection)}")


def piece(data: bytes, time: float, way: Direction = Direction.TO_SERVICE, connection: str = "1") -> Observation:
    return Observation(Observer.NETWORK, "tcp.stream", connection, way, time, data)


def capture_of(*items: Observation | Note, story: Story = STORY) -> Capture:
    return Capture(
        story,
        observations=tuple(item for item in items if isinstance(item, Observation)),
        notes=tuple(item for item in items if isinstance(item, Note)),
    )


def streams(found: list[Segment]) -> dict[tuple[tuple[str, int], tuple[str, int]], bytes]:
    """What a receiver puts together; each segment must come where the one before it ended, and confirm what came."""
    joined: dict[tuple[tuple[str, int], tuple[str, int]], bytes] = defaultdict(bytes)
    expected: dict[tuple[tuple[str, int], tuple[str, int]], int] = {}
    for one in found:
        way, back = (one.source, one.target), (one.target, one.source)
        assert one.sequence == expected.get(way, one.sequence)
        expected[way] = (one.sequence + len(one.data) + ("S" in one.flags) + ("F" in one.flags)) % (1 << 32)
        if "A" in one.flags and back in expected:
            assert one.acknowledged == expected[back]
        joined[way] += one.data
    return joined


class TestReal:
    @pytest.mark.parametrize("mode", Mode)
    def test_every_recorded_byte_is_there_once_and_in_order(self, captures: Mapping[Mode, Capture], mode: Mode) -> None:
        recording = captures[mode]
        found = segments(to_pcapng(recording))
        joined = streams(found)
        peers = {
            one.connection: one.detail
            for one in recording.notes
            if one.observer is Observer.NETWORK and one.event is Event.OPENED
        }
        assert len(peers) > 2
        assert len(joined) == 2 * len(peers)
        for connection, peer in peers.items():
            host, _, port = peer.rpartition(":")
            client, service = (host, int(port)), ("127.0.0.1", 80 if mode is Mode.PLAINTEXT else 443)
            for way, ends in zip(WAYS, ((client, service), (service, client)), strict=True):
                assert joined[ends] == b"".join(
                    one.data
                    for one in recording.observations
                    if (one.observer, one.connection, one.direction) == (Observer.NETWORK, connection, way)
                )

    def test_each_piece_is_a_segment_at_its_time(self, captures: Mapping[Mode, Capture]) -> None:
        found = segments(to_pcapng(captures[Mode.TLS]))
        pieces = [one for one in captures[Mode.TLS].observations if one.observer is Observer.NETWORK]
        assert sorted((one.time, one.data) for one in found if one.data) == sorted(
            (round(one.time * 1e6), one.data) for one in pieces
        )
        assert [one.time for one in found] == sorted(one.time for one in found)

    def test_the_same_recording_gives_the_same_file(self, captures: Mapping[Mode, Capture]) -> None:
        assert to_pcapng(captures[Mode.TLS]) == to_pcapng(captures[Mode.TLS])

    def test_nothing_is_in_it_that_the_observer_did_not_have(self, captures: Mapping[Mode, Capture]) -> None:
        recording = captures[Mode.TLS]
        stripped = replace(
            recording,
            tls_keys=(),
            secrets=(),
            statements=(),
            claims=(),
            observations=tuple(one for one in recording.observations if one.observer is Observer.NETWORK),
            notes=tuple(one for one in recording.notes if one.observer is Observer.NETWORK),
        )
        assert to_pcapng(recording) == to_pcapng(stripped)


class TestMadeUp:
    def test_a_connection_from_first_to_last(self) -> None:
        recording = capture_of(
            opened(STARTED),
            piece(b"question", STARTED + 1),
            piece(b"answer", STARTED + 2, Direction.TO_CLIENT),
            note(Event.CLOSED, STARTED + 3),
        )
        found = segments(to_pcapng(recording))
        client, service = ("127.0.0.1", CLIENT_PORT + 1), ("127.0.0.1", 443)
        assert [(one.source, one.flags, one.data) for one in found] == [
            (client, "S", b""),
            (service, "SA", b""),
            (client, "A", b""),
            (client, "PA", b"question"),
            (service, "PA", b"answer"),
            (client, "FA", b""),
            (service, "FA", b""),
            (client, "A", b""),
        ]
        assert [one.time / 1e6 - STARTED for one in found] == [0, 0, 0, 1, 2, 3, 3, 3]
        assert found[0].comment == "connection 1"

    def test_a_connection_that_broke_ends_with_a_reset_that_says_why(self) -> None:
        recording = capture_of(opened(1), piece(b"x", 2), note(Event.BROKEN, 3, detail="Verbindung zurückgesetzt"))
        assert [one.flags for one in segments(to_pcapng(recording))] == ["S", "SA", "A", "PA", "RA"]
        assert segments(to_pcapng(recording))[-1].comment == "broken: Verbindung zurückgesetzt"

    def test_what_broke_on_the_way_to_a_good_end_does_not_end_it(self) -> None:
        recording = capture_of(opened(1), note(Event.BROKEN, 2), piece(b"x", 3), note(Event.CLOSED, 4))
        assert "".join(one.flags for one in segments(to_pcapng(recording))) == "SSAAPAFAFAA"

    def test_a_record_cut_short_has_no_end(self) -> None:
        assert [one.flags for one in segments(to_pcapng(capture_of(opened(1), piece(b"x", 2))))] == [
            *("S", "SA", "A"),
            "PA",
        ]

    def test_pieces_without_a_beginning_come_from_an_address_that_says_so(self) -> None:
        recording = capture_of(piece(b"x", 1, connection=""), piece(b"y", 2, Direction.TO_CLIENT, "7"))
        found = segments(to_pcapng(recording))
        assert [(one.source, one.data) for one in found] == [((UNKNOWN, 1), b"x"), (("127.0.0.1", 443), b"y")]
        assert found[1].target == (UNKNOWN, 2)

    @pytest.mark.parametrize("peer", ["", "nonsense", "::1:4000", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:70000"])
    def test_so_does_an_address_that_is_none(self, peer: str) -> None:
        recording = capture_of(note(Event.OPENED, 1, detail=peer), piece(b"x", 2))
        assert segments(to_pcapng(recording))[0].source == (UNKNOWN, 1)

    def test_words_of_any_length_fit(self) -> None:
        long = "\ud800ß" * 40_000  # half a character, as a damaged recording may have it
        recording = capture_of(opened(1), note(Event.BROKEN, 2, detail=long), piece(b"x", 2))
        assert segments(to_pcapng(replace(recording, story=replace(STORY, title=long))))[-1].comment.startswith(
            "broken"
        )

    @pytest.mark.parametrize("size", [LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST])
    def test_only_what_is_longer_than_a_packet_is_split(self, size: int) -> None:
        found = [one for one in segments(to_pcapng(capture_of(opened(1), piece(b"x" * size, 2)))) if one.data]
        assert sum(len(one.data) for one in found) == size
        assert len(found) == -(-size // LONGEST)
        assert {one.time for one in found} == {2_000_000}

    def test_a_clock_that_is_set_back_does_not_turn_the_order_round(self) -> None:
        recording = capture_of(opened(5), piece(b"first", 9), piece(b"second", 3), note(Event.CLOSED, 4))
        found = segments(to_pcapng(recording))
        assert [one.data for one in found if one.data] == [b"first", b"second"]
        assert [one.time for one in found] == [5e6] * 3 + [9e6] * 5

    def test_nothing_recorded_is_an_error(self) -> None:
        with pytest.raises(LabError, match="network observer recorded nothing"):
            to_pcapng(capture_of(replace(piece(b"x", 1), observer=Observer.SERVER), opened(1)))


@given(st.binary(max_size=400))
def test_with_its_checksum_data_adds_up(data: bytes) -> None:
    data += b"\0" * (len(data) % 2)
    assert adds_up(data + checksum(data)) or not any(data)


NUMBERS = st.sampled_from(["1", "2", "3"])
PIECES = st.builds(
    piece,
    st.binary(max_size=64) | st.integers(LONGEST - 2, 2 * LONGEST + 2).map(bytes),
    st.floats(),  # a damaged recording may say anything
    st.sampled_from(WAYS),
    NUMBERS,
)
NOTES = st.builds(
    note, st.sampled_from([Event.OPENED, Event.CLOSED, Event.BROKEN]), st.floats(), NUMBERS, st.text(max_size=20)
)


@given(st.lists(PIECES, min_size=1, max_size=8), st.lists(NOTES, max_size=6), st.text(max_size=30))
def test_whatever_was_recorded_is_a_sound_file(pieces: list[Observation], notes: list[Note], title: str) -> None:
    recording = capture_of(*pieces, *notes, story=replace(STORY, title=title))
    found = segments(to_pcapng(recording))
    assert [one.time for one in found] == sorted(one.time for one in found)
    joined = streams(found)
    recorded: dict[tuple[str, Direction], bytes] = defaultdict(bytes)
    for one in pieces:
        recorded[one.connection, one.direction] += one.data
    assert sorted(filter(None, joined.values())) == sorted(filter(None, recorded.values()))
