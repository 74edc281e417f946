"""One participant with one device: what it sends depends on the mode, what it does is told to the transcript.

A device can die at any moment and go on later with the same store (`resume`). What it has sealed is posted again under
the same id, what it has opened is shown again. Whoever is told of a message as the device dies is told again, with the
same message id: that is for the app to recognise, since only the app knows what it has shown.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from lab.e2ee.device import DeviceState
from lab.e2ee.engine import Engine
from lab.e2ee.engines import engine_for
from lab.e2ee.fingerprint import Party, qr_payload, safety_number
from lab.e2ee.identity import read_device_list
from lab.e2ee.protocol import E2EEError
from lab.messenger import attachments, commitments
from lab.messenger.attachments import Attachment, SealedFile
from lab.messenger.contacts import Contacts, NoKeysError
from lab.messenger.content import Content, from_json, to_json
from lab.messenger.history import History
from lab.messenger.log_view import LogView
from lab.messenger.mailbox import Mailbox, Prepared, Waiting
from lab.messenger.operations import Arrived, Members, Operations, PhoneCompany, Profile, read_event
from lab.messenger.own import OwnDevice
from lab.messenger.sealing import Sealing
from lab.messenger.store import Changes, DeviceStore, Table
from lab.messenger.wire import CertificateError, EventStream, Route, Wire, WireError
from lab.model import Deed, Encryption, Statement

__all__ = ["Participant", "Person", "Prepared", "Profile", "SealedFile", "Teller"]

type Teller = Callable[[Statement], None]
"""Where a participant's statements go."""

_TRIES = 3
"""Times that one message is sealed: the devices that it is for may change while it is on its way."""

_REPORTABLE = 30
"""Messages that were shown last and can be reported. They are known as long as the app runs."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who a participant is: the name in the story, the account on the service, and its password."""

    who: str
    account: str
    password: str


class _Encrypted:
    """What a device has besides, if contents are end-to-end encrypted."""

    def __init__(
        self,
        engine: Engine,
        account: str,
        store: DeviceStore,
        operations: Operations,
        *,
        padded: bool,
        transparency: bool,
    ) -> None:
        self.log = LogView(account, store, operations) if transparency else None
        self.contacts = Contacts(account, store, operations, self.log)
        self.own = OwnDevice(account, engine, store, self.contacts, operations)
        self.sealing = Sealing(engine, store, operations, self.contacts, self.own, self.log, padded=padded)


