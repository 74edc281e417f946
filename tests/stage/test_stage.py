"""The stage with real taps and the real service: what every observer gets of one request, and what is left of it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab import capture, detect
from lab.capture import Writer
from lab.messenger.wire import Route, Wire, WireError
from lab.model import (
    Capture,
    Direction,
    Event,
    Missing,
    Mode,
    Note,
    Observation,
    Observer,
    Secret,
    SecretName,
    Story,
)
from lab.scenario.vocabulary import ON_STAGE
from lab.stage.attackers import MEDDLER, Attackers
from lab.stage.certificates import make_authority
from lab.stage.process import Child, ChildError
from lab.stage.stage import Stage, Venue, open_stage, tap_arguments
from lab.stage.starting import Starter

HOST = "chat.lab.test"
PASSWORD = "correct horse battery staple"


class Session:
    """One conversation of one request: somebody makes an account, whose name is the secret."""

    def __init__(self, stage: Stage, mode: Mode, path: Path) -> None:
        self.stage = stage
        self.mode = mode
        self.path = path
        self.name = f"alice-{secrets.token_hex(8)}"
        self.connected: list[str] = []

    @contextmanager
    def open(self) -> Iterator[Venue]:
        story = Story("lesson", "A test", self.mode, ON_STAGE, 1_700_000_000.0)
        with Writer(self.path, story) as writer, self.stage.session(self.mode, HOST, writer) as venue:
            yield venue

    @contextmanager
    def client(self, venue: Venue) -> Iterator[Wire]:
        def connected(local: tuple[str, int]) -> None:
            self.connected.append(f"{local[0]}:{local[1]}")

        with closing(Wire(Route(venue.url, venue.address, venue.authority), connected)) as wire:
            yield wire

    def join(self, wire: Wire) -> None:
        answer = wire.call("POST", "/v1/accounts", {"name": self.name, "password": PASSWORD})
        assert answer["name"] == self.name

    def play(self) -> Capture:
        with self.open() as venue, self.client(venue) as wire:
            self.join(wire)
        return capture.read(self.path)


def of(taken: Capture, observer: Observer) -> list[Observation]:
    return [one for one in taken.observations if one.observer is observer]


def notes_of(taken: Capture, observer: Observer) -> list[Note]:
    return [one for one in taken.notes if one.observer is observer]


def sees(taken: Capture, observer: Observer, value: str) -> bool:
    """Whether `value` can be read in what the observer got."""
    secret = Secret(SecretName.SENDER, value.encode())
    return bool(detect.find([secret], of(taken, observer)).findings)


@pytest.fixture(scope="module", params=list(Mode))
def played(request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session that was held, in each of the modes; its capture is in its path."""
    session = Session(stage, request.param, tmp_path_factory.mktemp("captures") / f"{request.param}.capture.jsonl")
    session.play()
    return session


@pytest.fixture
def taken(played: Session) -> Capture:
    return capture.read(played.path)


def test_the_record_is_whole(taken: Capture, played: Session) -> None:
    assert taken.missing == ()
    assert played.stage.intact


def test_the_network_recorded_this_connection_in_both_directions(taken: Capture, played: Session) -> None:
    got = of(taken, Observer.NETWORK)
    assert {one.direction for one in got} == {Direction.TO_SERVICE, Direction.TO_CLIENT}
    assert {one.connection for one in got} == {"1"}
    assert all(one.data for one in got)
    assert [one.time for one in got] == sorted(one.time for one in got)
    # Its own notes name the client's own address, and a clean end of the connection and of the conversation.
    assert [(note.event, note.connection, note.detail) for note in notes_of(taken, Observer.NETWORK)] == [
        (Event.OPENED, "1", *played.connected),
        (Event.CLOSED, "1", ""),
        (Event.SEGMENT, "", str(len(got))),
    ]


