"""Alice writes to the group once, and every member reads it once. Nobody else reads it, and nobody writes as Alice."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lab.e2ee import groups
from lab.e2ee.groups import SenderKey, SenderKeyReader, key_id_of
from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.protocol import MAX_PLAINTEXT, MAX_SKIP, MAX_STORED, E2EEError

GROUP, OTHER_GROUP = b"the old mill", b"the new mill"
TEXT = "Meet me at the old mill at 5pm — Grüße".encode()

ALICE = DeviceKeys.new("alice", 1, os.urandom).public
MALLORY = DeviceKeys.new("mallory", 1, os.urandom).public

SIGNATURE_INVALID = "signature is not valid"
NOT_AUTHENTIC = "not authentic"
READ_BEFORE = "read before"
OTHER_KEY = "under another sender key"
TOO_FAR = "too far ahead"


def blocks(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True)
class ByHand:
    """A sender key in the form that the module describes, written down once more and with every part exchangeable.

    It is what a member can make who has the same code and whatever keys it was given, or made up.
    """

    group: bytes
    sender: PublicDevice
    key_id: bytes
    signing: Ed25519PrivateKey
    iteration: int
    chain: bytes
    public: bytes = b""

    @classmethod
    def of(cls, key: SenderKey, group: bytes = GROUP, sender: PublicDevice = ALICE) -> ByHand:
        state = key.to_bytes()
        distribution, private = state[:-32], state[-32:]
        return cls.from_distribution(distribution, Ed25519PrivateKey.from_private_bytes(private), group, sender)

    @classmethod
    def from_distribution(
        cls, data: bytes, signing: Ed25519PrivateKey, group: bytes = GROUP, sender: PublicDevice = ALICE
    ) -> ByHand:
        """With everything that a member has, and a signing key that it has, too."""
        iteration = int.from_bytes(data[-36:-32], "big")
        return cls(group, sender, data[-76:-68], signing, iteration, data[-32:], data[-68:-36])

    @classmethod
    def made_up(cls) -> ByHand:
        signing = Ed25519PrivateKey.generate()
        public = signing.public_key().public_bytes_raw()
        return cls(GROUP, ALICE, os.urandom(8), signing, 0, os.urandom(32), public)

    def secrets(self) -> tuple[bytes, bytes, bytes]:
        return self.signing.private_bytes_raw(), self.key_id, self.chain

    def source(self) -> bytes:
        return blocks(b"mitm-lab/1 sender key", self.group, self.sender.to_bytes()) + self.key_id + self.public

    def distribution(self) -> bytes:
        return b"\x01" + self.source() + self.iteration.to_bytes(4, "big") + self.chain

    def reader(self) -> SenderKeyReader:
        return SenderKeyReader.from_distribution(self.group, self.sender, self.distribution())

    def message(self, iteration: int, plaintext: bytes, *, sealed_for: bytes | None = None) -> bytes:
        chain = self.chain
        for _ in range(self.iteration, iteration):
            chain = hmac.digest(chain, b"\x02", "sha256")
        seed = hmac.digest(chain, b"\x01", "sha256")
        material = HKDF(SHA256(), 44, None, b"mitm-lab/1 sender key").derive(seed)
        header = b"\x01\x03" + self.key_id + iteration.to_bytes(4, "big")
        source = self.source() if sealed_for is None else sealed_for
        associated_data = blocks(b"mitm-lab/1 group message", source, header)
        body = header + AESGCM(material[:32]).encrypt(material[32:], plaintext, associated_data)
        return body + self.signing.sign(blocks(b"mitm-lab/1 group message", self.source(), body))


def alices_key() -> SenderKey:
    return SenderKey.new(GROUP, ALICE, os.urandom)


def reader_of(key: SenderKey) -> SenderKeyReader:
    return SenderKeyReader.from_distribution(GROUP, ALICE, key.distribution())


def restarted(reader: SenderKeyReader) -> SenderKeyReader:
    return SenderKeyReader.from_bytes(reader.to_bytes())


def refused(reader: SenderKeyReader, message: bytes, why: str | None = None) -> None:
    """And nothing in the reader has changed."""
    before = reader.to_bytes()
    with pytest.raises(E2EEError, match=why):
        reader.decrypt(message)
    assert reader.to_bytes() == before


# What works


def test_every_member_reads_what_alice_wrote_once() -> None:
    key = alices_key()
    bob, carol = reader_of(key), reader_of(key)
    messages = [key.encrypt(text) for text in (b"one", b"two", b"")]
    assert [bob.decrypt(message) for message in messages] == [b"one", b"two", b""]
    assert [carol.decrypt(message) for message in messages] == [b"one", b"two", b""]


def test_a_message_is_ninety_four_bytes_longer_whoever_reads_it() -> None:
    message = alices_key().encrypt(TEXT)
    assert len(message) == len(TEXT) + 94
    assert b"mill" not in message


def test_the_form_is_the_one_that_is_written_down() -> None:
    key = alices_key()
    key.encrypt(b"an earlier one")
    by_hand = ByHand.of(key)
    assert by_hand.iteration == 1
    assert by_hand.distribution() == key.distribution()
    assert by_hand.message(1, TEXT) == key.encrypt(TEXT)
    assert by_hand.message(2, b"") == key.encrypt(b"")


def test_the_chain_takes_the_step_that_signals_chains_take() -> None:
    if not (folder := os.environ.get("LAB_VECTORS")):
        pytest.skip("LAB_VECTORS does not name the folder of the vectors")
    step = json.loads((Path(folder) / "libsignal" / "fingerprint.json").read_text("utf-8"))["chain_key"]
    key = replace(ByHand.made_up(), chain=bytes.fromhex(step["seed"]))
    reader = key.reader()
    reader.decrypt(key.message(0, TEXT))
    assert step["next_chain_key"] in reader.to_bytes().hex()


def test_the_id_in_a_message_finds_its_reader() -> None:
    key = alices_key()
    assert key_id_of(key.encrypt(TEXT)) == key.key_id == reader_of(key).key_id
    assert key.key_id != alices_key().key_id
    with pytest.raises(E2EEError, match="cut short"):
        key_id_of(key.encrypt(b"")[:-1])


def test_nothing_of_a_new_key_can_be_guessed() -> None:
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(os.urandom(size))
        return drawn[-1]

    private, key_id, chain = ByHand.of(SenderKey.new(GROUP, ALICE, draw)).secrets()
    assert drawn == [private, key_id, chain]
    assert [len(one) for one in drawn] == [32, 8, 32]


def test_messages_may_arrive_in_any_order_across_restarts() -> None:
    key = alices_key()
    reader = reader_of(key)
    texts = [f"message {number}".encode() for number in range(6)]
    messages = [key.encrypt(text) for text in texts]
    for number in (3, 0, 5, 2, 4, 1):
        reader = restarted(reader)
        assert reader.decrypt(messages[number]) == texts[number]
        refused(reader, messages[number], READ_BEFORE)


def test_the_sender_goes_on_after_a_restart_where_it_was() -> None:
    key = alices_key()
    reader = reader_of(key)
    first = key.encrypt(TEXT)
    key = SenderKey.from_bytes(key.to_bytes())
    second = key.encrypt(TEXT)
    assert first[14:-64] != second[14:-64]
    assert [reader.decrypt(first), reader.decrypt(second)] == [TEXT, TEXT]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=12), st.data())
@settings(max_examples=40)
def test_states_come_back_as_they_were(texts: list[bytes], data: st.DataObject) -> None:
    key = alices_key()
    reader = reader_of(key)
    messages = [key.encrypt(text) for text in texts]
    for number in data.draw(st.lists(st.sampled_from(range(len(texts))), unique=True)):
        assert reader.decrypt(messages[number]) == texts[number]
    assert restarted(reader).to_bytes() == reader.to_bytes()
    assert SenderKey.from_bytes(key.to_bytes()).to_bytes() == key.to_bytes()
    assert SenderKey.from_bytes(key.to_bytes()).encrypt(b"") == key.encrypt(b"")


# Another member: it has every key of the chain


def test_another_member_cannot_write_as_alice() -> None:
    key = alices_key()
    bob = reader_of(key)
    mallory = ByHand.from_distribution(key.distribution(), Ed25519PrivateKey.generate())
    forged = mallory.message(0, b"Meet me somewhere else")
    refused(bob, forged, SIGNATURE_INVALID)

    # Nor by putting the signature of a true message under it …
    true = key.encrypt(TEXT)
    refused(bob, forged[:-64] + true[-64:], SIGNATURE_INVALID)
    # … and the true message is still read.
    assert bob.decrypt(true) == TEXT


def test_another_member_cannot_use_up_a_message_that_alice_is_yet_to_write() -> None:
    key = alices_key()
    bob = reader_of(key)
    mallory = ByHand.from_distribution(key.distribution(), Ed25519PrivateKey.generate())
    refused(bob, mallory.message(900, b"far ahead"), SIGNATURE_INVALID)
    assert bob.decrypt(key.encrypt(TEXT)) == TEXT


def test_mallory_cannot_pass_on_alices_key_as_her_own() -> None:
    distribution = alices_key().distribution()
    with pytest.raises(E2EEError, match="another group or of another device"):
        SenderKeyReader.from_distribution(GROUP, MALLORY, distribution)


def test_and_if_she_rewrites_it_alices_messages_still_are_not_hers() -> None:
    key = alices_key()
    stolen = replace(ByHand.of(key), sender=MALLORY)
    bobs_reader_for_mallory = stolen.reader()
    refused(bobs_reader_for_mallory, key.encrypt(TEXT), SIGNATURE_INVALID)


def test_a_signing_key_under_which_everybody_can_sign_is_not_accepted() -> None:
    weak = replace(ByHand.made_up(), public=b"\x01" + bytes(31))
    with pytest.raises(E2EEError, match="small order"):
        weak.reader()


def test_a_signed_message_must_also_decrypt() -> None:
    key = ByHand.made_up()
    reader = key.reader()
    refused(reader, replace(key, chain=os.urandom(32)).message(3, TEXT), NOT_AUTHENTIC)
    refused(reader, key.message(3, TEXT, sealed_for=b"something else"), NOT_AUTHENTIC)
    assert reader.decrypt(key.message(0, TEXT)) == TEXT


# Moved, repeated, changed


def moved(**changed: object) -> tuple[bytes, SenderKeyReader]:
    """A message of Alice's, and a reader that differs from hers in nothing but what is named."""
    key = alices_key()
    elsewhere = replace(ByHand.of(key), **changed)
    return key.encrypt(TEXT), elsewhere.reader()


