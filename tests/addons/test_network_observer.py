"""The eavesdropper's addon: what it asks of mitmproxy, what it writes down, what it shows to a person."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from mitmproxy import tcp
from mitmproxy.connection import Client
from mitmproxy.exceptions import OptionsError
from mitmproxy.proxy import layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

from lab.model import Direction, Event, SecretName

from .conftest import Loaded

SECRET = b"Meet me at 5pm"
NEAR_MISS = b"Meet me at 4pm"
NAMES = ", ".join(SecretName)


@pytest.fixture
def observer(load: Callable[[str], Loaded]) -> Loaded:
    return load("network_observer")


def connection(*messages: tuple[bool, bytes]) -> tcp.TCPFlow:
    """A connection on which the messages have travelled, a second apart."""
    return tflow.ttcpflow(messages=[tcp.TCPMessage(up, data, 100.0 + at) for at, (up, data) in enumerate(messages)])


def play(observer: Loaded, *messages: tuple[bool, bytes]) -> tcp.TCPFlow:
    """Run a connection through the hooks in mitmproxy's order."""
    flow = connection()
    observer.addon.tcp_start(flow)
    for message in connection(*messages).messages:
        flow.messages.append(message)
        observer.addon.tcp_message(flow)
    observer.addon.tcp_end(flow)
    return flow


def next_layer(observer: Loaded, mode: str, *, in_connect: bool = False) -> object:
    """What the observer puts on top of a new connection in this mode; None leaves the choice to mitmproxy."""
    client = Client(peername=("127.0.0.1", 4242), sockname=("127.0.0.1", 8080), proxy_mode=ProxyMode.parse(mode))
    context = Context(client, observer.context.options)
    if in_connect:
        layers.HttpLayer(context, HTTPMode.regular)
        HttpStream(context, 1)
    asked = NextLayer(context)
    observer.addon.next_layer(asked)
    return asked.layer


@pytest.mark.parametrize("mode", ["reverse:tcp://127.0.0.1:1", "reverse:http://127.0.0.1:1", "socks5", "local"])
def test_every_connection_is_relayed_as_it_is(observer: Loaded, mode: str) -> None:
    assert isinstance(next_layer(observer, mode), layers.TCPLayer)


@pytest.mark.parametrize("mode", ["regular", "upstream:http://127.0.0.1:1"])
def test_a_proxy_must_read_its_own_orders_but_not_what_a_tunnel_carries(observer: Loaded, mode: str) -> None:
    assert next_layer(observer, mode) is None
    assert isinstance(next_layer(observer, mode, in_connect=True), layers.TCPLayer)


def test_every_message_is_written_down_with_its_direction_and_time(observer: Loaded) -> None:
    observer.record()
    play(observer, (True, b"\x16\x03\x01"), (False, b"\x16\x03\x03"), (True, SECRET))
    play(observer, (True, b"again"))
    observations, notes = observer.recorded()
    assert [(one.connection, one.direction, one.time, one.data) for one in observations] == [
        ("1", Direction.TO_SERVICE, 100.0, b"\x16\x03\x01"),
        ("1", Direction.TO_CLIENT, 101.0, b"\x16\x03\x03"),
        ("1", Direction.TO_SERVICE, 102.0, SECRET),
        ("2", Direction.TO_SERVICE, 100.0, b"again"),
    ]
    assert {one.place for one in observations} == {"tcp.stream"}
    assert [(note.event, note.connection, note.detail) for note in notes] == [
        (Event.OPENED, "1", "127.0.0.1:22"),
        (Event.CLOSED, "1", ""),
        (Event.OPENED, "2", "127.0.0.1:22"),
        (Event.CLOSED, "2", ""),
    ]


def test_a_connection_that_breaks_is_noted_as_broken(observer: Loaded) -> None:
    observer.record()
    flow = tflow.ttcpflow(err=True)
    observer.addon.tcp_start(flow)
    observer.addon.tcp_error(flow)
    _, notes = observer.recorded()
    assert [(note.event, note.connection, note.detail) for note in notes[1:]] == [(Event.BROKEN, "1", "error")]


def test_only_its_owner_can_read_the_record_and_nothing_is_overwritten(observer: Loaded) -> None:
    observer.record()
    play(observer, (True, SECRET))
    observer.recorded()
    assert stat.S_IMODE(observer.path.stat().st_mode) == 0o600
    before = observer.path.read_bytes()
    observer.configure(lab_record="")
    with pytest.raises(OptionsError):
        observer.record()
    assert observer.path.read_bytes() == before


