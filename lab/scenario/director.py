"""The director: plays one scenario on a stage and writes its capture. It knows the secrets; the service never does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.attack.pictures import flower, insult
from lab.attack.salamander import salamander
from lab.capture import Fact, Writer
from lab.e2ee.files import open_file
from lab.e2ee.protocol import E2EEError
from lab.e2ee.textbook_rsa import TooLongError
from lab.messenger.content import Content, File
from lab.messenger.log_view import LogForkedError
from lab.messenger.participant import Participant, Prepared, Profile, SealedFile
from lab.messenger.wire import CertificateError, WireError
from lab.model import GHOST, INFERRED_ONLY, DeviceCopy, Missing, Secret, SecretName, Story
from lab.scenario.casting import Cast, Message, tag, tagged
from lab.scenario.company import Company, observers_own
from lab.scenario.lesson import (
    AcceptIdentity,
    AddGhost,
    AddGhostDevice,
    AddMember,
    BreakTls,
    CompareEnds,
    CompareSafetyNumbers,
    CopyDevice,
    DelayText,
    DeliverAgain,
    DeliverDelayed,
    DenyKeys,
    Feature,
    ForkLog,
    GoForward,
    Habit,
    Lesson,
    LinkDevice,
    Meddling,
    MissFeature,
    NoticeFork,
    Overwrite,
    RefuseToConnect,
    RefuseToSend,
    RefuseToSendToGroup,
    RemoveMember,
    ReplaceDevice,
    ReportFace,
    ReportLie,
    ReportText,
    Review,
    Scenario,
    SendChanged,
    SendFile,
    SendIntercepted,
    SendMeddled,
    SendOffline,
    SendText,
    SendToGroup,
    SendTwoFaces,
    SetProfile,
    SetTimer,
    StartGroup,
    Step,
    SubstituteKeys,
    SubstituteNearKeys,
    SwapKey,
    SwitchOnEncryption,
    SwitchOnVanishMode,
    Tap,
    WriteAs,
)
from lab.scenario.lesson import Participant as Who
from lab.scenario.operator import Operator, OperatorError
from lab.scenario.opponents import OpponentError, Opponents, attackers_of, needs_installed_authority
from lab.stage.process import ChildError
from lab.stage.stage import Stage, Venue

_GOES_WRONG = (WireError, E2EEError, TooLongError, OperatorError, OpponentError, ChildError)


type Pace = Callable[[Step | None, Venue], None]
"""Is called before each step of the story, and with None when all are done. It may wait, for somebody who reads; what
it raises ends the session there."""

type Planted = Callable[[Sequence[Secret]], None]
"""Is told before the story begins what is planted in it, of what the lesson asks about."""


class _OtherwiseError(Exception):
    """The story went another way than the lesson tells it: one sentence."""


def play(
    lesson: Lesson,
    scenario: Scenario,
    stage: Stage,
    capture: Path,
    progress: Callable[[str], None],
    pace: Pace = lambda _step, _venue: None,
    planted: Planted = lambda _: None,
) -> None:
    """Hold the conversation of `scenario` and write everything that was recorded into the new file `capture`.

    A conversation that breaks off or goes another way, and an observer that fails, are part of the record and judged as
    such. LabError: the encryption is not installed; ChildError: the stage could not be set up; OSError: the capture
    could not be written.
    """
    cast = Cast(scenario)
    story = Story(
        lesson.name,
        scenario.title,
        scenario.mode,
        scenario.observers,
        time.time(),
        encryption=scenario.encryption,
        padded=scenario.padded,
    )
    with Writer(capture, story) as writer:
        # By secret as the lesson lists them, so that the matrix reads in the lesson's order.
        for name in scenario.secrets:
            writer.add(*([Fact(name)] if name in INFERRED_ONLY else cast.secrets(name)))
        planted([secret for name in scenario.secrets for secret in cast.secrets(name)])
        writer.add(*scenario.claims)
        overwrites = any(isinstance(step.action, Overwrite) for step in scenario.steps)
        with stage.session(
            scenario.mode,
            cast.host,
            writer,
            attackers_of(scenario),
            overwrites=overwrites,
            text_messages=Habit.TEXT in scenario.habits,
        ) as venue:
            try:
                operator = Operator(
                    venue,
                    scenario.encryption,
                    lambda: stage.recording(venue),
                    writer.add,
                    padded=scenario.padded,
                )
                _converse(scenario, cast, stage, venue, operator, writer, progress, pace)
            except (*_GOES_WRONG, _OtherwiseError) as error:
                writer.add(Missing(f"the conversation broke off: {error}"))
            progress("collecting what the observers got")


def _converse(
    scenario: Scenario,
    cast: Cast,
    stage: Stage,
    venue: Venue,
    operator: Operator,
    writer: Writer,
    progress: Callable[[str], None],
    pace: Pace,
) -> None:
    opponents = Opponents(stage, venue, scenario)
    with Company(
        venue,
        writer.add,
        scenario.encryption,
        padded=scenario.padded,
        habits=scenario.habits,
        installed=needs_installed_authority(scenario),
    ) as company:
        own = [] if INFERRED_ONLY.isdisjoint(scenario.secrets) else observers_own()
        progress(f"{' and '.join(cast.people)} join")
        joined = company.join([*cast.people.values(), *own])
        players = dict(zip(cast.people, joined, strict=False))
        if own:
            progress("the observers measure messages of their own")
            answers = bool(cast.senders & cast.recipients)
            company.calibrate(*joined[len(players) :], with_files=cast.with_files, with_answers=answers)
        for who in cast.listeners:
            players[who].listen()
        direction = _Direction(
            cast, company, players, operator, opponents, writer, lambda seconds: stage.advance(venue, seconds)
        )
        for step in acted(scenario):
            pace(step, venue)
            progress(step.text)
            _ACTS[type(step.action)](direction, step, step.action)
        pace(None, venue)


def acted(scenario: Scenario) -> tuple[Step, ...]:
    """The steps of the story; the others prepare the stage or make the claims."""
    return tuple(step for step in scenario.steps if type(step.action) in _ACTS)


class _Direction:
    """What has happened in the story so far, and how each of its steps is done.

    _OtherwiseError comes out of each of them if it went another way than told.
    """

    def __init__(
        self,
        cast: Cast,
        company: Company,
        players: Mapping[Who, Participant],
        operator: Operator,
        opponents: Opponents,
        writer: Writer,
        advance: Callable[[float], None],
    ) -> None:
        self._cast = cast
        self._company = company
        self._operator = operator
        self._opponents = opponents
        self._writer = writer
        self._advance = advance
        """Lets the clock of the service go forward."""
        self._devices = {who: [player] for who, player in players.items()}
        """The devices of each participant, the newest one last. Each reads everything that is for it."""
        self._conversations: dict[frozenset[Who], str] = {}
        self._old: dict[frozenset[Who], str] = {}
        """The conversation that these have had before they switched on encryption."""
        self._group = ""
        self._delayed: dict[Who, tuple[Message, Prepared]] = {}
        """For each recipient, the message that is under way, or that was last."""
        self._reportable: dict[tuple[Who, Who], str] = {}
        """For sender and recipient, the message that is to be reported."""
        self._texts: dict[tuple[Who, Who], str] = {}
        """The same for the last message with a text."""
        self._second_face = ""
        """The message that opened a sealed file to the second of its two faces."""
        self._faces: list[bytes] = []
        """The two files that it is."""

    def send(self, step: Step, action: SendText | SendFile | SendToGroup) -> None:
        message = self._cast.messages[step.line]
        sent = self._player(message.sender).send(self._place(message), self._accounts(message), message.content)
        self._read(message)
        if not isinstance(action, SendFile):
            texts = {(message.sender, one): sent for one in message.recipients}
            self._texts |= texts
            self._reportable |= texts if action.secret is SecretName.REPORTED else {}

    def start_group(self, _: Step, action: StartGroup) -> None:
        accounts = [self._cast.people[who].account for who in action.members]
        self._group = self._player(action.starter).start_conversation(accounts, self._cast.title)

    def add(self, _: Step, action: AddMember) -> None:
        self._player(action.member).add_member(self._group, self._cast.people[action.newcomer].account)

    def remove(self, _: Step, action: RemoveMember) -> None:
        self._player(action.member).remove_member(self._group, self._cast.people[action.leaver].account)

    def compare(self, _: Step, action: CompareSafetyNumbers) -> None:
        both = (action.participant, action.other), (action.other, action.participant)
        numbers = {self._player(who).safety_number(self._cast.people[other].account) for who, other in both}
        if (len(numbers) == 1) is not action.same:
            are = "are not the same" if action.same else "are the same"
            raise _OtherwiseError(f"the safety numbers of {action.participant} and {action.other} {are}")
        for who, other in both if action.same else ():
            self._player(who).verify(self._cast.people[other].account)

    def refuse_to_connect(self, _: Step, action: RefuseToConnect) -> None:
        try:
            self._player(action.participant).call_from(self._opponents.stand_in(action.certificate))
        except CertificateError:
            return
        raise _OtherwiseError(f"the app of {action.participant} took a certificate that is {action.certificate}")

    def break_tls(self, _: Step, action: BreakTls) -> None:
        address = self._opponents.meddle_with_tls(action.meddling)
        try:
            self._player(action.participant).call_from(address)
        except CertificateError:
            raise
        except WireError:
            return
        raise _OtherwiseError(f"the app of {action.participant} noticed nothing of what was done to its connection")

    def deny_keys(self, _: Step, __: DenyKeys) -> None:
        self._opponents.deny_keys()

    def substitute_keys(self, _: Step, __: SubstituteKeys) -> None:
        self._opponents.substitute_keys()

    def substitute_near_keys(self, _: Step, action: SubstituteNearKeys) -> None:
        one, other = (self._cast.people[who].account for who in (action.participant, action.other))
        self._opponents.substitute_chosen(self._operator.near_keys(one, other))

    def compare_ends(self, _: Step, action: CompareEnds) -> None:
        pairs = (action.participant, action.other), (action.other, action.participant)
        one, other = (self._player(who).safety_number(self._cast.people[peer].account) for who, peer in pairs)
        if one == other or (one[0], one[-1]) != (other[0], other[-1]):
            raise _OtherwiseError(f"{action.participant} compares {one}, and {action.other} compares {other}")

    def fork_log(self, _: Step, action: ForkLog) -> None:
        self._opponents.fork_log([self._cast.people[who].account for who in (action.participant, action.other)])

    def notice_fork(self, _: Step, action: NoticeFork) -> None:
        message = Message(action.sender, (action.recipient,), Content(tagged(action.text)))
        self._slip(message, self._place(message))
        for device in self._readers(message):
            try:
                device.receive()
            except LogForkedError:
                device.receive()  # the message itself, which is in order
            else:
                raise _OtherwiseError(f"the app of {action.recipient} has not noticed that there are two logs")

    def add_ghost(self, _: Step, __: AddGhost) -> None:
        self._opponents.haunt(f"{GHOST}-{tag()}", self._group)

    def add_ghost_device(self, _: Step, action: AddGhostDevice) -> None:
        self._opponents.haunt_account(self._cast.people[action.owner].account)

    def refuse_to_send_to_group(self, step: Step, action: RefuseToSendToGroup) -> None:
        others = [self._cast.people[who].account for who in self._cast.groups[step.line] if who != action.sender]
        self._must_refuse(action.sender, self._group, others, action.text)

    def change(self, _: Step, action: SendChanged) -> None:
        message = Message(action.sender, (action.recipient,), Content(tagged(action.text)))
        conversation = self._place(message)
        sent = message.content.text
        with self._opponents.meddling():
            self._opponents.change(conversation, sent, action.old, action.new)
            self._slip(message, conversation)
        changed = Content(sent.replace(action.old, action.new, 1))
        for got in self._arrivals(message, 1):
            if (got == [changed]) is not action.believed:
                raise _OtherwiseError(f"what the app of {action.recipient} made of the changed message is {got[0]}")

    def meddle(self, _: Step, action: SendMeddled) -> None:
        message = Message(action.sender, (action.recipient,), Content(tagged(action.text)))
        other = replace(message, content=Content(tagged("And something else")))
        conversation = self._place(message)
        with self._opponents.meddling():
            self._opponents.meddle(action.meddling)
            self._slip(message, conversation)
            match action.meddling:
                case Meddling.REORDERS | Meddling.DROPS:
                    self._slip(other, conversation)
                case Meddling.MISDELIVERS:
                    accounts = self._accounts(message)
                    self._slip(other, self._player(action.sender).start_conversation(accounts))
        unnoticed = {
            Meddling.CHANGES: [message.content],
            Meddling.REPEATS: [message.content, message.content],
            Meddling.REORDERS: [other.content, message.content],
            Meddling.DROPS: [other.content],
            Meddling.TRUNCATES: [message.content],
            Meddling.MISDELIVERS: [other.content, message.content],
        }[action.meddling]
        for got in self._arrivals(message, len(unnoticed)):
            if (got != unnoticed) is not action.noticed:
                did = "has not noticed" if action.noticed else "has noticed"
                raise _OtherwiseError(f"the app of {action.recipient} {did} what the operator did to a message")

    def copy(self, _: Step, action: CopyDevice) -> None:
        newest = self._devices[action.owner][-1]
        state = newest.copy().to_bytes()
        person = newest.person
        self._writer.add(DeviceCopy(person.who, person.account, newest.number, time.time(), state, newest.kept()))

    def link(self, _: Step, action: LinkDevice) -> None:
        second = self._company.link(self._player(action.owner))
        second.listen()
        self._devices[action.owner].append(second)

    def replace(self, _: Step, action: ReplaceDevice) -> None:
        new = self._company.replace(self._player(action.owner))
        self._devices[action.owner] = [new]
        if action.owner in self._cast.listeners:
            new.listen()

    def accept(self, _: Step, action: AcceptIdentity) -> None:
        self._player(action.participant).accept_identity(self._cast.people[action.other].account)

    def refuse(self, _: Step, action: RefuseToSend) -> None:
        recipient = self._cast.people[action.recipient].account
        self._must_refuse(
            action.sender, self._conversation(action.sender, [action.recipient]), [recipient], action.text
        )

    def delay(self, step: Step, action: DelayText) -> None:
        message = self._cast.messages[step.line]
        sender = self._player(action.sender)
        prepared = sender.prepare(self._place(message), self._accounts(message), message.content)
        self._delayed[action.recipient] = message, prepared

    def deliver(self, _: Step, action: DeliverDelayed) -> None:
        message, prepared = self._delayed[action.recipient]
        self._player(message.sender).post(prepared)
        self._read(message)

    def deliver_again(self, _: Step, action: DeliverAgain) -> None:
        message, prepared = self._delayed[action.recipient]
        self._player(message.sender).post(prepared, again=True)
        for device in self._readers(message):
            try:
                device.receive()
                refused = False
            except E2EEError:
                refused = True
            if refused is not action.refused:
                did = "refused to show" if refused else "shown"
                raise _OtherwiseError(f"the app of {device.person.who} has {did} the same message twice")

    def write_as(self, _: Step, action: WriteAs) -> None:
        people, text = self._cast.people, tagged(action.text)
        self._operator.write_as(people[action.author].account, people[action.recipient].account, text)
        for device in self._readers(Message(action.author, (action.recipient,), Content(text))):
            try:
                believed = device.receive() == Content(text)
            except E2EEError:
                believed = False
            if believed is not action.believed:
                did = "shown" if believed else "refused to show"
                raise _OtherwiseError(
                    f"the app of {device.person.who} has {did} what the operator wrote in the name of {action.author}"
                )

    def swap_key(self, _: Step, action: SwapKey) -> None:
        self._operator.swap_keys(self._cast.people[action.owner].account)

    def intercept(self, step: Step, action: SendIntercepted) -> None:
        message = self._cast.messages[step.line]
        for device in self._devices[action.recipient]:
            device.stop_listening()
        sender = self._player(action.sender)
        sender.send(self._place(message), self._accounts(message), message.content)
        self._operator.pass_on(sender.person.account, self._cast.people[action.recipient].account)
        for device in self._devices[action.recipient]:
            device.listen()
        self._read(message)

    def send_offline(self, step: Step, action: SendOffline) -> None:
        message = self._cast.messages[step.line]
        devices = self._devices[action.recipient]
        for device in devices:
            device.stop_listening()
        sender = self._player(message.sender)
        sent = sender.send(self._place(message), self._accounts(message), message.content)
        if not action.waits:
            sender.text_instead(sent, self._accounts(message), message.content.text)
            if devices[0].read_texts() != [message.content]:
                raise _OtherwiseError(f"the text message to {action.recipient} did not arrive")
        for device in devices:
            device.listen()
        self._read(message)

    def switch_on_encryption(self, _: Step, action: SwitchOnEncryption) -> None:
        player, other = self._player(action.participant), self._cast.people[action.other].account
        match action.tap:
            case Tap.DETAILS:
                if not player.can_be_encrypted_with(other):
                    raise _OtherwiseError(f"{action.other} has no keys, so no encrypted chat is offered")
            case Tap.CHOOSE:
                pass  # a page of explanations: no app sends anything here
            case Tap.CONFIRM:
                player.offer_encrypted_chat(other)
            case Tap.ACCEPT:
                old = self._conversation(action.other, [action.participant])
                new = player.accept_encrypted_chat(other)
                if player.old_messages(new):
                    raise _OtherwiseError("the encrypted chat is not empty")
                both = frozenset((action.participant, action.other))
                self._old[both], self._conversations[both] = old, new

    def miss_feature(self, _: Step, action: MissFeature) -> None:
        both = frozenset((action.participant, action.other))
        player, conversation = self._player(action.participant), self._conversations[both]
        match action.feature:
            case Feature.FILES:
                try:
                    file = File("voice.ogg", tag().encode())
                    player.send(conversation, [self._cast.people[action.other].account], Content(file=file))
                except E2EEError:
                    return
                raise _OtherwiseError("the app has sent a file in the encrypted chat")
            case Feature.GROUPS:
                try:
                    player.add_member(conversation, f"friend-{tag()}")
                except WireError as error:
                    if error.status == 409:
                        return
                    raise
                raise _OtherwiseError("the service has added somebody to the encrypted chat")
            case Feature.DEVICES:
                second = self._company.link(player)
                shown = second.old_messages(conversation)
                if shown or not second.old_messages(self._old[both]):
                    raise _OtherwiseError(f"the new device of {action.participant} shows another chat than the old one")

    def set_timer(self, _: Step, action: SetTimer) -> None:
        conversation = self._conversation(action.participant, [action.other])
        self._player(action.participant).set_timer(conversation, action.after.seconds)

    def switch_on_vanish_mode(self, _: Step, action: SwitchOnVanishMode) -> None:
        conversation = self._conversation(action.participant, [action.other])
        self._player(action.participant).switch_on_vanish_mode(conversation)

    def go_forward(self, _: Step, action: GoForward) -> None:
        self._company.advance(action.by.seconds)
        self._advance(action.by.seconds)
        # Logins expire, too, so everybody opens the app and logs in.
        for device in (device for devices in self._devices.values() for device in devices):
            listening = device.listening
            device.stop_listening()
            device.resume()
            if listening:
                device.listen()

    def set_profile(self, step: Step, action: SetProfile) -> None:
        profile = Profile(action.participant, self._cast.profiles[step.line])
        self._player(action.participant).set_profile(profile)
        account = self._cast.people[action.participant].account
        for who in self._devices:
            if who != action.participant and self._player(who).profile(account) != profile:
                raise _OtherwiseError(f"the app of {who} has shown another profile of {action.participant}")

    def report_text(self, _: Step, action: ReportText) -> None:
        message = self._reportable[action.other, action.participant]
        finding, _file = self._operator.review(self._player(action.participant).report(message))
        if finding != ("was sent" if action.checked else "recipient says so"):
            raise _OtherwiseError(f"the operator has found this about the report of {action.participant}: {finding}")

    def report_lie(self, _: Step, action: ReportLie) -> None:
        message = self._texts[action.other, action.participant]
        report = self._player(action.participant).report(message, instead=tagged(action.text))
        finding, _file = self._operator.review(report)
        if finding != ("recipient says so" if action.believed else "was not sent"):
            raise _OtherwiseError(f"the operator has found this about the lie of {action.participant}: {finding}")

    def send_two_faces(self, step: Step, action: SendTwoFaces) -> None:
        first, second = (text.encode() for text in self._cast.faces[step.line])
        made = salamander(flower(first), insult(second), os.urandom)
        sender = self._player(action.sender)
        for key in (made.bmp, made.jpeg):
            face = open_file(made.blob, key)
            message = Message(action.sender, (action.recipient,), Content(file=File(key.name, face)))
            sealed = SealedFile(made.blob, key)
            prepared = sender.prepare(self._place(message), self._accounts(message), message.content, sealed)
            self._second_face = sender.post(prepared)
            self._faces.append(face)
            if any(got != [message.content] for got in self._arrivals(message, 1)):
                raise _OtherwiseError(f"the app of {action.recipient} has not opened both faces of the file")

    def report_face(self, _: Step, action: ReportFace) -> None:
        finding, seen = self._operator.review(self._player(action.participant).report(self._second_face))
        first, second = self._faces
        wanted = {
            Review.BELIEVED: [("recipient says so", first)],
            Review.NOTICED: [("was not sent", first)],
            Review.SHOWN: [("was sent", second), ("recipient says so", second)],
        }[action.review]
        if (finding, seen) not in wanted:
            face = "the first face" if seen == first else "the second face" if seen == second else "neither face"
            raise _OtherwiseError(f"the operator has seen {face} of the file, and has found: {finding}")

    def _must_refuse(self, sender: Who, conversation: str, accounts: Sequence[str], text: str) -> None:
        """Let the app of `sender` send something, and see that it does not."""
        try:
            self._player(sender).send(conversation, accounts, Content(tagged(text)))
        except (E2EEError, TooLongError):
            return
        except WireError as error:
            if error.status != 409:  # the message is not for whom the service says that it has to be
                raise
            return
        raise _OtherwiseError(f"the app of {sender} has sent what it was to refuse")

    def _slip(self, message: Message, conversation: str) -> None:
        """Send something that no observer is asked about, and that may not arrive: so it is not told."""
        sender = self._player(message.sender)
        prepared = sender.prepare(conversation, self._accounts(message), message.content)
        sender.post(prepared, again=True)
        sender.discard(prepared)

    def _arrivals(self, message: Message, number: int) -> Iterator[list[Content | None]]:
        """For each device that gets `message`: so many contents that arrive, None for one that was refused."""
        for device in self._readers(message):
            got: list[Content | None] = []
            for _ in range(number):
                try:
                    got.append(device.receive())
                except E2EEError:
                    got.append(None)
            yield got

    def _player(self, who: Who) -> Participant:
        """The device on which a participant writes: of two, the first one."""
        return self._devices[who][0]

    def _place(self, message: Message) -> str:
        """The conversation that a message goes to."""
        return self._group if message.to_group else self._conversation(message.sender, message.recipients)

    def _conversation(self, starter: Who, others: Iterable[Who]) -> str:
        """The conversation between these and nobody else, started if there is none yet."""
        everybody = frozenset([starter, *others])
        if everybody not in self._conversations:
            accounts = [self._cast.people[who].account for who in others]
            self._conversations[everybody] = self._player(starter).start_conversation(accounts)
        return self._conversations[everybody]

    def _accounts(self, message: Message) -> list[str]:
        if message.to_group and self._company.believes:
            return self._player(message.sender).others_in(self._group)
        return [self._cast.people[who].account for who in message.recipients]

    def _readers(self, message: Message) -> list[Participant]:
        """All devices but the one that sends."""
        devices = [device for who in message.everybody for device in self._devices[who]]
        return [device for device in devices if device is not self._player(message.sender)]

    def _read(self, message: Message) -> None:
        for device in self._readers(message):
            device.receive()


_ACTS: Mapping[type, Callable[[_Direction, Step, Any], None]] = {
    SendText: _Direction.send,
    SendFile: _Direction.send,
    SendToGroup: _Direction.send,
    StartGroup: _Direction.start_group,
    AddMember: _Direction.add,
    RemoveMember: _Direction.remove,
    CompareSafetyNumbers: _Direction.compare,
    CopyDevice: _Direction.copy,
    LinkDevice: _Direction.link,
    ReplaceDevice: _Direction.replace,
    AcceptIdentity: _Direction.accept,
    RefuseToSend: _Direction.refuse,
    DelayText: _Direction.delay,
    DeliverDelayed: _Direction.deliver,
    DeliverAgain: _Direction.deliver_again,
    WriteAs: _Direction.write_as,
    RefuseToConnect: _Direction.refuse_to_connect,
    BreakTls: _Direction.break_tls,
    DenyKeys: _Direction.deny_keys,
    SubstituteKeys: _Direction.substitute_keys,
    SubstituteNearKeys: _Direction.substitute_near_keys,
    CompareEnds: _Direction.compare_ends,
    ForkLog: _Direction.fork_log,
    NoticeFork: _Direction.notice_fork,
    AddGhost: _Direction.add_ghost,
    AddGhostDevice: _Direction.add_ghost_device,
    RefuseToSendToGroup: _Direction.refuse_to_send_to_group,
    SendChanged: _Direction.change,
    SendMeddled: _Direction.meddle,
    SwapKey: _Direction.swap_key,
    SendIntercepted: _Direction.intercept,
    SendOffline: _Direction.send_offline,
    SwitchOnEncryption: _Direction.switch_on_encryption,
    MissFeature: _Direction.miss_feature,
    SetTimer: _Direction.set_timer,
    SwitchOnVanishMode: _Direction.switch_on_vanish_mode,
    GoForward: _Direction.go_forward,
    SetProfile: _Direction.set_profile,
    ReportText: _Direction.report_text,
    ReportLie: _Direction.report_lie,
    SendTwoFaces: _Direction.send_two_faces,
    ReportFace: _Direction.report_face,
}
"""How each step of a story is done."""
