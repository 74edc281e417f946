"""The downgrade on a real path: against clients that can be talked out of encryption, and against those that cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import http

from lab.messenger.contacts import NoKeysError
from lab.messenger.hsts import Hsts
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption, Event, Mode
from lab.stage import downgrading
from lab.stage.certificates import make_authority
from lab.stage.process import ChildError
from lab.stage.stage import Stage, Venue

from .on_the_path import HOST, PASSWORD, SECRET, Address, Attacker, people, session, talk

PLAIN = f"http://{HOST}"


@pytest.fixture(scope="module")
def attacker(stage: Stage) -> Attacker:
    return Attacker.start(stage, "downgrade")


class TestTls:
    """The front end sends everybody to https, and says that they should remember it."""

    @pytest.fixture(scope="class")
    @classmethod
    def venue(cls, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
        with session(stage, Mode.TLS, tmp_path_factory.mktemp("session")) as venue:
            stage.server.ask({"listen": {"lab_tls_only": True}})
            yield venue
            stage.server.ask({"listen": {"lab_tls_only": False}})

    @pytest.fixture
    def dial(self, attacker: Attacker, venue: Venue) -> Address:
        return attacker.stand_before("http", venue.behind.front_end)

    def test_without_the_attacker_whoever_begins_with_http_ends_with_https(self, venue: Venue) -> None:
        hsts = Hsts()
        with people(venue) as there:
            careful = {"url": PLAIN, "follows": True, "hsts": hsts}
            alice, bob = (there.join(who, venue.behind.front_end, **careful) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        assert hsts.knows(HOST)

    def test_who_begins_with_http_stays_with_it_and_is_read(
        self, attacker: Attacker, venue: Venue, dial: Address
    ) -> None:
        hsts = Hsts()
        with people(venue) as there:
            alice, bob = (there.join(who, dial, url=PLAIN, follows=True, hsts=hsts) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        got = attacker.got()
        assert SECRET.encode() in got
        assert PASSWORD.encode() in got
        assert b"Strict-Transport-Security" in got, "the service did say it"
        assert not hsts.knows(HOST), "but it did not get there"
        done = attacker.act(done={})
        assert done["requests"] > 0
        assert done["answers"] > 0

    @pytest.mark.parametrize("remembers", [True, False])
    def test_who_remembers_the_service_or_uses_https_only_is_not_read(
        self, attacker: Attacker, venue: Venue, dial: Address, *, remembers: bool
    ) -> None:
        hsts = Hsts()
        hsts.hear(HOST, "max-age=60")
        careful = {"url": PLAIN, "follows": True, "hsts": hsts} if remembers else {}
        before = attacker.act(done={})
        with people(venue) as there:
            alice, bob = (there.join(who, dial, **careful) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        observations, _ = attacker.recorded()
        assert {one.place for one in observations} == {"tcp.stream"}
        assert len({one.direction for one in observations}) == 2, "it did get something"
        got = b"".join(one.data for one in observations)
        assert SECRET.encode() not in got
        assert PASSWORD.encode() not in got
        assert attacker.act(done={}) == before

    def test_an_interceptor_that_is_trusted_can_take_the_keys_away(
        self, stage: Stage, venue: Venue, tmp_path: Path
    ) -> None:
        authority = make_authority("Somebody in between")
        installed = tmp_path / "authority.pem"
        installed.write_bytes(authority.pem)
        attacker = Attacker.start(stage, "downgrade", "lab_downgrade=keys", authority=authority)
        dial = attacker.stand_before("https", venue.behind.front_end)
        with people(venue) as there:
            with pytest.raises(WireError, match="certificate verify failed"):
                there.join("Carol", dial, Encryption.X3DH, fall_back=lambda _: True)
            careful = {"installed": (installed,), "fall_back": lambda _: True}
            alice, bob = (there.join(who, dial, Encryption.X3DH, **careful) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        observations, notes = attacker.recorded()
        assert [note.connection for note in notes if note.event is Event.REFUSED] == ["1"]
        assert "1" not in {one.connection for one in observations}
        assert SECRET.encode() in b"".join(one.data for one in observations)

    def test_it_does_not_take_another_service_for_the_real_one(
        self, attacker: Attacker, venue: Venue, dial: Address
    ) -> None:
        # The name that the client named is the one that the certificate has to be for.
        with people(venue) as there, pytest.raises(WireError, match="502"):
            there.join("Alice", dial, url="http://another.lab.test", follows=True)


class TestKeys:
    """It stands between the end of TLS and the service."""

    @pytest.fixture(scope="class")
    @classmethod
    def venue(cls, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
        with session(stage, Mode.PLAINTEXT, tmp_path_factory.mktemp("session")) as venue:
            yield venue

    @pytest.fixture(params=["keys", "empty-keys"])
    def dial(self, attacker: Attacker, venue: Venue, request: pytest.FixtureRequest) -> Iterator[Address]:
        yield attacker.stand_before("http", venue.behind.service, lab_downgrade=request.param)
        attacker.tap.ask({"listen": {"lab_downgrade": "tls"}})

    @staticmethod
    def gone_wrong(attacker: Attacker) -> int:
        done = attacker.act(done={})
        return int(done["requests"] + done["answers"])

    def test_apps_that_fall_back_silently_are_read(self, attacker: Attacker, venue: Venue, dial: Address) -> None:
        before = self.gone_wrong(attacker)
        with people(venue) as there:
            alice, bob = (there.join(who, dial, Encryption.X3DH, fall_back=lambda _: True) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        assert SECRET.encode() in attacker.got()
        assert self.gone_wrong(attacker) > before

    @pytest.mark.parametrize("asks", [True, False])
    def test_apps_that_refuse_or_ask_somebody_who_says_no_send_nothing(
        self, attacker: Attacker, venue: Venue, dial: Address, *, asks: bool
    ) -> None:
        asked: list[str] = []
        before = self.gone_wrong(attacker)
        with people(venue) as there:
            careful = {"fall_back": lambda account: bool(asked.append(account))} if asks else {}
            alice, bob = (there.join(who, dial, Encryption.X3DH, **careful) for who in ("Alice", "Bob"))
            with pytest.raises(NoKeysError, match="nothing was sent"):
                talk(alice, bob)
            assert asked == [bob.person.account] * asks
            assert [one for one in there.told["Alice"] if one.deed is Deed.SENT] == []
        assert SECRET.encode() not in attacker.got()
        assert self.gone_wrong(attacker) > before, "the attack did take place"

    def test_who_has_met_before_goes_on_with_encryption(self, attacker: Attacker, venue: Venue, dial: Address) -> None:
        careful = {"fall_back": lambda _: True}
        with people(venue) as there:
            alice, bob = (there.join(who, venue.address, Encryption.X3DH, **careful) for who in ("Alice", "Bob"))
            assert talk(alice, bob, "We meet") == "We meet"
            again = there.again(alice, dial, Encryption.X3DH, **careful)
            again.resume()
            assert talk(again, bob) == SECRET
        got = attacker.got()
        assert b'"envelopes"' in got
        assert SECRET.encode() not in got


def test_the_option_and_the_orders_have_their_words(attacker: Attacker) -> None:
    with pytest.raises(ChildError, match="lab_downgrade"):
        attacker.tap.ask({"listen": {"lab_downgrade": "everything"}})
    with pytest.raises(ChildError, match="this addon takes the orders take"):
        attacker.act(do="flip")
    assert attacker.act(take="nothing") == {}
    assert attacker.act(take="tls") == {}


def answer(body: str = "", **headers: str) -> http.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.Response.make(200, body, fields)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (answer(location=f"https://{HOST}/x"), answer(location=f"http://{HOST}/x")),
        (answer(location=f"https://{HOST}"), answer(location=f"http://{HOST}")),
        (answer(strict_transport_security="max-age=1"), answer()),
        (answer(set_cookie="a=b; Secure; Path=/"), answer(set_cookie="a=b; Path=/")),
        (answer(set_cookie="a=b;secure"), answer(set_cookie="a=b")),
        (
            answer(content_security_policy="upgrade-insecure-requests; img-src x"),
            answer(content_security_policy="img-src x"),
        ),
        (
            answer(f'<a href="https://{HOST}/y">', content_type="text/html"),
            answer(f'<a href="http://{HOST}/y">', content_type="text/html"),
        ),
    ],
)
def test_what_would_have_a_client_use_tls_is_taken_out(before: http.Response, after: http.Response) -> None:
    assert downgrading.strip_tls(before, HOST)
    assert before.headers == after.headers
    assert before.content == after.content


@pytest.mark.parametrize(
    "kept",
    [
        answer(location="https://other.example/"),
        answer(location=f"https://{HOST}.example/"),
        answer(location=f"https://{HOST}:444/"),
        answer(set_cookie="a=secure; Path=/"),
        answer(f"https://{HOST}/", content_type="image/png"),
        answer(f"https://{HOST}x/", content_type="text/html"),
        answer(content_type="text/html"),
    ],
)
def test_and_nothing_else(kept: http.Response) -> None:
    headers, content = kept.headers.copy(), kept.content
    assert not downgrading.strip_tls(kept, HOST)
    assert (kept.headers, kept.content) == (headers, content)


@pytest.mark.parametrize("body", ["", "[]", "{", '{"devices": 5, "name": "a"}', '{"devices": [], "name": "a"}'])
def test_what_hands_out_no_keys_stays_as_it_is(body: str) -> None:
    given = answer(body)
    assert not downgrading.empty(given)
    assert given.content == body.encode()