def test_a_new_record_takes_over_from_the_old_one(observer: Loaded, tmp_path: Path) -> None:
    observer.record()
    play(observer, (True, b"for the first"))
    first, observer.path = observer.path, tmp_path / "second.jsonl"
    observer.record()
    play(observer, (True, b"for the second"))
    observations, _ = observer.recorded()
    assert [one.data for one in observations] == [b"for the second"]
    assert first.read_text("utf-8").endswith("\n")


def test_under_control_nothing_piles_up_in_memory(observer: Loaded) -> None:
    observer.configure(lab_control=True, lab_secret=["body=Meet me at 5pm"])
    observer.record()
    flow = play(observer, (True, b"one"), (True, SECRET), (False, b"three"))
    assert [message.content for message in flow.messages] == [b"three"]
    assert flow.marked == ""
    assert [one.data for one in observer.recorded()[0]] == [b"one", SECRET, b"three"]


def test_for_a_person_everything_stays_and_the_secret_is_marked(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = play(observer, (True, b"one"), (True, SECRET), (False, b"three"))
    assert [message.content for message in flow.messages] == [b"one", SECRET, b"three"]
    assert flow.marked == ":eyes:"
    assert flow.comment == "body readable in tcp.stream"


def test_a_near_miss_is_not_marked(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = play(observer, (True, NEAR_MISS))
    assert (flow.marked, flow.comment) == ("", "")


def test_a_secret_cut_in_two_is_marked_once_it_is_whole(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    flow = connection((True, SECRET[:5]), (False, b"meanwhile"))
    observer.addon.tcp_start(flow)
    observer.addon.tcp_message(flow)
    assert flow.marked == ""
    flow.messages.append(tcp.TCPMessage(True, SECRET[5:]))
    observer.addon.tcp_message(flow)
    assert flow.marked == ":eyes:"


def test_every_secret_and_the_way_it_was_found_stand_in_the_comment(observer: Loaded) -> None:
    observer.configure(lab_secret=["body=Meet me at 5pm", "password=correct horse", "sender=somebody else"])
    flow = play(observer, (True, b"correct horse TWVldCBtZSBhdCA1cG0="))
    assert flow.comment == "password readable in tcp.stream; body readable in tcp.stream through base64"


def test_a_long_connection_keeps_its_mark_and_is_not_searched_for_ever(
    observer: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer.module, "MARKED_BYTES", 20)
    observer.configure(lab_secret=["body=Meet me at 5pm"])
    assert play(observer, (True, SECRET), (True, b"much more after it")).marked == ":eyes:"
    assert play(observer, (True, b"much more before it"), (True, SECRET)).marked == ""


def test_without_secrets_and_record_it_only_relays(observer: Loaded) -> None:
    flow = play(observer, (True, SECRET))
    assert (flow.marked, flow.comment) == ("", "")
    assert not observer.path.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Meet me at 5pm", f"'Meet me at 5pm' is not NAME=VALUE with NAME one of {NAMES}"),
        ("bodi=Meet me at 5pm", f"'bodi=Meet me at 5pm' is not NAME=VALUE with NAME one of {NAMES}"),
        ("body=", f"'body=' is not NAME=VALUE with NAME one of {NAMES}"),
        ("body=short", "body: a value of 5 bytes would stand in noise by chance; take at least 8"),
    ],
)
def test_a_secret_that_cannot_be_looked_for_is_refused_in_one_sentence(observer: Loaded, text: str, why: str) -> None:
    with pytest.raises(OptionsError) as caught:
        observer.configure(lab_secret=[text])
    assert str(caught.value) == f"lab_secret: {why}"


def test_a_record_that_cannot_be_written_is_refused_in_one_sentence(observer: Loaded, tmp_path: Path) -> None:
    missing = tmp_path / "no such folder" / "record.jsonl"
    with pytest.raises(OptionsError) as caught:
        observer.configure(lab_record=str(missing))
    assert str(caught.value) == f"lab_record: {missing}: No such file or directory"


def test_a_hook_that_fails_says_so_in_the_record(observer: Loaded) -> None:
    observer.record()
    flow = connection()
    with pytest.raises(IndexError):
        observer.addon.tcp_message(flow)  # there is none
    observations, notes = observer.recorded()
    assert observations == []
    assert [(note.event, note.detail) for note in notes] == [
        (Event.FAILED, "tcp_message: IndexError: list index out of range")
    ]