def test_a_message_moved_to_another_group_is_refused() -> None:
    message, reader = moved(group=OTHER_GROUP)
    refused(reader, message, SIGNATURE_INVALID)


def test_a_message_shown_as_that_of_another_sender_is_refused() -> None:
    message, reader = moved(sender=PublicDevice("carol", ALICE.device, ALICE.identity, ALICE.signing))
    refused(reader, message, SIGNATURE_INVALID)


def test_a_message_shown_as_that_of_another_device_is_refused() -> None:
    message, reader = moved(sender=PublicDevice(ALICE.account, 2, ALICE.identity, ALICE.signing))
    refused(reader, message, SIGNATURE_INVALID)


@pytest.mark.parametrize("name", ["identity", "signing"])
def test_a_message_shown_under_other_keys_of_the_device_is_refused(name: str) -> None:
    message, reader = moved(sender=replace(ALICE, **{name: getattr(MALLORY, name)}))
    refused(reader, message, SIGNATURE_INVALID)


def test_a_distribution_is_for_one_group() -> None:
    with pytest.raises(E2EEError, match="another group or of another device"):
        SenderKeyReader.from_distribution(OTHER_GROUP, ALICE, alices_key().distribution())


def test_a_message_under_another_key_is_refused() -> None:
    old, new = alices_key(), alices_key()
    refused(reader_of(old), new.encrypt(TEXT), OTHER_KEY)
    message, reader = moved(key_id=os.urandom(8))
    refused(reader, message, OTHER_KEY)
    refused(reader, message[:2] + reader.key_id + message[10:], SIGNATURE_INVALID)


