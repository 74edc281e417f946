"""Messages as they come: the event stream over a real connection to a real server."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Self

import pytest

from lab.service.accounts import Session
from lab.service.config import Config
from lab.service.events import Events, stream
from lab.service.messages import BATCH
from lab.service.schemas import Message
from lab.service.server import RunningService

from .conftest import Clock, encoded, envelope

# Seconds a test waits for what does not come; nothing waits that long when all is well.
GUARD = 120.0

type Event = dict[str, str]


class Stream:
    """An open event stream, read line by line."""

    def __init__(self, port: int, token: str, query: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=GUARD)
        self.connection.request("GET", f"/v1/events{query}", headers={"Authorization": f"Bearer {token}"})
        self.response: HTTPResponse = self.connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.connection.close()

    def lines(self) -> list[str]:
        """The lines of the next block; none at the end of the stream."""
        lines = []
        while line := self.response.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines

    def event(self) -> Event:
        return dict(line.split(": ", 1) for line in self.lines())

    def members(self) -> Any:
        event = self.event()
        assert event["event"] == "members"
        assert "id" not in event
        return json.loads(event["data"])

    def message(self) -> Any:
        event = self.event()
        assert event["event"] == "message"
        message = json.loads(event["data"])
        assert event["id"] == str(message["sequence"])
        return message


class User:
    """Someone who talks to a running service."""

    def __init__(self, service: RunningService, token: str) -> None:
        self.service = service
        self.token = token

    def send(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.service.port, timeout=GUARD)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        with connection.getresponse() as response:
            content = response.read()
        connection.close()
        assert response.status < 300, content
        return json.loads(content) if content else None

    def say(self, conversation: str, text: str) -> str:
        path = f"/v1/conversations/{conversation}/messages"
        identifier: str = self.send("POST", path, {"content": {"text": text}})["id"]
        return identifier

    def send_to(self, conversation: str, device: int | None, *envelopes: dict[str, Any], **more: object) -> str:
        path = f"/v1/conversations/{conversation}/messages"
        body = {"device": device, "envelopes": envelopes, **more}
        identifier: str = self.send("POST", path, body)["id"]
        return identifier

    def has_devices(self, *numbers: int) -> None:
        self.send("PUT", "/v1/device-list", {"devices": numbers, "data": ""})

    def stream(self, query: str = "") -> Stream:
        return Stream(self.service.port, self.token, query)


type Join = Callable[[RunningService, str], User]


@pytest.fixture
def run(config: Config) -> Iterator[Callable[..., RunningService]]:
    """Runs services with changed settings until the test is over."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(RunningService(replace(config, **settings)))


@pytest.fixture
def join(enrol: Callable[[str], str]) -> Join:
    """Lets someone use a running service."""
    return lambda service, name: User(service, enrol(name))


@pytest.fixture
def service(run: Callable[..., RunningService]) -> RunningService:
    return run()


@pytest.fixture
def alice(service: RunningService, join: Join) -> User:
    return join(service, "alice")


@pytest.fixture
def bob(service: RunningService, join: Join) -> User:
    return join(service, "bob")


@pytest.fixture
def conversation(alice: User, bob: User) -> str:
    identifier: str = alice.send("POST", "/v1/conversations", {"members": ["bob"]})["id"]
    return identifier


def test_it_says_when_it_is_live(alice: User) -> None:
    with alice.stream() as stream:
        assert stream.response.status == 200
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        assert stream.response.headers["Cache-Control"] == "no-store"
        assert stream.response.headers["Server"] is None
        assert stream.event() == {"event": "ready", "data": "{}"}


def test_a_message_arrives_as_its_reader_would_list_it(alice: User, bob: User, conversation: str) -> None:
    with bob.stream() as stream:
        stream.event()
        alice.say(conversation, "Grüße\n\nzwei Zeilen ☕")
        message = stream.message()
        assert message["text"] == "Grüße\n\nzwei Zeilen ☕"
        assert bob.send("GET", f"/v1/conversations/{conversation}/messages") == {"messages": [message]}


def test_an_envelope_arrives_at_its_recipient(alice: User, bob: User, conversation: str) -> None:
    with bob.stream() as stream:
        stream.event()
        alice.send_to(conversation, None, envelope("bob", b"sealed"))
        assert stream.message()["envelope"] == encoded(b"sealed")