def test_the_network_reads_along_only_without_tls(taken: Capture, played: Session) -> None:
    assert sees(taken, Observer.NETWORK, played.name) is (played.mode is Mode.PLAINTEXT)
    assert sees(taken, Observer.NETWORK, PASSWORD) is (played.mode is Mode.PLAINTEXT)
    first = next(one.data for one in of(taken, Observer.NETWORK) if one.direction is Direction.TO_SERVICE)
    assert first.startswith(b"POST /v1/accounts HTTP/1.1\r\n" if played.mode is Mode.PLAINTEXT else b"\x16\x03\x01")


def test_the_network_sees_the_name_of_the_service_in_every_mode(taken: Capture) -> None:
    assert sees(taken, Observer.NETWORK, HOST)


def test_the_server_recorded_the_request_and_its_answer(taken: Capture, played: Session) -> None:
    got = {(one.direction, one.place): one.data for one in of(taken, Observer.SERVER)}
    assert got[Direction.TO_SERVICE, "http.request_line"] == b"POST /v1/accounts HTTP/1.1"
    assert f"Host: {HOST}\r\n".encode() in got[Direction.TO_SERVICE, "http.header"]
    assert played.name.encode() in got[Direction.TO_SERVICE, "http.body"]
    assert got[Direction.TO_CLIENT, "http.status_line"].startswith(b"HTTP/1.1 201 ")
    assert played.name.encode() in got[Direction.TO_CLIENT, "http.body"]
    assert {(one.connection, one.exchange) for one in of(taken, Observer.SERVER)} == {("1", 1)}
    assert [note.event for note in notes_of(taken, Observer.SERVER)] == [Event.OPENED, Event.CLOSED, Event.SEGMENT]


def test_the_database_was_copied_after_the_row_was_written(taken: Capture, played: Session) -> None:
    got = of(taken, Observer.DATABASE)
    assert {one.place for one in got} == {"database.file", "database.wal", "service.log"}
    assert {one.direction for one in got} == {Direction.AT_REST}
    assert sees(taken, Observer.DATABASE, played.name)
    assert not sees(taken, Observer.DATABASE, PASSWORD)  # which is stored as a hash
    last_answer = max(one.time for one in of(taken, Observer.SERVER))
    assert min(one.time for one in got) >= last_answer


def test_a_venue_names_the_service_and_where_to_dial_it(stage: Stage, tmp_path: Path) -> None:
    with Session(stage, Mode.TLS, tmp_path / "one").open() as venue:
        assert venue.url == f"https://{HOST}"
        assert venue.address[0] == "127.0.0.1"
        assert b"PRIVATE" not in venue.authority.read_bytes()
        assert stat.S_IMODE(venue.devices.stat().st_mode) == 0o700
    with Session(stage, Mode.PLAINTEXT, tmp_path / "two").open() as venue:
        assert venue.url == f"http://{HOST}"


def test_a_client_that_trusts_somebody_else_says_nothing_to_the_service(stage: Stage, tmp_path: Path) -> None:
    session = Session(stage, Mode.TLS, tmp_path / "capture")
    with session.open() as venue:
        stranger = tmp_path / "stranger.pem"
        stranger.write_bytes(make_authority("Lab CA of this run").pem)
        wire = Wire(Route(venue.url, venue.address, stranger), lambda _: None)
        with closing(wire), pytest.raises(WireError, match="certificate verify failed"):
            session.join(wire)
    taken = capture.read(session.path)
    assert not sees(taken, Observer.SERVER, session.name)
    assert Session(stage, Mode.TLS, tmp_path / "twin").play().missing == ()


def test_a_session_that_carried_nothing_has_nothing_but_its_end(stage: Stage, tmp_path: Path) -> None:
    session = Session(stage, Mode.TLS, tmp_path / "capture")
    with session.open():
        pass
    taken = capture.read(session.path)
    assert of(taken, Observer.NETWORK) == of(taken, Observer.SERVER) == []
    assert [(note.observer, note.event) for note in taken.notes] == [
        (Observer.NETWORK, Event.SEGMENT),
        (Observer.SERVER, Event.SEGMENT),
    ]


