"""The meddler on a real path: in TLS everything is noticed, where TLS has ended it depends on what was sealed how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.e2ee.protocol import E2EEError
from lab.messenger.content import Content
from lab.messenger.participant import Participant
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption, Mode
from lab.stage.process import ChildError
from lab.stage.stage import Stage, Venue

from .on_the_path import SECRET, Address, Attacker, People, people, session, talk


@pytest.fixture(scope="module")
def meddler(stage: Stage) -> Attacker:
    return Attacker.start(stage, "meddler")


def done(meddler: Attacker) -> list[str]:
    """What was done since the last time."""
    return list(meddler.act(done={})["done"])


@pytest.fixture
def before(meddler: Attacker) -> list[str]:
    return done(meddler)


class TestRecords:
    """Between the network and the end of TLS."""

    @pytest.fixture(scope="class")
    @classmethod
    def venue(cls, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
        with session(stage, Mode.TLS, tmp_path_factory.mktemp("session")) as venue:
            yield venue

    @pytest.fixture(scope="class")
    @classmethod
    def dial(cls, meddler: Attacker, venue: Venue) -> Address:
        return meddler.stand_before("tcp", venue.behind.front_end)

    def test_without_an_order_everything_passes(self, meddler: Attacker, venue: Venue, dial: Address) -> None:
        with people(venue) as there:
            alice, bob = (there.join(who, dial) for who in ("Alice", "Bob"))
            assert talk(alice, bob) == SECRET
        assert SECRET.encode() not in meddler.got()

    @pytest.fixture(scope="class")
    @classmethod
    def pair(cls, venue: Venue, dial: Address) -> Iterator[tuple[Participant, Participant]]:
        """Alice, who goes through the meddler, and Bob, who does not."""
        with people(venue) as there:
            yield there.join("Alice", dial), there.join("Bob", venue.behind.front_end)

    # The request of a message is two records, its head and its body.
    @pytest.mark.parametrize("deed", ["flip", "truncate", "replay", "drop", "reorder", "delay"])
    def test_the_record_layer_notices_and_nothing_wrong_is_shown(
        self, meddler: Attacker, pair: tuple[Participant, Participant], before: list[str], deed: str
    ) -> None:
        alice, bob = pair
        conversation = alice.start_conversation([bob.person.account])
        meddler.act(do=deed)
        with pytest.raises(WireError):
            alice.send(conversation, [bob.person.account], Content("This is not for meddling with"))
        if deed == "delay":
            meddler.act(release={})
        assert done(meddler) == [*before, deed]
        # On a new connection, with nobody meddling any more.
        alice.send(conversation, [bob.person.account], Content(SECRET))
        assert bob.receive().text == SECRET

    def test_what_goes_to_the_client_is_protected_as_well(
        self, meddler: Attacker, pair: tuple[Participant, Participant], before: list[str]
    ) -> None:
        alice, bob = pair
        alice.stop_listening()  # what the service has for her would be the next record
        meddler.act(do="flip", to="client", at=0, xor=255)
        with pytest.raises(WireError):
            alice.start_conversation([bob.person.account])
        assert talk(alice, bob) == SECRET
        assert done(meddler) == [*before, "flip"]

    def test_a_record_of_one_connection_is_of_no_use_on_another_one(
        self,
        meddler: Attacker,
        venue: Venue,
        dial: Address,
        pair: tuple[Participant, Participant],
        before: list[str],
    ) -> None:
        alice, bob = pair
        conversation = alice.start_conversation([bob.person.account])
        with people(venue) as there:
            carol = there.join("Carol", dial)
            meddler.act(do="cross-deliver")
            with pytest.raises(WireError):
                alice.send(conversation, [bob.person.account], Content("From Alice"))
            with pytest.raises(WireError):
                carol.start_conversation([bob.person.account])
            assert done(meddler) == [*before, "cross-deliver"]
            assert talk(alice, bob) == SECRET


class TestMessages:
    """Behind the end of TLS."""

    @pytest.fixture(scope="class")
    @classmethod
    def venue(cls, stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
        with session(stage, Mode.PLAINTEXT, tmp_path_factory.mktemp("session")) as venue:
            yield venue

    @pytest.fixture(scope="class")
    @classmethod
    def dial(cls, meddler: Attacker, venue: Venue) -> Address:
        return meddler.stand_before("http", venue.behind.service)

    @pytest.fixture
    def there(self, venue: Venue) -> Iterator[People]:
        with people(venue) as there:
            yield there

    @staticmethod
    def begin(there: People, dial: Address, encryption: Encryption | None) -> tuple[Participant, Participant, str]:
        """Alice, Bob, and their conversation, in which something has been said."""
        alice, bob = (there.join(who, dial, encryption) for who in ("Alice", "Bob"))
        conversation = alice.start_conversation([bob.person.account])
        alice.send(conversation, [bob.person.account], Content("Hello"))
        assert bob.receive().text == "Hello"
        return alice, bob, conversation

    @pytest.fixture(params=[None, Encryption.X3DH], ids=["open", "x3dh"])
    def encryption(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    def test_a_message_that_was_changed_or_cut_off(
        self, meddler: Attacker, there: People, dial: Address, before: list[str], encryption: Encryption | None
    ) -> None:
        alice, bob, conversation = self.begin(there, dial, encryption)
        orders = [
            ({"do": "flip", "at": 11, "xor": 3}, "Meet me at 6pm"),
            ({"do": "truncate", "keep": 10}, "Meet me at"),
        ]
        for order, shown in orders:
            meddler.act(**order)
            alice.send(conversation, [bob.person.account], Content("Meet me at 5pm"))
            if encryption is None:
                assert bob.receive().text == shown
            else:
                with pytest.raises(E2EEError):
                    bob.receive()
        assert len(there.refused("Bob")) == (0 if encryption is None else 2)
        alice.send(conversation, [bob.person.account], Content(SECRET))
        assert bob.receive().text == SECRET
        assert meddler.act(done={}) == {"done": [*before, "flip", "truncate"], "refused": []}

    @pytest.mark.parametrize("sealed", [None, Encryption.RSA, Encryption.X3DH])
    def test_a_message_that_comes_twice(
        self, meddler: Attacker, there: People, dial: Address, before: list[str], sealed: Encryption | None
    ) -> None:
        alice, bob, conversation = self.begin(there, dial, sealed)
        meddler.act(do="replay")
        alice.send(conversation, [bob.person.account], Content("Pay 5"))
        assert bob.receive().text == "Pay 5"
        if sealed is Encryption.X3DH:
            with pytest.raises(E2EEError):
                bob.receive()
        else:
            assert bob.receive().text == "Pay 5", "as the school book has it"
        assert done(meddler) == [*before, "replay"]

    def test_a_message_of_another_conversation(
        self, meddler: Attacker, there: People, dial: Address, before: list[str], encryption: Encryption | None
    ) -> None:
        alice, bob, conversation = self.begin(there, dial, encryption)
        other = alice.start_conversation([bob.person.account])
        meddler.act(do="cross-deliver")
        alice.send(conversation, [bob.person.account], Content("Yes"))
        alice.send(other, [bob.person.account], Content("Shall I fire him?"))
        assert bob.receive().text == "Shall I fire him?"
        if encryption is None:
            assert bob.receive().text == "Yes"
        else:
            with pytest.raises(E2EEError, match="another conversation"):
                bob.receive()
        assert meddler.act(done={}) == {"done": [*before, "cross-deliver"], "refused": []}

    def test_nobody_notices_what_does_not_come_in_time_or_at_all(
        self, meddler: Attacker, there: People, dial: Address, before: list[str], encryption: Encryption | None
    ) -> None:
        alice, bob, conversation = self.begin(there, dial, encryption)

        def send(*texts: str) -> None:
            for text in texts:
                alice.send(conversation, [bob.person.account], Content(text))

        meddler.act(do="drop")
        send("one", "two")
        assert bob.receive().text == "two"
        meddler.act(do="reorder")
        send("three", "four")
        assert [bob.receive().text for _ in range(2)] == ["four", "three"]
        meddler.act(do="delay")
        send("five", "six")
        assert bob.receive().text == "six"
        assert done(meddler) == [*before, "drop", "reorder"]
        meddler.act(release={})
        assert bob.receive().text == "five"
        assert done(meddler) == [*before, "drop", "reorder", "delay"]
        sent = [one.text for one in there.told["Alice"] if one.deed is Deed.SENT]
        assert sent == ["Hello", "one", "two", "three", "four", "five", "six"], "Alice was told that all was well"

    def test_what_the_service_does_not_take_is_said(self, meddler: Attacker, there: People, dial: Address) -> None:
        alice, bob, conversation = self.begin(there, dial, Encryption.X3DH)
        carol = there.join("Carol", dial, Encryption.X3DH)
        other = alice.start_conversation([carol.person.account])
        meddler.act(do="cross-deliver")
        alice.send(conversation, [bob.person.account], Content("For Bob"))
        alice.send(other, [carol.person.account], Content("For Carol"))
        assert carol.receive().text == "For Carol"
        alice.send(other, [carol.person.account], Content("Once more"))
        assert carol.receive().text == "Once more"
        assert meddler.act(done={})["refused"] == [409], "these envelopes are not addressed to the members"


@pytest.mark.parametrize(
    "orders",
    [
        {"do": "flp"},
        {"do": "flip", "to": "nobody"},
        {"do": "flip", "at": "0"},
        {"do": "flip", "at": True},
        {"do": "flip", "xor": 0},
        {"do": "truncate", "keep": -1},
        {"do": "flip", "often": 2},
        {},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(meddler: Attacker, orders: dict[str, Any]) -> None:
    with pytest.raises(ChildError, match=r"this is no order: .* \(one of flip, truncate, replay"):
        meddler.act(**orders)


def test_there_is_nothing_to_release_without_an_order(meddler: Attacker) -> None:
    with pytest.raises(ChildError, match="nothing is delayed"):
        meddler.act(release={})


def test_the_order_can_be_an_option(stage: Stage) -> None:
    other = Attacker.start(stage, "meddler", "lab_do=delay")
    with pytest.raises(ChildError, match="nothing is delayed"):
        other.act(release={})
    with pytest.raises(ChildError, match="lab_do: this is no order"):
        other.tap.ask({"listen": {"lab_do": "dance"}})