def test_a_message_changed_in_any_byte_is_refused_and_the_true_one_is_read() -> None:
    key = alices_key()
    reader = reader_of(key)
    key.encrypt(b"one that is lost")
    message = key.encrypt(b"hi")
    for place in range(len(message)):
        for bit in (1, 0x80):
            refused(reader, message[:place] + bytes([message[place] ^ bit]) + message[place + 1 :])
    assert reader.decrypt(message) == b"hi"


def test_a_message_that_is_cut_or_made_longer_is_refused() -> None:
    key = alices_key()
    reader = reader_of(key)
    message = key.encrypt(b"hi")
    for size in range(len(message)):
        refused(reader, message[:size])
        refused(reader, message[size + 1 :])
    refused(reader, message + b"\0", SIGNATURE_INVALID)
    assert reader.decrypt(message) == b"hi"


@pytest.mark.parametrize("start", [b"\x02\x03", b"\0\x03", b"\x01\x01", b"\x01\x02", b"\x01\x04"])
def test_only_group_messages_of_this_version_are_looked_at(start: bytes) -> None:
    key = alices_key()
    reader = reader_of(key)
    refused(reader, start + key.encrypt(TEXT)[2:], "not a group message of a known version")


@given(st.binary(max_size=200))
def test_whatever_arrives_there_is_one_kind_of_error(data: bytes) -> None:
    key = alices_key()
    reader = reader_of(key)
    refused(reader, data)
    refused(reader, b"\x01\x03" + key.key_id + data)


