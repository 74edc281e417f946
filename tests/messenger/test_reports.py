"""What Bob shows the operator of what Alice wrote, and what she says about herself."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.attack.pictures import flower, insult
from lab.attack.salamander import Salamander, salamander
from lab.e2ee import franking
from lab.e2ee.files import FileKey, open_file, seal_file
from lab.e2ee.protocol import E2EEError
from lab.messenger import commitments
from lab.messenger.attachments import Attachment, SealedFile
from lab.messenger.content import Content, File
from lab.messenger.participant import Profile
from lab.messenger.wire import WireError
from lab.model import Deed, Encryption
from lab.service import reports

from .conftest import MAP, Enrol, Make, Someone

HI = Content("Grüße — you are stupid")


def kept(database: Path, report: str) -> dict[str, Any]:
    """A report as the operator reads it."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute("SELECT * FROM reports WHERE id = ?", (report,)).fetchone())


def sent(sender: Someone, reader: Someone, content: Content, sealed: SealedFile | None = None) -> str:
    """A message that was sent and read; its id."""
    conversation = sender.self.start_conversation([reader.account])
    message = sender.self.post(sender.self.prepare(conversation, [reader.account], content, sealed))
    assert reader.self.receive() == content
    return message


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(texts, st.none() | st.tuples(texts, st.binary(max_size=30)))
def test_service_and_apps_mean_the_same_by_a_commitment(text: str, file: tuple[str, bytes] | None) -> None:
    key = None if file is None else seal_file(file[0], "text/plain", file[1], os.urandom)[1]
    attachment = None if key is None else Attachment("there", key)
    fields = {"text": text, **({} if attachment is None else {"attachment": attachment.to_json()})}
    sealed = commitments.add(fields, os.urandom)
    commitment = commitments.beside(sealed)["commitment"]
    assert commitments.check(fields, json.loads(json.dumps(sealed)), commitment) == sealed
    report = commitments.report("message", sealed, attachment)
    opening = base64.b64decode(report["opening"])
    assert reports.commitment(opening, report["text"], report.get("file", "")) == base64.b64decode(commitment)


class TestText:
    def test_the_operator_knows_that_it_was_sent(self, enrol: Enrol, service_database: Path) -> None:
        alice, bob = enrol("Alice", "Bob", commits=True)
        message = sent(alice, bob, HI)
        found = kept(service_database, bob.self.report(message))
        assert (found["finding"], found["text"], found["file"]) == ("was sent", HI.text, None)
        assert (found["sender"], found["reporter"]) == (alice.account, bob.account)
        (told,) = bob.told(Deed.REPORTED)
        assert (told.message, told.peer, told.text) == (message, alice.account, HI.text)

    @pytest.mark.parametrize("encryption", [Encryption.STATIC, Encryption.RSA, None])
    def test_older_apps_leave_it_at_the_word_of_the_reader(
        self, enrol: Enrol, service_database: Path, encryption: Encryption | None
    ) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        found = kept(service_database, bob.self.report(sent(alice, bob, HI)))
        # Without encryption, the service has the message itself.
        assert found["finding"] == ("was sent" if encryption is None else "recipient says so")
        assert found["text"] == HI.text

    @pytest.mark.parametrize(("commits", "finding"), [(True, "was not sent"), (False, "recipient says so")])
    def test_of_what_was_never_sent_it_knows_that_only_with_a_commitment(
        self, enrol: Enrol, service_database: Path, *, commits: bool, finding: str
    ) -> None:
        alice, bob = enrol("Alice", "Bob", commits=commits)
        found = kept(service_database, bob.self.report(sent(alice, bob, HI), instead="Hand it over"))
        assert (found["finding"], found["text"]) == (finding, "Hand it over")

    def test_in_a_group_each_member_can_report(self, enrol: Enrol, service_database: Path) -> None:
        alice, bob, carol = enrol("Alice", "Bob", "Carol", commits=True)
        group = alice.self.start_conversation([bob.account, carol.account], "Hiking")
        message = alice.self.send(group, [bob.account, carol.account], HI)
        for one in (bob, carol):
            one.self.receive()
            assert kept(service_database, one.self.report(message))["finding"] == "was sent"

    def test_only_what_was_shown_is_reported(self, enrol: Enrol) -> None:
        alice, bob = enrol("Alice", "Bob", commits=True)
        message = sent(alice, bob, HI)
        for one, what in ((bob, "another"), (alice, message)):
            with pytest.raises(E2EEError, match="no such message to report"):
                one.self.report(what)
        assert bob.told(Deed.REPORTED) == []

    def test_and_only_of_late(self, enrol: Enrol) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=None)
        conversation = alice.self.start_conversation([bob.account])
        messages = []
        for _ in range(31):
            messages.append(alice.self.send(conversation, [bob.account], HI))
            bob.self.receive(confirm=False)
        with pytest.raises(E2EEError):
            bob.self.report(messages[0])
        bob.self.report(messages[1])