def test_only_what_others_said_arrives(
    service: RunningService, join: Join, alice: User, bob: User, conversation: str
) -> None:
    carol = join(service, "carol")
    elsewhere = carol.send("POST", "/v1/conversations", {"members": ["alice"]})["id"]
    with bob.stream() as stream:
        stream.event()
        bob.say(conversation, "his own")
        carol.say(elsewhere, "not for him")
        alice.say(conversation, "for him")
        assert stream.message()["text"] == "for him"


def test_it_starts_with_what_was_missed(alice: User, bob: User, conversation: str) -> None:
    for number in range(45):  # more than are read at once
        alice.say(conversation, str(number))
    with bob.stream() as stream:
        stream.event()
        received = [stream.message() for _ in range(45)]
    assert [message["text"] for message in received] == [str(number) for number in range(45)]
    with bob.stream(f"?after={received[-2]['sequence']}") as stream:
        stream.event()
        assert stream.message() == received[-1]


def test_it_looks_for_more_only_where_there_may_be_more() -> None:
    """Each look is two questions to the database, and mostly there is nothing after a message that has just come."""
    subscription = Events(limit=1).subscribe(Session("bob", b"", expires=0.0), None)
    there = {0: stored(*range(1, BATCH + 1)), BATCH: stored(BATCH + 1)}
    looked: list[int] = []

    def read(after: int) -> list[Message]:
        looked.append(after)
        return there.pop(after, [])

    def gone() -> bool:
        if not there:
            subscription.close()
        return False

    came = list(stream(subscription, read, members=lambda _: [], after=0, heartbeat=60.0, gone=gone))

    assert len(came) == 1 + BATCH + 1
    assert looked == [0, BATCH]


def stored(*sequences: int) -> list[Message]:
    return [
        Message.model_construct(id=str(one), sequence=one, conversation="1", sender="alice", time=0.0)
        for one in sequences
    ]


def test_every_stream_of_a_reader_gets_it(alice: User, bob: User, conversation: str) -> None:
    with bob.stream() as first, bob.stream() as second:
        first.event()
        second.event()
        identifier = alice.say(conversation, "twice")
        assert first.message()["id"] == second.message()["id"] == identifier


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?after=9223372036854775808"])
def test_a_start_that_is_no_sequence_number_is_refused(alice: User, query: str) -> None:
    with alice.stream(query) as stream:
        assert stream.response.status == 422
        assert stream.response.headers["Content-Type"] == "application/problem+json"


def test_without_a_token_there_is_none(alice: User) -> None:
    alice.token = "made-up"
    with alice.stream() as stream:
        assert stream.response.status == 401


def test_silence_is_broken_by_comments(run: Callable[..., RunningService], join: Join) -> None:
    alice = join(run(heartbeat=0), "alice")
    with alice.stream() as stream:
        stream.event()
        assert stream.lines() == [":"]