# Limits


def test_a_thousand_missing_messages_are_skipped_and_not_one_more() -> None:
    key = ByHand.made_up()
    reader = key.reader()
    refused(reader, key.message(MAX_SKIP + 1, TEXT), TOO_FAR)
    assert reader.decrypt(key.message(MAX_SKIP, TEXT)) == TEXT
    assert reader.decrypt(key.message(0, TEXT)) == TEXT
    assert reader.decrypt(key.message(MAX_SKIP - 1, TEXT)) == TEXT


@pytest.mark.parametrize("iteration", [MAX_SKIP + 1, 2**31, 2**32 - 1])
def test_a_forged_number_costs_no_hashing(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ByHand.made_up()
    reader = key.reader()
    monkeypatch.setattr(groups, "step_chain", None)  # would raise TypeError
    at_the_end = replace(key, iteration=iteration)  # so that the test does not hash, either
    refused(reader, at_the_end.message(iteration, TEXT), TOO_FAR)


def test_nor_does_a_number_within_the_limit_unless_alice_signed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ByHand.made_up()
    reader = key.reader()
    monkeypatch.setattr(groups, "step_chain", None)
    refused(reader, replace(key, signing=Ed25519PrivateKey.generate()).message(MAX_SKIP, TEXT), SIGNATURE_INVALID)


def test_of_the_keys_that_wait_the_oldest_go() -> None:
    key = ByHand.made_up()
    reader = key.reader()
    step = MAX_SKIP + 1
    for number in range(1, 4):
        reader.decrypt(key.message(number * step - 1, TEXT))
    # 3,000 are missing, 2,000 kept.
    refused(reader, key.message(0, TEXT), READ_BEFORE)
    refused(reader, key.message(step - 2, TEXT), READ_BEFORE)
    reader = restarted(reader)
    assert len(reader.to_bytes()) == len(key.distribution()) + 4 + MAX_STORED * 36
    assert reader.decrypt(key.message(step, TEXT)) == TEXT
    assert reader.decrypt(key.message(3 * step - 2, TEXT)) == TEXT


def test_a_used_key_is_gone_from_the_state() -> None:
    key = ByHand.made_up()
    reader = key.reader()
    reader.decrypt(key.message(2, TEXT))
    seeds = [hmac.digest(key.chain, b"\x01", "sha256")]
    following = hmac.digest(key.chain, b"\x02", "sha256")
    seeds.append(hmac.digest(following, b"\x01", "sha256"))
    assert all(seed in reader.to_bytes() for seed in seeds)
    assert key.chain not in reader.to_bytes()
    assert following not in reader.to_bytes()
    reader.decrypt(key.message(0, TEXT))
    assert [seed in reader.to_bytes() for seed in seeds] == [False, True]


def test_the_sender_keeps_no_key_of_what_it_has_sent() -> None:
    key = alices_key()
    chain = ByHand.of(key).chain
    key.encrypt(TEXT)
    assert chain not in key.to_bytes()


def test_a_sender_key_ends_before_its_counter_starts_again() -> None:
    state = alices_key().to_bytes()
    key = SenderKey.from_bytes(state[:-68] + (2**32 - 2).to_bytes(4, "big") + state[-64:])
    by_hand, reader = ByHand.of(key), reader_of(key)
    assert reader.decrypt(key.encrypt(TEXT)) == TEXT
    with pytest.raises(E2EEError, match="used up"):
        key.encrypt(TEXT)
    assert SenderKey.from_bytes(key.to_bytes()).distribution() == key.distribution()
    refused(restarted(reader), by_hand.message(2**32 - 1, TEXT), TOO_FAR)


def test_a_message_that_is_too_long_is_neither_sent_nor_read() -> None:
    key = alices_key()
    reader, by_hand = reader_of(key), ByHand.of(key)
    with pytest.raises(E2EEError, match="longer than it may be"):
        key.encrypt(bytes(MAX_PLAINTEXT + 1))
    refused(reader, by_hand.message(0, bytes(MAX_PLAINTEXT + 1)), "too long")
    assert reader.decrypt(key.encrypt(bytes(MAX_PLAINTEXT))) == bytes(MAX_PLAINTEXT)


# Who comes and who goes


def test_a_newcomer_cannot_read_what_was_written_before() -> None:
    key = alices_key()
    before = [key.encrypt(TEXT) for _ in range(3)]
    newcomer = reader_of(key)
    for message in before:
        refused(newcomer, message, READ_BEFORE)
    assert newcomer.decrypt(key.encrypt(b"Welcome")) == b"Welcome"


def test_not_even_one_who_sets_back_the_counter() -> None:
    key = alices_key()
    before = [key.encrypt(TEXT) for _ in range(3)]
    given_to_newcomer = ByHand.of(key)
    for iteration, message in enumerate(before):
        refused(replace(given_to_newcomer, iteration=iteration).reader(), message, NOT_AUTHENTIC)
        refused(replace(given_to_newcomer, iteration=0).reader(), message, NOT_AUTHENTIC)


def test_a_member_who_has_left_cannot_read_what_follows_under_the_new_key() -> None:
    old, new = alices_key(), alices_key()
    left = reader_of(old)
    left.decrypt(old.encrypt(TEXT))
    after = new.encrypt(b"Now that Mallory is gone")
    refused(left, after, OTHER_KEY)
    # Nor with the new public key and id, if the chain is the old one.
    cheating = replace(ByHand.of(new), iteration=0, chain=ByHand.of(old).chain).reader()
    refused(cheating, after, NOT_AUTHENTIC)


def test_without_a_new_key_it_could() -> None:
    key = alices_key()
    left = restarted(reader_of(key))
    assert left.decrypt(key.encrypt(b"Now that Mallory is gone")) == b"Now that Mallory is gone"


# Malformed


@pytest.mark.parametrize("whole", [SenderKey.distribution, SenderKey.to_bytes])
def test_what_is_cut_or_made_longer_is_no_sender_key(whole: Callable[[SenderKey], bytes]) -> None:
    data = whole(alices_key())

    def read(data: bytes) -> object:
        if whole is SenderKey.to_bytes:
            return SenderKey.from_bytes(data)
        return SenderKeyReader.from_distribution(GROUP, ALICE, data)

    assert read(data)
    for wrong in (*(data[:size] for size in range(len(data))), data + b"\0", b"\x02" + data[1:]):
        with pytest.raises(E2EEError):
            read(wrong)


def test_a_distribution_must_say_that_it_is_one() -> None:
    data = alices_key().distribution()
    with pytest.raises(E2EEError, match="not a sender key"):
        SenderKeyReader.from_distribution(GROUP, ALICE, data.replace(b"sender key", b"sender kex"))


def test_a_state_that_is_cut_or_keeps_too_much_is_no_reader() -> None:
    key = ByHand.made_up()
    reader = key.reader()
    reader.decrypt(key.message(2, TEXT))
    data = reader.to_bytes()
    for wrong in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(E2EEError):
            SenderKeyReader.from_bytes(wrong)
    with pytest.raises(E2EEError, match="more keys"):
        SenderKeyReader.from_bytes(data[:-76] + (MAX_STORED + 1).to_bytes(4, "big") + bytes(36 * (MAX_STORED + 1)))


# Five members, and everything that can happen to a group


@dataclass
class Letter:
    sender: int
    message: bytes
    text: bytes
    audience: frozenset[int]
    """Who was in the group when it was written: the members who should read it."""
    read_by: set[int]


class Group(RuleBasedStateMachine):
    """Five members join, leave, come back, write, restart; messages are lost, late, doubled and changed.

    Nobody forgets: those who left keep all that they were ever given, and try all of it on everything.
    """

    PEOPLE = st.integers(0, 4)

    def __init__(self) -> None:
        super().__init__()
        self.devices = [DeviceKeys.new(f"member-{number}", 1, os.urandom).public for number in range(5)]
        self.members: set[int] = set()
        self.keys: dict[int, SenderKey] = {}
        self.readers: dict[int, dict[tuple[int, bytes], SenderKeyReader]] = {number: {} for number in range(5)}
        self.letters: list[Letter] = []

    def distribute(self, sender: int, to: int) -> None:
        key = self.keys[sender]
        reader = SenderKeyReader.from_distribution(GROUP, self.devices[sender], key.distribution())
        self.readers[to].setdefault((sender, key.key_id), reader)

    def make_key(self, sender: int) -> None:
        self.keys[sender] = SenderKey.new(GROUP, self.devices[sender], os.urandom)
        for other in self.members - {sender}:
            self.distribute(sender, other)

    def one_of(self, people: set[int], drawn: int) -> int:
        return sorted(people)[drawn % len(people)]

    def write(self, drawn: int) -> None:
        """After everything that happens somebody writes, so that it has a consequence."""
        sender = self.one_of(self.members, drawn)
        text = f"letter {len(self.letters)}".encode()
        message = self.keys[sender].encrypt(text)
        self.letters.append(Letter(sender, message, text, frozenset(self.members - {sender}), set()))

    @initialize(members=st.sets(PEOPLE, min_size=2), writer=PEOPLE)
    def found(self, members: set[int], writer: int) -> None:
        self.members = set(members)
        for member in members:
            self.make_key(member)
        self.write(writer)

    @precondition(lambda self: len(self.members) < 5)
    @rule(person=PEOPLE, fresh=st.booleans(), writer=PEOPLE)
    def join(self, person: int, fresh: bool, writer: int) -> None:
        newcomer, before = self.one_of(set(range(5)) - self.members, person), sorted(self.members)
        self.members.add(newcomer)
        self.make_key(newcomer)
        for member in before:
            if fresh:
                self.make_key(member)
            else:
                self.distribute(member, newcomer)
        self.write(writer)

    @precondition(lambda self: len(self.members) > 1)
    @rule(person=PEOPLE, writer=PEOPLE)
    def leave(self, person: int, writer: int) -> None:
        self.members.remove(self.one_of(self.members, person))
        for member in self.members:
            self.make_key(member)
        self.write(writer)

    @rule(person=PEOPLE, writer=PEOPLE)
    def rotate(self, person: int, writer: int) -> None:
        self.make_key(self.one_of(self.members, person))
        self.write(writer)

    @rule(person=PEOPLE, writer=PEOPLE)
    def restart(self, person: int, writer: int) -> None:
        self.readers[person] = {at: restarted(reader) for at, reader in self.readers[person].items()}
        if person in self.keys:
            self.keys[person] = SenderKey.from_bytes(self.keys[person].to_bytes())
        self.write(writer)

    @rule(writers=st.lists(PEOPLE, min_size=1, max_size=5))
    def talk(self, writers: list[int]) -> None:
        for writer in writers:
            self.write(writer)

    @rule(person=PEOPLE, data=st.data())
    def deliver(self, person: int, data: st.DataObject) -> None:
        self.hand_to(person, data.draw(st.sampled_from(self.letters)))

    @rule(person=PEOPLE, data=st.data())
    def change_on_the_way(self, person: int, data: st.DataObject) -> None:
        letter = data.draw(st.sampled_from(self.letters))
        message = bytearray(letter.message)
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
        for reader in self.readers[person].values():
            refused(reader, bytes(message))

    def hand_to(self, person: int, letter: Letter) -> None:
        """The one reader that may read it does, if it has not yet; every other one of this person does not."""
        mine = letter.sender, key_id_of(letter.message)
        due = person in letter.audience and person not in letter.read_by
        assert not due or mine in self.readers[person]
        for at, reader in self.readers[person].items():
            if due and at == mine:
                assert reader.decrypt(letter.message) == letter.text
                letter.read_by.add(person)
            else:
                refused(reader, letter.message)

    def teardown(self) -> None:
        # What was late arrives at last, newest first: nobody has lost the means to read it, nobody has gained any.
        for letter in reversed(self.letters):
            for person in range(5):
                self.hand_to(person, letter)
            assert letter.read_by == letter.audience


Group.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestGroup = Group.TestCase