class TestCommitment:
    def posted(self, alice: Someone, bob: Someone, **changed: object) -> str:
        """A message with something else beside it; None: nothing."""
        conversation = alice.self.start_conversation([bob.account])
        prepared = alice.self.prepare(conversation, [bob.account], HI)
        alice.self.discard(prepared)
        body = {**prepared.body, **changed}
        with alice.raw() as raw:
            raw.call("POST", f"/v1/conversations/{conversation}/messages", body)
        return prepared.id

    def test_what_does_not_fit_is_refused(self, enrol: Enrol) -> None:
        """As well if the service has taken it away: what cannot be reported is not shown."""
        alice, bob = enrol("Alice", "Bob", commits=True)
        for wrong, why in (
            (base64.b64encode(bytes(32)).decode(), "has committed to"),
            (None, "without what it could be reported with"),
        ):
            self.posted(alice, bob, commitment=wrong)
            with pytest.raises(E2EEError, match=why):
                bob.self.receive()
        assert bob.told(Deed.READ) == []
        self.posted(alice, bob)
        assert bob.self.receive() == HI

    def test_one_without_an_opening_is_refused(self, enrol: Enrol) -> None:
        alice, bob = enrol("Alice", "Bob")
        self.posted(alice, bob, commitment=base64.b64encode(bytes(32)).decode())
        with pytest.raises(E2EEError, match="without what it could be reported with"):
            bob.self.receive()
        self.posted(alice, bob)
        assert bob.self.receive() == HI

    @pytest.mark.parametrize("opening", [5, "", "AAAA", "no base64", base64.b64encode(bytes(33)).decode()])
    def test_what_is_no_opening_is_refused(self, opening: object) -> None:
        with pytest.raises(E2EEError):
            commitments.check({"text": "Hi"}, {"text": "Hi", "opening": opening}, base64.b64encode(bytes(32)).decode())

    def test_apps_with_and_without_read_each_other(self, make: Make) -> None:
        alice, bob = make("Alice", commits=True), make("Bob")
        for one in (alice, bob):
            one.join()
        sent(alice, bob, MAP)
        sent(bob, alice, MAP)


@pytest.fixture(scope="module")
def faces() -> Salamander:
    return salamander(flower(), insult(), os.urandom)


class TestFiles:
    """What the operator sees of a file that was reported, with the key that was reported."""

    def seen(self, database: Path, report: str) -> tuple[str, bytes]:
        found = kept(database, report)
        with closing(sqlite3.connect(database)) as connection:
            (blob,) = connection.execute("SELECT data FROM blobs WHERE id = ?", (found["blob"],)).fetchone()
        return found["finding"], open_file(blob, FileKey.from_json(json.loads(found["file"])))

    @pytest.mark.parametrize(("commits", "finding"), [(True, "was sent"), (False, "recipient says so")])
    def test_an_honest_file(self, enrol: Enrol, service_database: Path, *, commits: bool, finding: str) -> None:
        alice, bob = enrol("Alice", "Bob", commits=commits)
        assert MAP.file is not None
        report = bob.self.report(sent(alice, bob, MAP))
        assert self.seen(service_database, report) == (finding, MAP.file.data)

    def two(self, alice: Someone, bob: Someone, faces: Salamander) -> tuple[list[str], list[bytes]]:
        """The messages with the flower and with the insult, and the two files."""
        files = [open_file(faces.blob, key) for key in (faces.bmp, faces.jpeg)]
        messages = [
            sent(alice, bob, Content(file=File(key.name, file)), SealedFile(faces.blob, key))
            for key, file in zip((faces.bmp, faces.jpeg), files, strict=True)
        ]
        return messages, files

    def test_with_one_key_for_each_sealed_file_the_operator_sees_the_flower(
        self, enrol: Enrol, service_database: Path, faces: Salamander
    ) -> None:
        alice, bob = enrol("Alice", "Bob", one_key_per_file=True)
        (_, message), (shown, _) = self.two(alice, bob, faces)
        assert self.seen(service_database, bob.self.report(message)) == ("recipient says so", shown)

    def test_and_with_commitments_it_knows_that_this_was_not_sent(
        self, enrol: Enrol, service_database: Path, faces: Salamander
    ) -> None:
        alice, bob = enrol("Alice", "Bob", one_key_per_file=True, commits=True)
        (first, second), (shown, _) = self.two(alice, bob, faces)
        assert self.seen(service_database, bob.self.report(second)) == ("was not sent", shown)
        assert self.seen(service_database, bob.self.report(first)) == ("was sent", shown)

    def test_with_the_key_of_the_message_it_sees_what_bob_has_seen(
        self, enrol: Enrol, service_database: Path, faces: Salamander
    ) -> None:
        alice, bob = enrol("Alice", "Bob", commits=True)
        messages, files = self.two(alice, bob, faces)
        seen = [self.seen(service_database, bob.self.report(message)) for message in messages]
        assert seen == [("was sent", file) for file in files]

    def test_a_commitment_is_to_what_the_file_holds(self) -> None:
        key, other = (seal_file("a.txt", "text/plain", data, os.urandom)[1] for data in (b"one", b"two"))
        assert len({franking.message_content("", one) for one in (None, key, other)}) == 3


class TestProfiles:
    @pytest.mark.parametrize("encryption", [None, Encryption.PQXDH])
    def test_everybody_sees_what_somebody_says(self, enrol: Enrol, encryption: Encryption | None) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=encryption)
        alice.self.set_profile(Profile("Alice", "At the lake — Grüße"))
        assert bob.self.profile(alice.account) == Profile("Alice", "At the lake — Grüße")
        (told,) = bob.told(Deed.SAW_PROFILE)
        assert (told.peer, told.text) == (alice.account, "At the lake — Grüße")

    def test_who_has_none_shows_none(self, enrol: Enrol) -> None:
        alice, bob = enrol("Alice", "Bob", encryption=None)
        with pytest.raises(WireError, match="404"):
            bob.self.profile(alice.account)
        assert bob.told(Deed.SAW_PROFILE) == []