class TestDevices:
    """Alice has devices 1 and 2, Bob has devices 1 and 5."""

    @pytest.fixture(autouse=True)
    def _devices(self, alice: User, bob: User) -> None:
        alice.has_devices(1, 2)
        bob.has_devices(1, 5)

    def test_each_gets_what_is_for_it(self, alice: User, bob: User, conversation: str) -> None:
        with bob.stream("?device=5") as five, bob.stream("?device=1") as one, alice.stream("?device=2") as two:
            streams = {("bob", 5): five, ("bob", 1): one, ("alice", 2): two}
            for stream in streams.values():
                stream.event()
            envelopes = [envelope(name, f"{name} {device}".encode(), device) for name, device in streams]
            identifier = alice.send_to(conversation, 1, *envelopes, shared=encoded(b"for all"))
            for (name, device), stream in streams.items():
                message = stream.message()
                assert (message["id"], message["sender"], message["device"]) == (identifier, "alice", 1)
                assert message["envelope"] == encoded(f"{name} {device}".encode())
                assert message["shared"] == encoded(b"for all")
                reader = alice if name == "alice" else bob
                path = f"/v1/conversations/{conversation}/messages?device={device}"
                assert reader.send("GET", path) == {"messages": [message]}

    def test_it_does_not_get_what_it_sent_itself(self, alice: User, bob: User, conversation: str) -> None:
        others = [envelope("bob", b"", 1), envelope("bob", b"", 5)]
        alice.send_to(conversation, 1, envelope("alice", b"from 1", 2), *others)
        alice.send_to(conversation, 2, envelope("alice", b"from 2", 1), *others)
        alice.send_to(conversation, None, envelope("alice", b"", 1), envelope("alice", b"", 2), *others)
        for device, expected in (("1", [2, None]), ("2", [1, None])):
            with alice.stream(f"?device={device}") as stream:
                stream.event()
                assert [stream.message()["device"] for _ in expected] == expected
        with alice.stream() as stream:  # as ever: what others sent
            stream.event()
            bob.say(conversation, "from Bob")
            assert stream.message()["text"] == "from Bob"

    def test_nor_what_is_not_for_it(self, alice: User, bob: User, conversation: str) -> None:
        alice.send_to(
            conversation, 1, *(envelope(*each) for each in (("alice", b"", 2), ("bob", b"", 1), ("bob", b"", 5)))
        )
        bob.has_devices(1, 5, 6)
        with bob.stream("?device=6") as stream:
            stream.event()
            alice.say(conversation, "for everyone")
            assert stream.message()["text"] == "for everyone"

    def test_what_was_sent_before_there_were_devices_is_for_it(
        self, service: RunningService, join: Join, alice: User
    ) -> None:
        carol = join(service, "carol")
        conversation = alice.send("POST", "/v1/conversations", {"members": ["carol"]})["id"]
        alice.send_to(conversation, 1, envelope("alice", b"", 2), envelope("carol", b"for her"))
        carol.has_devices(9)
        with carol.stream("?device=9") as stream:
            stream.event()
            assert stream.message()["envelope"] == encoded(b"for her")

    def test_content_reaches_ones_other_devices(self, alice: User, conversation: str) -> None:
        with alice.stream("?device=2") as stream:
            stream.event()
            path = f"/v1/conversations/{conversation}/messages"
            alice.send("POST", path, {"device": 1, "content": {"text": "seen on both"}})
            assert stream.message()["text"] == "seen on both"

    def test_it_starts_with_what_this_device_missed(self, alice: User, conversation: str) -> None:
        sequences = []
        for _ in range(2):
            alice.send_to(conversation, 1, envelope("alice", b"", 2), envelope("bob", b"", 1), envelope("bob", b"", 5))
        with alice.stream("?device=2") as stream:
            stream.event()
            sequences = [stream.message()["sequence"] for _ in range(2)]
        with alice.stream(f"?device=2&after={sequences[0]}") as stream:
            stream.event()
            assert stream.message()["sequence"] == sequences[1]

    def test_the_stream_of_a_device_that_is_removed_ends(self, alice: User, bob: User, conversation: str) -> None:
        with bob.stream("?device=5") as five, bob.stream("?device=1") as one, bob.stream() as whole:
            for stream in (five, one, whole):
                stream.event()
            bob.has_devices(1, 6)
            assert five.lines() == []
            alice.say(conversation, "still here")
            assert one.message()["text"] == whole.message()["text"] == "still here"

    @pytest.mark.parametrize("query", ["?device=2", "?device=0", "?device=x", "?device=2147483648"])
    def test_a_device_has_to_be_ones_own(self, run: Callable[..., RunningService], join: Join, query: str) -> None:
        carol = join(run(max_streams=1), "carol")
        carol.has_devices(1)
        with carol.stream(query) as refused:
            assert refused.response.status == 422
        with carol.stream("?device=1") as stream:  # the refused one takes no room
            assert stream.event() == {"event": "ready", "data": "{}"}


