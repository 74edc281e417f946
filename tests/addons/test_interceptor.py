"""The interceptor on a real path: who trusts it is read, who does not has said nothing."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.messenger.wire import WireError, pin_of
from lab.model import Encryption, Event, Mode, Observation, Observer
from lab.stage.certificates import Authority, Flaw, issue_flawed, make_authority, write_private
from lab.stage.stage import Stage, Venue

from .on_the_path import HOST, PASSWORD, SECRET, Attacker, people, session, talk


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("Somebody in between")


@pytest.fixture(scope="module")
def interceptor(stage: Stage, authority: Authority) -> Attacker:
    return Attacker.start(stage, "interceptor", authority=authority)


@pytest.fixture(scope="module")
def installed(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("installed") / "authority.pem"
    path.write_bytes(authority.pem)
    return path


@pytest.fixture(scope="module")
def venue(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with session(stage, Mode.TLS, tmp_path_factory.mktemp("session")) as venue:
        yield venue


def pin(venue: Venue) -> str:
    """The key of the service's own front end."""
    pem = (venue.behind.directory / "front-end.pem").read_text("ascii")
    return pin_of(ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :]))


def only_greeted(observations: Sequence[Observation]) -> bool:
    """Whether nothing was got of a client but how it begins with TLS."""
    (hello, *more) = observations
    assert hello.place == "tcp.stream"
    assert HOST.encode() in hello.data
    return not more


def test_where_nobody_trusts_it_nothing_is_sent_and_its_record_says_so(interceptor: Attacker, venue: Venue) -> None:
    dial = interceptor.stand_before("https", venue.behind.front_end)
    with people(venue) as there, pytest.raises(WireError, match="certificate verify failed"):
        there.join("Alice", dial)
    observations, notes = interceptor.recorded()
    assert only_greeted(observations)
    assert [note.event for note in notes] == [Event.OPENED, Event.REFUSED, Event.CLOSED, Event.SEGMENT]
    assert notes[1].detail == f"the client refused TLS for {HOST}: unknown ca"
    assert notes[1].observer is Observer.INTERCEPTOR


def test_where_its_authority_is_installed_it_reads_everything(
    interceptor: Attacker, venue: Venue, installed: Path
) -> None:
    dial = interceptor.stand_before("https", venue.behind.front_end)
    with people(venue) as there:
        alice, bob = (there.join(who, dial, installed=(installed,)) for who in ("Alice", "Bob"))
        assert talk(alice, bob) == SECRET
    observations, notes = interceptor.recorded()
    got = b"".join(one.data for one in observations)
    assert SECRET.encode() in got
    assert PASSWORD.encode() in got
    assert {"http.request_line", "http.status_line", "http.header", "http.body", "tcp.stream"} == {
        one.place for one in observations
    }
    assert {one.observer for one in observations} == {Observer.INTERCEPTOR}
    assert {note.event for note in notes} == {Event.OPENED, Event.CLOSED, Event.SEGMENT}


def test_of_sealed_messages_it_reads_the_envelopes_alone(interceptor: Attacker, venue: Venue, installed: Path) -> None:
    dial = interceptor.stand_before("https", venue.behind.front_end)
    with people(venue) as there:
        alice, bob = (there.join(who, dial, Encryption.X3DH, installed=(installed,)) for who in ("Alice", "Bob"))
        assert talk(alice, bob) == SECRET
    got = interceptor.got()
    assert SECRET.encode() not in got
    assert PASSWORD.encode() in got
    assert b'"envelopes"' in got


def test_a_pinned_key_makes_up_for_an_installed_authority(interceptor: Attacker, venue: Venue, installed: Path) -> None:
    dial = interceptor.stand_before("https", venue.behind.front_end)
    careful = {"installed": (installed,), "pins": frozenset({pin(venue)})}
    with people(venue) as there, pytest.raises(WireError, match="not the one that this app knows"):
        there.join("Alice", dial, **careful)
    observations, notes = interceptor.recorded()
    assert only_greeted(observations)
    assert [note.event for note in notes] == [Event.OPENED, Event.REFUSED, Event.CLOSED, Event.SEGMENT]
    assert notes[1].detail.startswith("the client ended the connection after it had seen the certificate")
    with people(venue) as there:
        alice, bob = (there.join(who, venue.behind.front_end, **careful) for who in ("Alice", "Bob"))
        assert talk(alice, bob) == SECRET


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        (Flaw.EXPIRED, "certificate expired"),
        (Flaw.WRONG_NAME, "bad certificate"),
        (Flaw.SELF_SIGNED, "unknown ca"),
        (Flaw.UNKNOWN_AUTHORITY, "unknown ca"),
        (None, ""),
    ],
)
def test_a_certificate_with_one_flaw_is_refused_and_its_twin_without_is_not(
    interceptor: Attacker,
    venue: Venue,
    installed: Path,
    authority: Authority,
    tmp_path: Path,
    flaw: Flaw | None,
    words: str,
) -> None:
    pem = issue_flawed(authority, HOST, flaw) if flaw else authority.issue(HOST)
    shown = write_private(tmp_path / "shown.pem", pem)
    dial = interceptor.stand_before("https", venue.behind.front_end, certs=[f"*={shown}"])
    try:
        with people(venue) as there:
            alice = there.enter("Alice", dial, installed=(installed,))
            if flaw is None:
                alice.join()
            else:
                with pytest.raises(WireError, match="certificate"):
                    alice.join()
    finally:
        interceptor.tap.ask({"listen": {"certs": []}})
    observations, notes = interceptor.recorded()
    said = [note.detail for note in notes if note.event is Event.REFUSED]
    assert only_greeted(observations) is (flaw is not None)
    assert len(said) == (flaw is not None)
    assert all(words in one for one in said), said