def test_a_second_session_has_nothing_of_the_first(stage: Stage, tmp_path: Path) -> None:
    first = Session(stage, Mode.PLAINTEXT, tmp_path / "first")
    second = Session(stage, Mode.PLAINTEXT, tmp_path / "second")
    one, two = first.play(), second.play()
    for observer in ON_STAGE:
        assert sees(one, observer, first.name), observer
        assert sees(two, observer, second.name), observer
        assert not sees(two, observer, first.name), observer
        assert not sees(one, observer, second.name), observer
    assert {note.connection for note in two.notes} == {"1", ""}, "connections are counted anew"


def test_of_two_sessions_at_the_same_time_each_observer_gets_its_own(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own:
        lanes = own.lanes(2)
        assert len(lanes) == 2
        both = [Session(lane, Mode.PLAINTEXT, tmp_path / str(number)) for number, lane in enumerate(lanes)]
        with ExitStack() as held:
            wires = [held.enter_context(one.client(held.enter_context(one.open()))) for one in both]
            for one, wire in zip(both, wires, strict=True):
                one.join(wire)
            for wire in wires:
                wire.call("GET", "/openapi.json")
        children = {child for lane in lanes for child in lane.children}
        assert len(children) == 5  # two taps each, and the service
        assert all(lane.intact for lane in lanes)
        os.kill(lanes[1].network.pid, signal.SIGKILL)
        with pytest.raises(ChildError):  # which takes until it is gone
            lanes[1].network.ask({"checkpoint": {}})
        assert [lane.intact for lane in lanes] == [True, False]
        own.end()
        assert not any(child.alive for child in children)
        with pytest.raises(ChildError, match="the service"):
            Session(lanes[0], Mode.PLAINTEXT, tmp_path / "late").play()
    for one, other in (both, reversed(both)):
        taken = capture.read(one.path)
        assert taken.missing == ()
        for observer in ON_STAGE:
            assert sees(taken, observer, one.name), observer
            assert not sees(taken, observer, other.name), observer


def listening(pids: set[int]) -> dict[int, set[str]]:
    """The local addresses on which each of the processes waits for anybody, as Linux lists them."""
    found: dict[int, set[str]] = {pid: set() for pid in pids}
    sockets: dict[str, str] = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            # State 0A is LISTEN; a UDP socket (07) takes in whatever comes.
            if fields[3] == ("0A" if table.startswith("tcp") else "07"):
                sockets[fields[9]] = _address(fields[1].partition(":")[0])
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                inode = str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
                if inode in sockets:
                    found[pid].add(sockets[inode])
    return found


def _address(text: str) -> str:
    """An address as /proc writes it: 32-bit words in the machine's own byte order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, "little") for at in range(0, len(text), 8)]
    return str(ip_address(b"".join(words)))


linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux lists the sockets of a process")


@linux
def test_everything_listens_on_loopback_only(stage: Stage, tmp_path: Path) -> None:
    with Session(stage, Mode.E2EE, tmp_path / "capture").open():
        found = listening({child.pid for child in stage.children})
    assert found == {child.pid: {"127.0.0.1"} for child in stage.children}


@linux
def test_the_list_of_listeners_tells_addresses_apart() -> None:
    with (
        socket.create_server(("127.0.0.2", 0)),
        socket.create_server(("::1", 0), family=socket.AF_INET6),
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as datagrams,
    ):
        datagrams.bind(("127.0.0.3", 0))
        assert listening({os.getpid()})[os.getpid()] >= {"127.0.0.2", "::1", "127.0.0.3"}


def key_files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]


def test_only_their_owner_can_read_keys_and_records(stage: Stage, tmp_path: Path) -> None:
    assert stat.S_IMODE(stage.directory.stat().st_mode) == 0o700
    session = Session(stage, Mode.TLS, tmp_path / "capture")
    with session.open() as venue, session.client(venue) as wire:
        session.join(wire)
        keys = key_files(stage.directory)
        assert len(keys) >= 3  # one for each tap, and the front end's
        records = list(stage.directory.rglob("*.jsonl"))
        assert len(records) >= 2
        assert {stat.S_IMODE(path.stat().st_mode) for path in (*keys, *records)} == {0o600}


def test_nothing_is_left_of_a_stage_and_nothing_was_put_into_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with open_stage() as own:
        Session(own, Mode.TLS, tmp_path / "capture").play()
        children, directory = own.children, own.directory
        assert all(child.alive for child in children)
        assert directory.is_dir()
    assert not any(child.alive for child in children)
    assert not directory.exists()
    assert list(home.rglob("*")) == []
    # A tap that is not told where its files belong would put them there.
    with closing(Child("tap", tap_arguments("network_observer"), tmp_path)) as tap:
        tap.ready()
        tap.ask({"listen": {"mode": ["reverse:tcp://127.0.0.1:9@127.0.0.1:0"]}})
    assert list(home.rglob("*.pem")) != []


def test_a_stage_that_fails_to_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("lab.stage.stage._TAP", "raise SystemExit('no room')")
    with pytest.raises(ChildError, match="no room"), open_stage() as own:
        own.ready()
    assert list(tmp_path.iterdir()) == []


def test_a_tap_that_dies_is_missing_from_the_record(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own:
        session = Session(own, Mode.PLAINTEXT, tmp_path / "capture")
        assert own.intact
        with session.open() as venue, session.client(venue) as wire:
            session.join(wire)
            os.kill(own.network.pid, signal.SIGKILL)
            with pytest.raises(WireError):
                wire.call("GET", "/v1/conversations")
        assert not own.intact
        taken = capture.read(session.path)
    assert [one.observer for one in taken.missing] == [Observer.NETWORK]
    assert re.fullmatch(r"the network tap .*\(exit status -9\)", taken.missing[0].what)
    assert Event.SEGMENT not in [note.event for note in notes_of(taken, Observer.NETWORK)]
    # The others go on recording.
    assert sees(taken, Observer.SERVER, session.name)
    assert sees(taken, Observer.DATABASE, session.name)


def test_a_service_that_dies_is_missing_from_the_record(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own:
        session = Session(own, Mode.PLAINTEXT, tmp_path / "capture")
        with session.open() as venue, session.client(venue) as wire:
            session.join(wire)
            os.kill(own.service.pid, signal.SIGKILL)
            with pytest.raises(WireError):
                wire.call("GET", "/v1/conversations")
        assert not own.intact
    taken = capture.read(session.path)
    assert [one.observer for one in taken.missing] == [Observer.DATABASE]


def test_a_connection_that_stays_open_leaves_the_record_without_a_clean_end(
    starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.stage.stage.DRAIN_SECONDS", 0.05)
    with open_stage(starter) as own:
        session = Session(own, Mode.PLAINTEXT, tmp_path / "capture")
        with session.open() as venue:
            kept = session.client(venue)
            session.join(kept.__enter__())
        taken = capture.read(session.path)
        assert taken.missing == (
            Missing("the network tap could not end: TimeoutError", Observer.NETWORK),
            Missing("the server tap could not end: TimeoutError", Observer.SERVER),
        )
        assert [note.event for note in taken.notes] == [Event.OPENED, Event.OPENED]
        assert sees(taken, Observer.NETWORK, session.name), "what was recorded until then is there"
        # Nobody died: once the client has gone, the next session is whole.
        assert own.intact
        kept.__exit__(None, None, None)
        monkeypatch.undo()
        again = Session(own, Mode.PLAINTEXT, tmp_path / "again")
        whole = again.play()
        assert whole.missing == ()
        assert not sees(whole, Observer.NETWORK, session.name)


def test_a_conversation_that_is_interrupted_leaves_a_record_that_ends_early(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own:
        session = Session(own, Mode.PLAINTEXT, tmp_path / "capture")

        def interrupted() -> None:
            with session.open() as venue, session.client(venue) as wire:
                session.join(wire)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert not own.intact
    assert capture.read(session.path).missing == (Missing("the capture ends early"),)


def test_a_port_that_is_taken_is_named_and_a_free_one_is_taken_instead(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own, socket.create_server(("127.0.0.1", 0)) as other:
        own.ready()
        port = other.getsockname()[1]
        with pytest.raises(ChildError) as caught:
            own.network.ask({"listen": {"mode": [f"reverse:tcp://127.0.0.1:1@127.0.0.1:{port}"]}})
        sentence = str(caught.value)
        assert sentence.startswith("the network tap could not listen: ")
        assert f"failed to listen on 127.0.0.1:{port} with " in sentence
        assert "\n" not in sentence
        assert Session(own, Mode.TLS, tmp_path / "capture").play().missing == ()


def test_a_snapshot_holds_what_passed_so_far_and_the_record_goes_on(stage: Stage, tmp_path: Path) -> None:
    session = Session(stage, Mode.TLS, tmp_path / "whole")
    with session.open() as venue, session.client(venue) as wire:
        session.join(wire)
        for number in (1, 2):
            with Writer(tmp_path / f"{number}", Story("lesson", "A test", Mode.TLS, ON_STAGE, 1.0)) as writer:
                stage.snapshot(venue, writer)
            if number == 1:
                wire.call("GET", "/openapi.json")
    first, second, whole = (capture.read(tmp_path / name) for name in ("1", "2", "whole"))
    for observer in (Observer.NETWORK, Observer.SERVER):
        got = [len(of(one, observer)) for one in (first, second, whole)]
        assert got[0] < got[1] <= got[2]
        events = [note.event for note in notes_of(second, observer)]
        assert events.count(Event.CHECKPOINT) == 2
        assert Event.CLOSED not in events
        for one, count in ((first, got[0]), (second, got[1])):
            last = notes_of(one, observer)[-1]
            assert (last.event, last.detail) == (Event.CHECKPOINT, str(count))
        assert notes_of(whole, observer)[-1].event is Event.SEGMENT
    assert sees(first, Observer.SERVER, session.name)
    assert sees(first, Observer.DATABASE, session.name)
    assert not sees(first, Observer.NETWORK, session.name)
    assert first.missing == second.missing == whole.missing == ()


def test_without_a_recording_there_is_no_checkpoint(stage: Stage) -> None:
    with pytest.raises(ChildError, match="could not checkpoint: nothing is being recorded"):
        stage.network.ask({"checkpoint": {}})
    assert stage.intact


def test_a_command_that_no_tap_knows_is_refused(stage: Stage) -> None:
    with pytest.raises(ChildError, match=r"^the network tap could not dance: a tap knows no command \{'dance': 1\}$"):
        stage.network.ask({"dance": 1})
    assert stage.intact


def test_a_stage_without_one_of_its_attackers_is_not_intact(starter: Starter, tmp_path: Path) -> None:
    with open_stage(starter) as own:
        story = Story("lesson", "A test", Mode.PLAINTEXT, ON_STAGE, 1.0)
        with (
            Writer(tmp_path / "capture", story) as writer,
            own.session(Mode.PLAINTEXT, HOST, writer, Attackers(behind=(MEDDLER,))),
        ):
            assert own.act(MEDDLER, {"done": {}}) == {"done": [], "refused": []}
        assert own.intact
        os.kill(own._attackers[MEDDLER].pid, signal.SIGKILL)
        with pytest.raises(ChildError):  # which takes until it is gone
            own.act(MEDDLER, {"done": {}})
        assert not own.intact