class TestMembers:
    def test_everyone_concerned_learns_of_it(
        self, service: RunningService, join: Join, alice: User, bob: User, conversation: str
    ) -> None:
        carol = join(service, "carol")
        path = f"/v1/conversations/{conversation}/members"
        with alice.stream() as one, bob.stream() as two, carol.stream() as three:
            for stream in (one, two, three):
                stream.event()
            alice.send("POST", path, {"account": "carol"})
            for stream in (one, two, three):
                assert stream.members() == {"conversation": conversation, "members": ["alice", "bob", "carol"]}
            bob.send("DELETE", f"{path}/carol")
            for stream in (one, two):
                assert stream.members() == {"conversation": conversation, "members": ["alice", "bob"]}
            # Who the members are is no business of hers any more.
            assert three.members() == {"conversation": conversation, "members": []}

    def test_messages_come_to_members_only(
        self, service: RunningService, join: Join, alice: User, bob: User, conversation: str
    ) -> None:
        carol = join(service, "carol")
        path = f"/v1/conversations/{conversation}/members"
        with carol.stream() as stream:
            stream.event()
            alice.say(conversation, "before")
            alice.send("POST", path, {"account": "carol"})
            assert stream.members()["members"] == ["alice", "bob", "carol"]
            alice.say(conversation, "between")
            assert stream.message()["text"] == "between"
            bob.send("DELETE", f"{path}/carol")
            assert stream.members()["members"] == []
            alice.say(conversation, "after")
            alice.send("POST", path, {"account": "carol"})
            assert stream.members()["members"] == ["alice", "bob", "carol"]
            alice.say(conversation, "again")
            assert stream.message()["text"] == "again"

    def test_changes_that_nobody_waited_for_are_not_told(self, alice: User, bob: User, conversation: str) -> None:
        bob.send("DELETE", f"/v1/conversations/{conversation}/members/bob")
        bob.send("POST", "/v1/conversations", {"members": ["alice"]})
        with alice.stream() as stream:
            stream.event()
            elsewhere = bob.send("POST", "/v1/conversations", {"members": ["alice"]})["id"]
            bob.say(elsewhere, "next")
            assert stream.message()["text"] == "next"


class TestEnding:
    def test_it_ends_with_the_service(self, service: RunningService, alice: User, config: Config) -> None:
        with alice.stream() as stream:
            stream.event()
            service.close()
            assert stream.response.read() == b""  # in good order: a cut stream would be an IncompleteRead
        entry = config.log.read_text().splitlines()[-1].split()
        assert entry[1:] == ["alice", "GET", f"http://127.0.0.1:{service.port}/v1/events", "200", "23"]
        service.close()

    def test_it_ends_with_the_session(self, alice: User) -> None:
        with alice.stream() as stream:
            stream.event()
            alice.send("DELETE", "/v1/login")
            assert stream.lines() == []

    def test_it_ends_when_the_token_expires(self, alice: User, clock: Clock, config: Config) -> None:
        with alice.stream() as stream:
            stream.event()
            clock.advance(config.token_lifetime)
            assert stream.lines() == []

    def test_others_go_on(self, alice: User, bob: User, conversation: str) -> None:
        with bob.stream() as stream:
            stream.event()
            alice.stream().__exit__()
            alice.say(conversation, "still here")
            alice.send("DELETE", "/v1/login")
            assert stream.message()["text"] == "still here"

    def test_a_client_that_is_gone_makes_room(self, run: Callable[..., RunningService], join: Join) -> None:
        alice = join(run(max_streams=1), "alice")
        with alice.stream() as stream:
            stream.event()
            with alice.stream() as refused:
                assert refused.response.status == 503
                assert refused.response.headers["Retry-After"] == "5"
        guard = threading.Event()
        timer = threading.Timer(GUARD, guard.set)
        timer.start()
        status = 503
        while status == 503 and not guard.is_set():
            with alice.stream() as stream:
                status = stream.response.status
        timer.cancel()
        timer.join()
        assert status == 200


def test_the_scheme_is_the_one_the_proxy_in_front_was_asked_with(alice: User, config: Config) -> None:
    connection = HTTPConnection("127.0.0.1", alice.service.port, timeout=GUARD)
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "forged.example"}
    connection.request("GET", "/v1/x", headers={"Host": "chat.example", "X-Forwarded-Proto": "https", **forged})
    connection.getresponse().close()
    connection.close()
    assert config.log.read_text().splitlines()[-1].split()[3] == "https://chat.example/v1/x"


def test_it_closes_in_order_while_its_loop_is_kept_awake(config: Config, tmp_path: Path) -> None:
    """The loop could take the order to close, and its own wake-up call away, before that call was made."""

    def keep_awake(service: RunningService, closed: threading.Event) -> None:
        while not closed.is_set():
            try:
                service._server.trigger.pull_trigger()
            except OSError:
                return  # the pipe of the loop is gone, as it should be

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(20):
            files = replace(config, database=tmp_path / f"{number}.db", log=tmp_path / f"{number}.log")
            service, closed = RunningService(files), threading.Event()
            thread = threading.Thread(target=keep_awake, args=(service, closed))
            thread.start()
            try:
                service.close()
            finally:
                closed.set()
                thread.join()
    finally:
        sys.setswitchinterval(interval)
