"""Alice writes to Bob, who may be away. They answer, begin at the same time, lose everything and begin anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.e2ee.identity import DeviceKeys, PublicDevice
from lab.e2ee.prekeys import Handed, OneTimeKeys, PreKeys, read_bundle
from lab.e2ee.protocol import MAX_PLAINTEXT, MAX_SESSIONS, E2EEError, Suite
from lab.e2ee.session import Opened, Sessions, begin, open_envelope

TEXT = "Meet me at the old mill at 5pm — Grüße".encode()
FIRST, MESSAGE = 1, 2
HEADER = {Suite.X3DH: 41, Suite.PQXDH: 1613}
both_suites = pytest.mark.parametrize("suite", Suite)


class Device:
    """A device, and what the service has of it and hands out."""

    def __init__(self, account: str, number: int = 1, one_time_keys: int = 3) -> None:
        self.keys = DeviceKeys.new(account, number, os.urandom)
        self.sessions: dict[PublicDevice, Sessions] = {}
        self.prekeys = PreKeys.new(self.keys, os.urandom)
        self.signed = self.prekeys.signed_part(self.keys)
        self.uploaded = OneTimeKeys((), ())
        self.replenish(one_time_keys)

    @property
    def public(self) -> PublicDevice:
        return self.keys.public

    def replenish(self, count: int) -> None:
        self.prekeys, self.uploaded = self.prekeys.replenish(self.keys, count, os.urandom)

    def handed(self) -> Handed:
        one_time, one_time_kem = self.uploaded.one_time[:1], self.uploaded.one_time_kem[:1]
        self.uploaded = OneTimeKeys(self.uploaded.one_time[1:], self.uploaded.one_time_kem[1:])
        return Handed(self.signed, *(each[0][1] if each else None for each in (one_time, one_time_kem)))

    def begin(self, other: Device, suite: Suite = Suite.PQXDH) -> None:
        bundle = read_bundle(other.public, other.handed())
        self.sessions[other.public] = begin(self.keys, bundle, suite, os.urandom, self.sessions.get(other.public))

    def write(self, other: Device, text: bytes = TEXT) -> bytes:
        return self.sessions[other.public].encrypt(text, os.urandom)

    def open(self, other: Device, envelope: bytes) -> Opened:
        return open_envelope(self.sessions.get(other.public), self.keys, self.prekeys, other.public, envelope)

    def read(self, other: Device, envelope: bytes) -> bytes:
        opened = self.open(other, envelope)
        self.sessions[other.public], self.prekeys = opened.sessions, opened.prekeys
        return opened.plaintext

    def refuses(self, other: Device, envelope: bytes, because: str = ".") -> bool:
        """Refused, and nothing is different."""
        before = self.state()
        with pytest.raises(E2EEError, match=because):
            self.open(other, envelope)
        return self.state() == before

    def state(self) -> tuple[bytes, dict[PublicDevice, bytes]]:
        """Everything that there is to store."""
        return self.prekeys.to_bytes(), {other: sessions.to_bytes() for other, sessions in self.sessions.items()}

    def restart(self) -> None:
        prekeys, sessions = self.state()
        self.prekeys = PreKeys.from_bytes(prekeys)
        self.sessions = {other: Sessions.from_bytes(stored) for other, stored in sessions.items()}


def say(sender: Device, reader: Device, text: bytes = TEXT) -> bytes:
    envelope = sender.write(reader, text)
    assert reader.read(sender, envelope) == text
    return envelope


def strangers(suite: Suite = Suite.PQXDH, one_time_keys: int = 3) -> tuple[Device, Device]:
    """Alice has begun a session with Bob, who does not know yet."""
    alice, bob = Device("alice"), Device("bob", one_time_keys=one_time_keys)
    alice.begin(bob, suite)
    return alice, bob


def acquainted(suite: Suite = Suite.PQXDH) -> tuple[Device, Device]:
    """Both have written and read."""
    alice, bob = strangers(suite)
    say(alice, bob)
    say(bob, alice)
    return alice, bob


def changed(envelope: bytes) -> Iterator[bytes]:
    """One bit flipped in every byte, cut short, or longer; of a KEM ciphertext only some bytes."""
    places = [at for at in range(len(envelope)) if at < 60 or at > len(envelope) - 110 or at % 50 == 0]
    for at in places:
        yield envelope[:at] + bytes([envelope[at] ^ 1 << at % 8]) + envelope[at + 1 :]
        yield envelope[:at]
    yield envelope + b"\x00"
    yield envelope[:2] + b"\x00" + envelope[2:]


@both_suites
class TestTalking:
    def test_bob_reads_what_was_written_while_he_was_away_and_answers(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        envelopes = [alice.write(bob, text) for text in (b"one", b"", b"three")]
        assert [bob.read(alice, envelope) for envelope in envelopes] == [b"one", b"", b"three"]
        say(bob, alice)
        say(alice, bob)

    def test_what_sets_the_session_up_is_sent_until_an_answer_was_read(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        envelopes = [say(alice, bob), say(alice, bob)]
        answer = bob.write(alice)
        envelopes.append(alice.write(bob))
        assert alice.read(bob, answer) == TEXT
        later = alice.write(bob)
        assert {envelope[:2] for envelope in envelopes} == {bytes((1, FIRST))}
        assert {envelope[:2] for envelope in (answer, later)} == {bytes((1, MESSAGE))}
        assert {len(envelope) - len(TEXT) - 58 for envelope in envelopes} == {HEADER[suite]}
        assert {len(envelope) - len(TEXT) - 58 for envelope in (answer, later)} == {0}
        assert [bob.read(alice, envelope) for envelope in (later, envelopes[2])] == [TEXT, TEXT]

    def test_the_first_message_may_be_lost_or_come_last(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        late = alice.write(bob, b"late")
        alice.write(bob, b"lost")
        say(alice, bob)
        say(bob, alice)
        say(alice, bob)
        assert bob.read(alice, late) == b"late"

    def test_an_envelope_is_opened_once(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        envelopes = [say(alice, bob), say(alice, bob)]
        assert all(bob.refuses(alice, envelope) for envelope in envelopes)
        say(bob, alice)
        envelopes.append(say(alice, bob))
        assert all(bob.refuses(alice, envelope) for envelope in envelopes)

    def test_a_session_uses_one_one_time_key_of_each_kind_up(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        full = len(bob.prekeys.to_bytes())
        say(alice, bob)
        left = bob.prekeys.to_bytes()
        # An id and a private key: 32 bytes for X25519, 64 for ML-KEM.
        assert full - len(left) == 36 + (68 if suite is Suite.PQXDH else 0)
        say(alice, bob)
        assert bob.prekeys.to_bytes() == left

    def test_without_one_time_keys_a_first_message_is_still_opened_once(self, suite: Suite) -> None:
        alice, bob = strangers(suite, one_time_keys=0)
        envelope = say(alice, bob)
        assert bob.refuses(alice, envelope)
        bob.sessions.clear()
        assert bob.refuses(alice, envelope, "come again")

    def test_a_first_message_is_gone_with_its_one_time_key(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        envelope = say(alice, bob)
        bob.sessions.clear()
        assert bob.refuses(alice, envelope, "used before")

    def test_what_was_passed_in_stays_as_it_was(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        for _ in range(3):
            envelope, before = alice.write(bob), bob.state()
            opened = bob.open(alice, envelope)
            assert opened.plaintext == bob.open(alice, envelope).plaintext == TEXT
            assert bob.state() == before
            bob.read(alice, envelope)

    def test_a_state_and_the_one_after_it_go_their_own_ways(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        late = alice.write(bob)
        alice.begin(bob, suite)
        say(alice, bob)
        before = bob.sessions[alice.public]
        bob.read(alice, late)
        # Two sessions, one of which nothing was read in: it is in both states, and still they are not connected.
        after = bob.sessions[alice.public].to_bytes()
        before.encrypt(TEXT, os.urandom)
        assert bob.sessions[alice.public].to_bytes() == after


def bytes_of_others(side: Device, other: Device) -> bytes:
    """The state of the one session that is not the one to write in."""
    _, idle = side.sessions[other.public]._sessions
    return idle.ratchet.to_bytes()


class TestSeveralSessions:
    def test_two_who_begin_at_the_same_time_end_up_in_one_session(self) -> None:
        alice, bob = Device("alice"), Device("bob")
        alice.begin(bob)
        bob.begin(alice)
        crossing = [alice.write(bob, b"from alice"), bob.write(alice, b"from bob")]
        assert [bob.read(alice, crossing[0]), alice.read(bob, crossing[1])] == [b"from alice", b"from bob"]
        for _ in range(3):
            say(alice, bob)
            say(bob, alice)
        # One session: the other one is there, and nobody writes in it any more.
        idle = [bytes_of_others(side, other) for side, other in ((alice, bob), (bob, alice))]
        assert {say(alice, bob)[1], say(bob, alice)[1]} == {MESSAGE}
        assert idle == [bytes_of_others(side, other) for side, other in ((alice, bob), (bob, alice))]

    def test_messages_of_both_sessions_are_read_in_any_order(self) -> None:
        alice, bob = Device("alice"), Device("bob")
        alice.begin(bob)
        bob.begin(alice)
        old = [alice.write(bob, b"1"), alice.write(bob, b"2")]
        alice.read(bob, bob.write(alice))
        new = [alice.write(bob, b"3"), alice.write(bob, b"4")]
        assert [bob.read(alice, each) for each in (new[1], old[1], new[0], old[0])] == [b"4", b"2", b"3", b"1"]
        assert all(bob.refuses(alice, each) for each in old + new)

    def test_who_has_lost_everything_begins_anew(self) -> None:
        alice, bob = acquainted()
        bob.sessions.clear()
        assert bob.refuses(alice, alice.write(bob), "no session opens")
        bob.begin(alice)
        say(bob, alice)
        say(alice, bob)

    def test_a_new_session_is_the_one_to_write_in_and_the_old_one_is_still_read_in(self) -> None:
        alice, bob = acquainted()
        late = alice.write(bob, b"late")
        alice.begin(bob)
        assert say(alice, bob)[1] == FIRST
        assert bob.read(alice, late) == b"late"

    def test_the_session_that_was_longest_not_used_goes_when_there_are_too_many(self) -> None:
        alice, bob = Device("alice"), Device("bob", one_time_keys=20)
        envelopes = []
        for one in range(MAX_SESSIONS + 1):
            alice.begin(bob)
            envelopes.append(alice.write(bob, str(one).encode()))
            late = alice.write(bob)
            bob.read(alice, envelopes[-1])
            if one == 0:
                oldest = late
            if one == MAX_SESSIONS - 1:
                # The first one is used once more, so it is the second one that will have to go.
                assert bob.read(alice, oldest) == TEXT
            if one == 1:
                lost = late
        assert bob.refuses(alice, lost, "used before")
        say(alice, bob)


class TestSuites:
    def test_after_pqxdh_no_session_is_begun_with_x3dh(self) -> None:
        alice, bob = acquainted(Suite.PQXDH)
        with pytest.raises(E2EEError, match="stronger suite"):
            alice.begin(bob, Suite.X3DH)

    def test_after_pqxdh_no_first_message_with_x3dh_is_read(self) -> None:
        alice, bob = acquainted(Suite.PQXDH)
        del alice.sessions[bob.public]
        alice.begin(bob, Suite.X3DH)
        assert bob.refuses(alice, alice.write(bob), "stronger suite")

    def test_who_has_begun_with_pqxdh_reads_no_first_message_with_x3dh(self) -> None:
        alice, bob = strangers(Suite.PQXDH)
        bob.begin(alice, Suite.X3DH)
        assert alice.refuses(bob, bob.write(alice), "stronger suite")

    def test_after_x3dh_there_may_be_pqxdh(self) -> None:
        alice, bob = acquainted(Suite.X3DH)
        alice.begin(bob, Suite.PQXDH)
        say(alice, bob)
        say(bob, alice)

    def test_a_late_message_of_a_weaker_session_is_read_and_nothing_more(self) -> None:
        alice, bob = acquainted(Suite.X3DH)
        late = [alice.write(bob, text) for text in (b"one", b"two")]
        alice.begin(bob, Suite.PQXDH)
        say(alice, bob)
        assert bob.read(alice, late[0]) == b"one"
        assert bob.sessions[alice.public].suite is Suite.PQXDH
        say(bob, alice)
        assert say(alice, bob)[1] == MESSAGE
        assert bob.read(alice, late[1]) == b"two"
        assert all(bob.refuses(alice, each) for each in late)

    def test_the_suite_in_the_header_cannot_be_changed(self) -> None:
        alice, bob = strangers(Suite.PQXDH)
        envelope = alice.write(bob)
        x3dh = bytes((1, FIRST, Suite.X3DH)) + envelope[3 : 2 + 41] + envelope[2 + 1613 :]
        assert bob.refuses(alice, x3dh, "not authentic")
        assert bob.read(alice, envelope) == TEXT


class TestForgeries:
    @both_suites
    def test_a_changed_first_message_is_refused_and_uses_nothing_up(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        envelope = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(envelope))
        assert bob.read(alice, envelope) == TEXT

    @both_suites
    def test_a_changed_message_is_refused_and_the_session_goes_on(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        say(alice, bob)
        repeated = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(repeated))
        assert bob.read(alice, repeated) == TEXT
        say(bob, alice)
        later = alice.write(bob)
        assert all(bob.refuses(alice, bad) for bad in changed(later))
        assert bob.read(alice, later) == TEXT

    @both_suites
    def test_header_and_message_of_two_sessions_do_not_fit_together(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        one = alice.write(bob)
        alice.begin(bob, suite)
        other = alice.write(bob)
        cut = 2 + HEADER[suite]
        assert bob.refuses(alice, one[:cut] + other[cut:], "not authentic")
        assert bob.refuses(alice, other[:cut] + one[cut:], "not authentic")
        assert [bob.read(alice, each) for each in (other, one)] == [TEXT, TEXT]

    def test_only_whom_it_was_written_to_opens_an_envelope(self) -> None:
        alice, bob = strangers()
        carol, bobs_other = Device("carol"), Device("bob", 2)
        first = say(alice, bob)
        say(bob, alice)
        later = alice.write(bob)
        for device in (carol, bobs_other):
            assert all(device.refuses(alice, envelope) for envelope in (first, later))
            alice.begin(device)
            say(alice, device)
            assert all(device.refuses(alice, envelope) for envelope in (first, later))

    def test_an_envelope_opens_under_the_name_of_its_sender_only(self) -> None:
        alice, bob = strangers()
        mallory, alices_other = Device("mallory"), Device("alice", 2)
        first = alice.write(bob)
        assert all(bob.refuses(other, first) for other in (mallory, alices_other))
        assert bob.read(alice, first) == TEXT
        later = alice.write(bob)
        for other in (mallory, alices_other):
            other.begin(bob)
            say(other, bob)
            assert bob.refuses(other, later)
            bob.sessions[other.public] = bob.sessions[alice.public]
            assert bob.refuses(other, later, "with another device")
        assert bob.read(alice, later) == TEXT

    def test_a_device_with_other_keys_is_another_device(self) -> None:
        alice, bob = acquainted()
        again = Device("alice")
        renewed = replace(alice.public, identity=again.public.identity)
        sessions = bob.sessions[alice.public]
        with pytest.raises(E2EEError, match="with another device"):
            open_envelope(sessions, bob.keys, bob.prekeys, renewed, alice.write(bob))
        with pytest.raises(E2EEError, match="with another device"):
            begin(bob.keys, read_bundle(again.public, again.handed()), Suite.PQXDH, os.urandom, sessions)

    def test_ones_own_envelope_does_not_come_back(self) -> None:
        alice, bob = strangers()
        assert alice.refuses(bob, say(alice, bob))
        say(bob, alice)
        assert alice.refuses(bob, say(alice, bob))

    @pytest.mark.parametrize("start", [b"", b"\x01", b"\x00\x02", b"\x02\x02", b"\x01\x00", b"\x01\x03", b"\x01\x04"])
    def test_another_version_or_kind_is_refused(self, start: bytes) -> None:
        alice, bob = acquainted()
        assert bob.refuses(alice, start and start + alice.write(bob)[2:])

    @settings(max_examples=50)
    @given(st.sampled_from([b"", b"\x01\x01\x01", b"\x01\x01\x02", b"\x01\x02"]), st.binary(max_size=200))
    def test_bytes_that_are_no_envelope_are_refused(self, start: bytes, noise: bytes) -> None:
        alice, bob = acquainted(Suite.X3DH)
        assert alice.refuses(bob, start + noise)
        assert Device("carol").refuses(bob, start + noise)

    def test_a_suite_that_nobody_knows_is_refused(self) -> None:
        alice, bob = strangers()
        envelope = alice.write(bob)
        assert all(bob.refuses(alice, envelope[:2] + bytes([suite]) + envelope[3:]) for suite in (0, 3, 255))

    def test_what_makes_a_message_a_first_one_changes_nothing_in_a_known_session(self) -> None:
        alice, bob = strangers()
        say(alice, bob)
        envelope = alice.write(bob)
        bare = bytes((1, MESSAGE)) + envelope[2 + 1613 :]
        assert bob.read(alice, bare) == TEXT
        assert bob.refuses(alice, envelope)

    def test_a_message_may_have_a_mebibyte(self) -> None:
        alice, bob = strangers()
        say(alice, bob, bytes(MAX_PLAINTEXT))
        before = alice.state()
        with pytest.raises(E2EEError, match="longer than it may be"):
            alice.write(bob, bytes(MAX_PLAINTEXT + 1))
        assert alice.state() == before
        assert bob.refuses(alice, alice.write(bob, bytes(MAX_PLAINTEXT)) + b"\x00", "longer than it may be")


class TestThieves:
    """Somebody has copied a device, and tries what was copied on what the device writes."""

    @staticmethod
    def overhears(sessions: Sessions | None, owner: Device, envelope: bytes) -> tuple[Sessions | None, bytes | None]:
        try:
            opened = open_envelope(sessions, owner.keys, owner.prekeys, owner.public, envelope)
        except E2EEError:
            return sessions, None
        return opened.sessions, opened.plaintext

    @both_suites
    def test_a_copy_opens_what_its_owner_writes_until_an_answer_was_read(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        before = say(alice, bob)
        copied = alice.sessions[bob.public].overheard(alice.public)
        copied, text = self.overhears(copied, alice, before)
        assert text is None
        for _ in range(2):
            copied, text = self.overhears(copied, alice, say(alice, bob))
            assert text == TEXT
        say(bob, alice)
        for _ in range(2):
            copied, text = self.overhears(copied, alice, say(alice, bob))
            assert text is None

    def test_a_copy_made_before_its_owner_writes_opens_nothing_of_it(self) -> None:
        alice, bob = strangers()
        assert alice.sessions[bob.public].overheard(alice.public) is None
        say(alice, bob)
        assert bob.sessions[alice.public].overheard(bob.public) is None


class TestStates:
    def test_a_stored_state_is_the_state(self) -> None:
        alice, bob = strangers()
        for _ in range(2):
            say(alice, bob)
            bob.begin(alice)
            for side in (alice, bob):
                before = side.state()
                side.restart()
                assert side.state() == before

    @both_suites
    def test_a_restart_at_any_time_changes_nothing(self, suite: Suite) -> None:
        alice, bob = strangers(suite)
        late = []
        for sender, reader in [(alice, bob), (alice, bob), (bob, alice), (alice, bob), (bob, alice)]:
            late.append((sender, reader, sender.write(reader)))
            sender.restart()
            say(sender, reader)
            reader.restart()
        for sender, reader, envelope in late:
            assert reader.read(sender, envelope) == TEXT
            reader.restart()
            assert reader.refuses(sender, envelope)

    def test_a_damaged_state_is_refused(self) -> None:
        alice, bob = acquainted()
        alice.begin(bob)
        state = alice.sessions[bob.public].to_bytes()
        peer = 1 + 4 + len(bob.public.to_bytes())
        for bad in (
            *(state[:size] for size in range(len(state))),
            state + b"\x00",
            b"\x02" + state[1:],
            state[: peer + 1] + b"\x03" + state[peer + 2 :],
        ):
            with pytest.raises(E2EEError):
                Sessions.from_bytes(bad)

    def test_a_state_has_one_session_at_least_and_no_more_than_are_kept(self) -> None:
        alice, bob = acquainted()
        state, peer = alice.sessions[bob.public].to_bytes(), 1 + 4 + len(bob.public.to_bytes())
        head, one = state[:peer], state[peer + 1 :]
        for count in range(1, MAX_SESSIONS + 1):
            many = head + bytes([count]) + one * count
            assert Sessions.from_bytes(many).to_bytes() == many
        for count in (0, MAX_SESSIONS + 1):
            with pytest.raises(E2EEError, match="or too many"):
                Sessions.from_bytes(head + bytes([count]) + one * count)

    def test_neither_texts_nor_keys_show_when_something_is_printed(self) -> None:
        alice, bob = strangers()
        opened = bob.open(alice, alice.write(bob, b"secret"))
        assert "secret" not in repr(opened)
        assert "Sessions object at" in repr(opened)