class Participant:
    """Use as a context manager; leaving it closes every connection and the device store.

    `encryption` None: contents are sent as they are, and what is said below about keys and identities does not apply.
    `padded`: what is sealed is filled up to a multiple of some length. `transparency`: what the service says about keys
    is held against its log (see `lab.messenger.log_view`). `commits`: the service can check reports of what is sealed
    (see `lab.messenger.commitments`). `one_key_per_file`: a bad example, see `report`. `number` is that of a device
    that is not in its store yet. `key_log` is as in Wire. `fall_back`: asked with the name of an account for which the
    service has no keys, or which sent something that is not sealed, whether to go on with it without encryption; an app
    that does not ask its user has its answer ready. `keeps`: messages stay on the device once they were sent or read,
    until they disappear by `clock` (seconds since the epoch); what is told has the time of this machine, whatever that
    clock says. `opt_in`: the app encrypts nothing but what is said in chats for which both sides have agreed to that.

    WireError and E2EEError come out of every method that speaks to the service; LabError: the device store cannot be
    used, or the encryption is not installed.
    """

    def __init__(
        self,
        person: Person,
        route: Route,
        device_path: Path,
        tell: Teller,
        *,
        encryption: Encryption | None,
        padded: bool = False,
        transparency: bool = False,
        commits: bool = False,
        one_key_per_file: bool = False,
        key_log: Path | None = None,
        number: int = 1,
        fall_back: Callable[[str], bool] = lambda _: False,
        keeps: bool = False,
        clock: Callable[[], float] = time.time,
        opt_in: bool = False,
    ) -> None:
        self.person = person
        self._fall_back = fall_back
        self._opt_in = opt_in
        # First, since it may not be installed; nothing is open yet.
        engine = None if encryption is None else engine_for(encryption, os.urandom)
        self._number = number
        self._host = urlsplit(route.url).hostname or ""
        self._tell = tell
        self._wire = Wire(route, self._connected, key_log)
        self._operations = Operations(self._wire)
        self._store = DeviceStore(device_path)
        self._mailbox = Mailbox(self._store)
        self._history = History(self._store, clock, keeps=keeps)
        self._encrypted: _Encrypted | None = None
        if engine is not None:
            self._encrypted = _Encrypted(
                engine, person.account, self._store, self._operations, padded=padded, transparency=transparency
            )
        self._events: EventStream | None = None
        self._arrived: Arrived | None = None
        self._titles: dict[str, str] = {}
        self._commits = commits
        self._one_key_per_file = one_key_per_file
        self._shown: dict[str, Waiting] = {}

    def __enter__(self) -> Participant:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_listening()
        self._wire.close()
        self._store.close()

    @property
    def number(self) -> int:
        """The number of this device among those of the account."""
        own = self._encrypted.own if self._encrypted else None
        return own.number if own is not None and own.exists else self._number

    # The account and its devices

    def join(self) -> None:
        """Make the account, which logs in as well, with this device as the first one, and publish its keys."""
        if self._encrypted is not None:
            self._encrypted.own.create(self._number)
            # A name that is taken may be this account's own: what was published under it stays as it is.
            if not self._encrypted.own.has_account:
                self._encrypted.own.found_account()
        self._log_in(self._operations.create_account)
        self._publish()

    def resume(self) -> None:
        """Open the app on a device that was used before: delete what has disappeared by now, log in, and post what was
        sealed and perhaps not posted."""
        self._history.tidy()
        self._log_in(self._operations.log_in)
        self._publish()
        for prepared in self._mailbox.pending():
            self.post(prepared)

    def link(self, new: Participant) -> None:
        """Make `new`, a fresh device, one of this account's devices: it logs in, and gets the account key from here.

        Here the key is handed over within one process. Real messengers have the new device show a code that the old one
        scans, and encrypt the key for it: the service must never have it. E2EEError: the device number was used before.
        """
        own, others = self._device(), new._device()
        new._log_in(new._operations.log_in)
        own.add(others.create(new._number))
        others.join_account(own)
        ours, theirs = self._required().log, new._required().log
        if ours is not None and theirs is not None:
            theirs.adopt(ours)
        others.publish()

    def unlink(self, number: int) -> None:
        """Remove a device from the account: nobody writes to it any more. E2EEError: there is none with that number."""
        self._device().remove(number)

    def recover(self) -> None:
        """The old device is lost, and the account key with it: log in and begin anew, on a fresh device.

        The device gets a number that the account has never used, so that nothing that is left at the service for the
        lost one is mixed up with it. To everybody else this is a changed identity.
        """
        self._log_in(self._operations.log_in)
        own, log = self._device(), self._required().log
        if log is not None:
            log.begin_anew()
        own.create(self._free_number())
        own.found_account()
        own.publish()

    def copy(self) -> DeviceState:
        """Everything that this device holds by way of keys, as a thief with the unlocked phone finds it."""
        if self._encrypted is None:
            return DeviceState(self.person.account, self._number)
        return self._encrypted.sealing.copy()

    def kept(self) -> tuple[bytes, ...]:
        """The messages that this device keeps, as JSON: what a thief with the unlocked phone reads without any key."""
        return self._history.kept()

    # Who the others are

    def safety_number(self, account: str) -> str:
        """60 digits to compare with `account`; for a changed identity those of the new one."""
        return safety_number(*self._parties(account))

    def safety_code(self, account: str) -> bytes:
        """The same as a code that `account` scans (see `lab.e2ee.fingerprint.matches`)."""
        return qr_payload(*self._parties(account))

    def verify(self, account: str) -> None:
        """Note that the safety numbers were compared and are the same. IdentityChangedError: accept it first."""
        self._contacts().verify(account)

    def verified(self, account: str) -> bool:
        """Whether safety numbers were compared since the identity of `account` changed for the last time."""
        contact = self._contacts().find(account)
        return contact is not None and contact.verified

    def accept_identity(self, account: str) -> None:
        """Go on with the changed identity of `account`, which is not verified then."""
        self._contacts().accept(account)

    def call_from(self, address: tuple[str, int]) -> None:
        """Ask the service something from another network, where it is said to be at `address`.

        CertificateError: the app has turned back, without having said anything, which is told.
        """
        with closing(self._wire.elsewhere(address)) as wire:
            try:
                wire.call("GET", "/v1/conversations")
            except CertificateError as error:
                self._say(Deed.TURNED_BACK, time.time(), reason=str(error))
                raise

    # The service's log of keys: E2EEError comes out of each of these if there is no transparency

    def read_log(self) -> None:
        """Read what is new in the service's log. IdentitySubstitutedError: keys are there for this account that it has
        not made; LogForkedError: the log has another past than before."""
        self._log().monitor(self._device().account_key.public_key().public_bytes_raw())

    def log_head(self) -> bytes:
        """What this device has seen of the service's log, to be compared by another way than through the service."""
        head = self._log().head
        if head is None:
            raise E2EEError("nothing was seen of the service's log yet")
        return head.to_bytes()

    def compare_log(self, whose: str, head: bytes) -> None:
        """Compare with the `log_head` of somebody else. LogForkedError: the service shows them another log."""
        self._log().compare(whose, head)

    # Conversations

    def listen(self) -> None:
        """Open the stream on which new messages arrive; returns once the service has confirmed it.

        With transparency, the log is read then (`read_log`); if that comes to an error the stream is open all the same.
        """
        self.stop_listening()  # whoever listens again has no use for the stream from before
        device = None if self._encrypted is None else self.number
        self._events = self._operations.events(self._mailbox.sequence, device)
        if self._encrypted is not None and self._encrypted.log is not None:
            self.read_log()

    def stop_listening(self) -> None:
        """Close the stream, if it is open: what is for this device waits at the service until it listens again."""
        if self._events is not None:
            self._events.close()
            self._events = None

    @property
    def listening(self) -> bool:
        return self._events is not None

    def start_conversation(self, accounts: Sequence[str], title: str = "") -> str:
        """A new conversation with `accounts`; returns its id. One with a title is a group, however many it has."""
        conversation = self._operations.start_conversation(accounts, title)
        if title and self._encrypted is not None:
            self._encrypted.sealing.start_group(conversation)
        return conversation

    def add_member(self, conversation: str, account: str) -> None:
        """Let `account` read what is written from now on, by those who name it as a recipient."""
        self._operations.add_member(conversation, account)

    def remove_member(self, conversation: str, account: str) -> None:
        """Remove `account`, which can read nothing that is sealed from now on."""
        self._operations.remove_member(conversation, account)
        if self._encrypted is not None:
            self._encrypted.sealing.renew(conversation)

    def set_timer(self, conversation: str, seconds: int) -> None:
        """Let messages disappear so many seconds after they were sent or read, those of everybody; 0: let them stay.

        With encryption it is the apps that delete, and the service does not know of it. Without, the service does.
        """
        if self._encrypted is not None:
            self._history.set_timer(conversation, seconds)
        else:
            self._operations.set_lifetime(conversation, seconds or None)

    def switch_on_vanish_mode(self, conversation: str) -> None:
        """Ask the service to delete what is posted from now on, once everybody has read it."""
        self._operations.set_lifetime(conversation, 0)

    def others_in(self, conversation: str) -> list[str]:
        """The other members of a conversation, as the service says. An app that writes to them believes the service."""
        return [account for account in self._operations.members(conversation) if account != self.person.account]

    def send(self, conversation: str, recipients: Sequence[str], content: Content) -> str:
        """Send `content` to `recipients`, which are the other members of `conversation`; returns the message's id.

        Once it was sealed it is in the outbox. If the service cannot be reached it stays there, for `resume`; if the
        service refuses it, it is gone. IdentityChangedError: nothing was sealed.
        """
        return self.post(self.prepare(conversation, recipients, content))

    def prepare(
        self, conversation: str, recipients: Sequence[str], content: Content, sealed: SealedFile | None = None
    ) -> Prepared:
        """Seal a message and put it into the outbox; its file is stored at the service, `sealed` if it is already."""
        prepared = Prepared(str(uuid4()), conversation, tuple(recipients), content, {}, {})
        if self._encrypted is None or self._is_open(conversation):
            return self._leave_open(prepared)
        if self._opt_in and content.file is not None:
            raise E2EEError("an encrypted chat takes no files; they can be sent in the other chat alone")
        for account in recipients:
            self._encrypted.contacts.check(account)
        if self._encrypted.log is not None:
            self._encrypted.log.refresh()
        fields = {
            **attachments.store(content, self._operations, sealed),
            **self._history.fields(conversation),
        }
        if self._commits:
            fields = commitments.add(fields, os.urandom)
        sealable = replace(prepared, fields=fields)
        try:
            return self._seal(self._encrypted, sealable)
        except NoKeysError as error:
            if not self._fall_back(error.account):
                raise
            return self._leave_open(prepared)

    def post(self, prepared: Prepared, *, again: bool = False) -> str:
        """Post what was prepared; returns the message's id.

        `again`: the same envelopes once more, as a new message. Nobody does that who means well, so it is not told.
        """
        if again:
            message = str(uuid4())
            self._operations.post(prepared.conversation, {**prepared.body, "id": message})
            return message
        moment, prepared = self._post(prepared)
        self._say_content(Deed.SENT, moment, prepared.id, ", ".join(prepared.recipients), prepared.content)
        kept = Changes()
        self._history.keep(prepared.id, self.person.account, prepared.content, prepared.fields, kept)
        self._mailbox.posted(prepared.id, kept)
        return prepared.id

    def text_instead(self, message: str, recipients: Sequence[str], text: str) -> bool:
        """Send a message as a text message (SMS) to whom it has not reached, as far as the service says.

        Nothing else is left to an app where somebody has no internet. Nobody encrypts text messages. Returns whether
        there was anybody.
        """
        device = None if self._encrypted is None else self.number
        missed = [account for account in recipients if account not in self._operations.delivered_to(message, device)]
        with closing(self._wire.in_the_clear()) as wire:
            for account in missed:
                PhoneCompany(wire).send(self.person.account, account, message, text)
        return bool(missed)

    def read_texts(self) -> list[Content]:
        """What has arrived as text messages, which takes no internet and no login. WireError as above."""
        read = []
        with closing(self._wire.in_the_clear()) as wire:
            company = PhoneCompany(wire)
            for one in company.waiting(self.person.account):
                company.delivered(one)
                read.append(Content(one.text))
                self._say_content(Deed.READ, time.time(), one.message, one.sender, read[-1])
        return read

    def discard(self, prepared: Prepared) -> None:
        """Take a message out of the outbox that is not to be posted any more."""
        self._mailbox.posted(prepared.id)

    def receive(self, *, confirm: bool = True) -> Content:
        """Wait for the next message, open it, confirm it to the service if wanted, and return what it says.

        E2EEError: it was refused, which is told, and is gone; IdentityChangedError if it is from a changed identity.
        TransparencyError: the service's log is not as its sender has seen it; the message comes with the next call.
        WireError: try again, or listen again.
        """
        if self._events is None:
            raise WireError(f"{self.person.who} is not listening")
        while (waiting := self._mailbox.waiting()) is None:
            self._take(self._events)
        if self._encrypted is not None and self._encrypted.log is not None:
            self._encrypted.log.settle()
        return self._show(waiting, confirm=confirm)

    def report(self, message: str, *, instead: str | None = None) -> str:
        """Show the operator a message that was received, as it was shown last; returns the report's id.

        `instead`: another text, as an app does that lies.

        With `one_key_per_file` (a bad example), the key to its file is the one that came with the first message which
        had this very sealed file. E2EEError: no such message was shown of late.
        """
        if message not in self._shown:
            raise E2EEError(f"{self.person.who} has no such message to report")
        reported = self._shown[message]
        fields = dict(reported.fields) if instead is None else {**reported.fields, "text": instead}
        report = self._operations.report(commitments.report(message, fields, self._reported_file(reported)))
        text = fields.get("text", "")
        self._say(Deed.REPORTED, time.time(), message=message, peer=reported.sender, text=text)
        return report

    # Profiles

    def set_profile(self, profile: Profile) -> None:
        """Say something about oneself. No mode encrypts it for anybody but the service."""
        self._operations.put_profile(profile)

    def profile(self, account: str) -> Profile:
        """What `account` says about itself, so far as the service passes it on."""
        profile = self._operations.profile(account)
        self._say(Deed.SAW_PROFILE, time.time(), peer=account, text=profile.status)
        return profile

    # Chats that are encrypted because both sides have agreed, where an app encrypts nothing else

    def can_be_encrypted_with(self, account: str) -> bool:
        """Whether the app offers an encrypted chat with `account` at all: whether that one has keys."""
        try:
            self._operations.device_list(account)
        except WireError as error:
            if error.status != 404:
                raise
            return False
        return True

    def offer_encrypted_chat(self, account: str) -> str:
        """A new, empty chat beside the one that there is; nothing can be sent in it until `account` accepts. Its id."""
        conversation = self._operations.start_conversation([account], "")
        self._operations.agree_to_encrypt(conversation)
        self._encrypt_from_now_on(conversation)
        return conversation

    def accept_encrypted_chat(self, account: str) -> str:
        """Accept the encrypted chat that `account` has offered; returns its id. E2EEError: there is no such offer."""
        for conversation in self._operations.conversations():
            if self._operations.encryption_offered_by(conversation) == account:
                self._operations.agree_to_encrypt(conversation)
                self._encrypt_from_now_on(conversation)
                return conversation
        raise E2EEError(f"{account} has offered no encrypted chat")

    def old_messages(self, conversation: str) -> list[str]:
        """The texts of a chat that the service gives to this device, however new that is: those that nobody sealed."""
        device = None if self._encrypted is None else self.number
        stored = self._operations.stored(conversation, device)
        return [str(one["text"]) for one in stored if one.get("text") is not None]

    def _is_open(self, conversation: str) -> bool:
        """Whether the app encrypts nothing in this chat, because nobody has switched it on."""
        return self._opt_in and self._store.get(Table.CHATS, conversation) is None

    def _encrypt_from_now_on(self, conversation: str) -> None:
        changes = Changes()
        changes.put(Table.CHATS, conversation, value=b"")
        self._store.commit(changes)

    # Sending

    def _leave_open(self, prepared: Prepared) -> Prepared:
        """Have it sent as it is, so that the service can read it."""
        fields = to_json(prepared.content)
        # Else the service would take it for something that this device, too, has to get.
        sent_by = {} if self._encrypted is None else {"device": self.number}
        prepared = replace(prepared, fields=fields, body={"id": prepared.id, **sent_by, "content": fields})
        self._mailbox.prepare(prepared, Changes())
        return prepared

    def _seal(self, encrypted: _Encrypted, prepared: Prepared) -> Prepared:
        body, changes = encrypted.sealing.seal(prepared.conversation, prepared.recipients, prepared.fields)
        prepared = replace(prepared, body={"id": prepared.id, **body, **commitments.beside(prepared.fields)})
        self._mailbox.prepare(prepared, changes)
        return prepared

    def _post(self, prepared: Prepared) -> tuple[float, Prepared]:
        """Post `prepared`, sealed anew if its devices are not the right ones; when that was, and what was posted."""
        tries_left = _TRIES
        while True:
            tries_left -= 1
            moment = time.time()
            try:
                self._operations.post(prepared.conversation, dict(prepared.body))
            except WireError as error:
                with self._giving_up(prepared):
                    if self._encrypted is None or error.status != 409 or not tries_left:
                        raise
                    prepared = self._seal_again(self._encrypted, prepared, error)
            else:
                return moment, prepared

    def _seal_again(self, encrypted: _Encrypted, prepared: Prepared, error: WireError) -> Prepared:
        encrypted.sealing.correct(error, prepared.recipients)
        # Who was to get the group's key with this message has not got it.
        encrypted.sealing.renew(prepared.conversation)
        return self._seal(encrypted, prepared)

    @contextmanager
    def _giving_up(self, prepared: Prepared) -> Iterator[None]:
        """Forget `prepared` if it is refused for good."""
        try:
            yield
        except (WireError, E2EEError) as error:
            if isinstance(error, E2EEError) or error.final:
                self._mailbox.posted(prepared.id)
                if self._encrypted is not None:
                    self._encrypted.sealing.renew(prepared.conversation)
            raise

    # Receiving

    def _take(self, events: EventStream) -> None:
        """Deal with the next event; a message is in the inbox then."""
        if self._arrived is None:
            match read_event(*events.next()):
                case Arrived() as arrived:
                    self._arrived = arrived
                case Members(conversation, accounts) if self._encrypted is not None:
                    self._encrypted.sealing.keep_members(conversation, accounts)
        if self._arrived is not None:
            # It stays at hand until it was dealt with: the stream does not bring it again.
            self._open(self._arrived)
            self._arrived = None

    def _open(self, arrived: Arrived) -> None:
        def forget() -> None:
            self._mailbox.skip(arrived.sequence)
            self._arrived = None

        if self._encrypted is None or (
            arrived.is_plain and (self._is_open(arrived.conversation) or self._fall_back(arrived.sender))
        ):
            try:
                fields = to_json(from_json(arrived.plain))
            except ValueError as error:
                forget()
                raise WireError(f"message {arrived.id}: {error}") from None
            waiting = Waiting(arrived.id, arrived.sender, fields, plain=True)
            self._mailbox.receive(waiting, arrived.sequence, Changes())
            return
        with self._refusing(arrived.id, arrived.sender, forget):
            unsealed = self._encrypted.sealing.open(arrived)
            checked = commitments.check(attachments.check(unsealed.fields), unsealed.fields, arrived.commitment)
            fields = {**checked, **self._history.hear(arrived.conversation, unsealed.fields, unsealed.changes)}
        group = arrived.conversation if arrived.shared else ""
        waiting = Waiting(arrived.id, arrived.sender, fields, unsealed.used_up, group)
        self._mailbox.receive(waiting, arrived.sequence, unsealed.changes)

    def _show(self, waiting: Waiting, *, confirm: bool) -> Content:
        if self._encrypted is None or waiting.plain:
            content = from_json(waiting.fields)
        else:
            with self._refusing(waiting.id, waiting.sender, lambda: self._mailbox.shown(waiting.id)):
                content = attachments.fetch(waiting.fields, self._operations)
            if waiting.used_up:
                # A message is not held back for this; the next one that takes a key is the next occasion.
                with suppress(WireError):
                    self._encrypted.own.refill()
        if confirm and waiting.sender != self.person.account:
            for state in ("delivered", "read"):
                self._confirm(waiting.id, state)
        title = self._title(waiting.group)
        self._say_content(Deed.READ, time.time(), waiting.id, waiting.sender, content, title)
        kept = Changes()
        self._history.keep(waiting.id, waiting.sender, content, waiting.fields, kept)
        self._mailbox.shown(waiting.id, kept)
        self._shown[waiting.id] = waiting
        if len(self._shown) > _REPORTABLE:
            del self._shown[next(iter(self._shown))]
        return content

    def _reported_file(self, reported: Waiting) -> Attachment | None:
        """What is said of the sealed file in a message that is reported; None if it has none."""
        sealed = [one for one in self._shown.values() if not one.plain and "attachment" in one.fields]
        if reported not in sealed:
            return None  # what is not sealed, the service has
        own = Attachment.from_json(reported.fields["attachment"])
        if not self._one_key_per_file:
            return own
        files = (Attachment.from_json(one.fields["attachment"]) for one in sealed)
        return next(file for file in files if file.key.blob_digest == own.key.blob_digest)

    def _title(self, group: str) -> str:
        """How the app heads a message that was sealed for all of a group at once."""
        if group and group not in self._titles:
            # Whoever has been removed by now does not get it any more.
            with suppress(WireError):
                self._titles[group] = self._operations.title(group)
        return self._titles.get(group, "")

    def _confirm(self, message: str, state: str) -> None:
        try:
            self._operations.acknowledge(message, state)
        except WireError as error:
            # Whoever is not a member any more cannot confirm what was for them. They may read it nevertheless.
            if not error.final:
                raise

    @contextmanager
    def _refusing(self, message: str, sender: str, forget: Callable[[], None]) -> Iterator[None]:
        """Tell that a message was refused, and why, if that is for good: it is gone then."""
        try:
            yield
        except (WireError, E2EEError) as error:
            if isinstance(error, WireError) and not error.final:
                raise
            forget()
            self._say(Deed.REFUSED, time.time(), message=message, peer=sender, reason=str(error))
            if isinstance(error, E2EEError):
                raise
            raise E2EEError(str(error)) from error

    # The rest

    def _log_in(self, how: Callable[[str, str], None]) -> None:
        person = self.person
        how(person.account, person.password)
        self._say(Deed.LOGGED_IN, time.time(), password=person.password, host=self._host)

    def _publish(self) -> None:
        if self._encrypted is not None:
            self._encrypted.own.publish()

    def _free_number(self) -> int:
        """A device number that the account has never used, so far as the service says."""
        account = self.person.account
        with suppress(WireError):
            return read_device_list(self._operations.device_list(account), account).last_device + 1
        return self._number

    def _parties(self, account: str) -> tuple[Party, Party]:
        own = self._device()
        theirs = self._contacts().current(account)
        return (
            Party.of_account(own.account, own.account_key.public_key().public_bytes_raw()),
            Party.of_account(account, theirs.account_key),
        )

    def _device(self) -> OwnDevice:
        return self._required().own

    def _contacts(self) -> Contacts:
        return self._required().contacts

    def _log(self) -> LogView:
        log = self._required().log
        if log is None:
            raise E2EEError(f"{self.person.who} does not look at the service's log of keys")
        return log

    def _required(self) -> _Encrypted:
        if self._encrypted is None:
            raise E2EEError(f"{self.person.who} has no keys: contents are not encrypted")
        return self._encrypted

    def _connected(self, local: tuple[str, int]) -> None:
        self._say(Deed.CONNECTED, time.time(), address=f"{local[0]}:{local[1]}", host=self._host)

    def _say_content(
        self, deed: Deed, moment: float, message: str, peer: str, content: Content, group: str = ""
    ) -> None:
        self._say(
            deed,
            moment,
            message=message,
            peer=peer,
            text=content.text,
            file_name=content.file.name if content.file else "",
            file=content.file.data if content.file else b"",
            size=content.size,
            group=group,
        )

    def _say(self, deed: Deed, moment: float, **about: Any) -> None:
        self._tell(Statement(self.person.who, deed, moment, self.person.account, **about))
