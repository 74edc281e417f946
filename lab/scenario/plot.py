"""Whether a story can happen: who is in the group, which devices there are, what is under way at each of its steps."""

from __future__ import annotations

from collections.abc import Iterable

from lab.model import INFERRED_ONLY, Encryption, Mode, SecretName
from lab.scenario.errors import Problems
from lab.scenario.lesson import (
    AcceptIdentity,
    Action,
    AddGhost,
    AddGhostDevice,
    AddMember,
    Behave,
    BreakTls,
    Certificate,
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
    Intercept,
    LinkDevice,
    Meddling,
    MissFeature,
    NoticeFork,
    Pad,
    Participant,
    Plant,
    RefuseToConnect,
    RefuseToSend,
    RefuseToSendToGroup,
    RemoveMember,
    ReplaceDevice,
    ReportFace,
    ReportLie,
    ReportText,
    Review,
    SendChanged,
    SendFile,
    SendIntercepted,
    SendMeddled,
    SendOffline,
    SendText,
    SendToGroup,
    SendTwoFaces,
    Serve,
    SetProfile,
    SetTimer,
    StartGroup,
    StripTls,
    SubstituteKeys,
    SubstituteNearKeys,
    SwapKey,
    SwitchOnEncryption,
    SwitchOnVanishMode,
    Tap,
    WriteAs,
)
from lab.scenario.outline import RawStep
from lab.scenario.phrases import PARTS_OF_STORY

_E2EE_ONLY = (
    Pad,
    CompareSafetyNumbers,
    CopyDevice,
    LinkDevice,
    ReplaceDevice,
    AcceptIdentity,
    RefuseToSend,
    DelayText,
    DeliverDelayed,
    DeliverAgain,
    WriteAs,
    SwapKey,
    SendIntercepted,
    SendMeddled,
    SendChanged,
    DenyKeys,
    SubstituteKeys,
    SubstituteNearKeys,
    CompareEnds,
    ForkLog,
    NoticeFork,
    AddGhost,
    AddGhostDevice,
    RefuseToSendToGroup,
    SendTwoFaces,
    ReportFace,
)

_BREAK_TLS = (Meddling.CHANGES, Meddling.REPEATS, Meddling.TRUNCATES)

_OF_KEYS = (Habit.FALL_BACK, Habit.ASK, Habit.LOGGED, Habit.BELIEVE, Habit.COMMITTED, Habit.ONE_KEY, Habit.OPT_IN)
"""Habits that are about the keys of participants."""

_EXCLUDE_EACH_OTHER = (
    (Habit.PINNED, Habit.UNCHECKED),
    (Habit.HTTP_FIRST, Habit.REMEMBERED),
    (Habit.FALL_BACK, Habit.ASK),
)


_REVIEWS = {
    Review.BELIEVED: "the operator sees the first one and believes it",
    Review.NOTICED: "the operator sees the first one and knows that it is wrong",
    Review.SHOWN: "the operator sees the second one",
}

_LONGEST_FACE = 1000
"""Bytes of text for which there is room in a picture."""


def check_plot(actions: Iterable[tuple[RawStep, Action]], serve: Serve, problems: Problems) -> None:
    """Add a problem for each step that cannot happen where it stands."""
    plot = _Plot(serve, problems)
    for step, action in actions:
        plot.follow(step.line, action)
    plot.end()


class _Plot:
    """How things stand after the steps so far. Whatever may happen is let through; the run shows whether it does."""

    def __init__(self, serve: Serve, problems: Problems) -> None:
        self._serve = serve
        self._problems = problems
        self._line = 0
        self._habits: dict[Habit, int] = {}
        """How apps behave, and the line that says so."""
        self._stripping = 0
        """The line that says that somebody removes TLS."""
        self._denied = 0
        """Since when the operator denies that there are keys."""
        self._substituted = 0
        """Since when the operator hands out keys of its own."""
        self._intercepted: tuple[Certificate, int] | None = None
        """Whoever stands in for the service: the certificate, and the line that says so."""
        self._forked: frozenset[Participant] = frozenset()
        """Who is shown another log of keys."""
        self._searched: set[Participant] = set()
        """Between whom the operator stands with keys that it has searched."""
        self._haunted = 0
        """Since when there is a ghost in the group."""
        self._ghosts: dict[Participant, int] = {}
        """Whose account has a ghost device, and since which line."""
        self._warned: set[tuple[Participant, Participant]] = set()
        """Whose app knows the account key of whom, and refuses a ghost device there."""
        self._talking: set[Participant] = set()
        self._acting: dict[Participant, int] = {}
        """Whose devices or identities a step is about, and the first such line."""
        self._together: set[frozenset[Participant]] = set()
        """Who has written to whom directly."""
        self._unaccepted: set[tuple[Participant, Participant]] = set()
        """Whose app does not write to whom."""
        self._linked: set[Participant] = set()
        self._replaced: set[Participant] = set()
        """Who has lost a device."""
        self._group: set[Participant] | None = None
        self._copied = 0
        """The line of the copy, 0 before it."""
        self._earlier: list[int] = []
        self._inferred: frozenset[SecretName] = frozenset()
        """What the scenario asks for that nobody types."""
        self._plants = 0
        """The line that says what it asks for."""
        self._taps: dict[frozenset[Participant], tuple[Participant, int]] = {}
        """For each two, who wants an encrypted chat, and how many of the four steps they have taken."""
        self._delayed: dict[Participant, tuple[Participant, int]] = {}
        """For each recipient: who sealed what is under way, and where."""
        self._delivered: set[Participant] = set()
        self._handed_out: dict[Participant, int] = {}
        """Whose public key somebody has asked for, and where first."""
        self._swapped: dict[Participant, int] = {}
        """In place of whose public key the operator hands out its own, and since which line."""
        self._reportable: dict[tuple[Participant, Participant], int] = {}
        """For sender and recipient: the line of the last text that is to be reported."""
        self._texts: set[tuple[Participant, Participant]] = set()
        """Who has sent a text to whom."""
        self._faces: tuple[Participant, int] | None = None
        """Who got a file with two faces, and in which line."""
        self._unreported: set[int] = set()
        """The lines of texts and files that nobody has reported so far."""

    def follow(self, line: int, action: Action) -> None:
        self._line = line
        if isinstance(action, _E2EE_ONLY) and self._serve.mode is not Mode.E2EE:
            self._refuse("this needs a message service in e2ee mode: in the other modes, participants have no keys")
            return
        match action:
            case Intercept():
                self._intercepted = (action.certificate, line)
            case StripTls():
                self._stripping = line
                self._check_tls()
            case Behave():
                self._behave(action.habit)
            case DenyKeys():
                self._lie(substitute=False)
            case SubstituteKeys():
                self._lie(substitute=True)
            case RefuseToConnect():
                self._refuse_to_connect(action)
            case BreakTls():
                self._break_tls(action)
            case SendMeddled():
                self._send(action.sender, [action.recipient])
            case SendChanged():
                self._change(action)
            case SubstituteNearKeys():
                self._search_keys(action)
            case CompareEnds():
                self._about(action.participant, action.other)
                if self._searched != {action.participant, action.other}:
                    self._refuse("nobody has searched for keys that would make the ends of these numbers the same")
            case ForkLog():
                self._fork(action)
            case NoticeFork():
                self._notice_fork(action)
            case AddGhost():
                self._members_there()
                self._haunted = line
            case AddGhostDevice():
                self._add_ghost_device(action.owner)
            case RefuseToSendToGroup():
                self._members(action.sender)
                if not self._haunted or Habit.BELIEVE in self._habits:
                    self._refuse(f"nothing keeps the app of {action.sender} from sending this")
            case SendText():
                self._part(action.secret, action.sender, action.recipients)
                self._send(action.sender, action.recipients)
            case SendFile():
                self._send(action.sender, action.recipients)
            case StartGroup():
                self._start_group(action)
            case SendToGroup():
                self._part(action.secret, action.sender, self._group or ())
                self._send_to_group(action.sender)
            case AddMember():
                self._add(action)
            case RemoveMember():
                self._remove(action)
            case CopyDevice():
                self._copy(action.owner)
            case LinkDevice():
                self._link(action.owner)
            case ReplaceDevice():
                self._replace(action.owner)
            case AcceptIdentity():
                self._accept(action)
            case CompareSafetyNumbers():
                self._compare(action)
            case RefuseToSend():
                self._refuse_to_send(action)
            case DelayText():
                self._delay(action)
            case DeliverDelayed():
                self._deliver(action.recipient)
            case DeliverAgain():
                if action.recipient not in self._delivered:
                    self._refuse(f"no delayed message has reached {action.recipient} so far")
            case WriteAs():
                self._about(action.author)
                self._talking.add(action.recipient)
            case SwapKey():
                self._swap(action.owner)
            case SendIntercepted():
                self._intercept(action)
            case Plant():
                self._inferred, self._plants = INFERRED_ONLY.intersection(action.secrets), line
            case SendOffline():
                self._send_offline(action)
            case SwitchOnEncryption():
                self._switch_on_encryption(action)
            case MissFeature():
                self._miss_feature(action)
            case SetTimer():
                self._set_timer(action)
            case SwitchOnVanishMode():
                self._switch_on_vanish_mode(action)
            case GoForward():
                self._go_forward()
            case SetProfile():
                self._about(action.participant)
            case ReportText():
                self._report_text(action)
            case ReportLie():
                self._report_lie(action)
            case SendTwoFaces():
                self._send_two_faces(action)
            case ReportFace():
                self._report_face(action)

    def end(self) -> None:
        """What only shows at the end of the story."""
        self._check_stage()
        for recipient, (_, line) in self._delayed.items():
            self._problems.add(line, f"this message never reaches {recipient}; deliver it before the claims")
        for who, line in self._acting.items():
            if who not in self._talking:
                self._problems.add(line, f"{who} neither sends nor gets a message in this scenario")
        for line in sorted(self._unreported):
            self._problems.add(line, "nobody reports this; its recipient does, before the claims")
        if self._inferred and not self._habits.keys().isdisjoint((Habit.OPT_IN, Habit.TEXT)):
            # See Company.calibrate.
            self._problems.add(self._plants, "the observers practise with one kind of message; leave out size and time")
        if self._earlier and not self._copied and Habit.OPT_IN not in self._habits:
            for line in self._earlier:
                self._problems.add(line, "earlier than what? nobody copies a device in this scenario")

    def _behave(self, habit: Habit) -> None:
        self._habits[habit] = self._line
        if habit is Habit.KEEP:
            if self._serve.mode is not Mode.E2EE:
                self._refuse("this needs a message service in e2ee mode: in the other modes, nobody copies a device")
        elif habit in _OF_KEYS and self._serve.mode is not Mode.E2EE:
            self._refuse("this needs a message service in e2ee mode: in the other modes, participants have no keys")
        elif habit not in _OF_KEYS:
            self._check_tls()

    def _check_tls(self) -> None:
        if self._serve.mode is Mode.PLAINTEXT:
            self._refuse("in plaintext mode there is no TLS that this could be about")

    def _lie(self, *, substitute: bool) -> None:
        since = self._denied or self._substituted
        if since:
            self._refuse(f"the operator lies about keys since line {since} already")
        elif substitute:
            self._substituted = self._line
        else:
            self._denied = self._line

    def _check_stage(self) -> None:
        """That attackers and apps fit together: else nobody could even begin."""
        for one, other in _EXCLUDE_EACH_OTHER:
            if one in self._habits and other in self._habits:
                line = max(self._habits[one], self._habits[other])
                self._problems.add(line, f"{one} and {other} exclude each other")
        if self._stripping and self._intercepted is not None:
            self._problems.add(max(self._stripping, self._intercepted[1]), "there is one attacker on the path already")
        if self._intercepted is not None:
            certificate, line = self._intercepted
            if self._serve.mode is Mode.PLAINTEXT:
                self._problems.add(line, "in plaintext mode nobody looks at certificates")
            elif self._refuses(certificate):
                self._problems.add(line, f"the apps refuse a certificate that is {certificate}, so nobody could join")

    def _refuses(self, certificate: Certificate) -> bool:
        """Whether the apps refuse such a certificate."""
        if Habit.UNCHECKED in self._habits:
            return False
        return certificate is not Certificate.TRUSTED or Habit.PINNED in self._habits

    def _refuse_to_connect(self, action: RefuseToConnect) -> None:
        self._about(action.participant)
        if self._serve.mode is Mode.PLAINTEXT:
            self._refuse("in plaintext mode nobody looks at certificates")
        elif not self._refuses(action.certificate):
            self._refuse(f"nothing keeps the app of {action.participant} from accepting this certificate")

    def _break_tls(self, action: BreakTls) -> None:
        self._about(action.participant)
        self._check_tls()
        if action.meddling not in _BREAK_TLS:
            self._refuse(f"TLS notices at once if somebody {', '.join(_BREAK_TLS)}; else the app waits in vain")

    def _change(self, action: SendChanged) -> None:
        self._send(action.sender, [action.recipient])
        if action.old not in action.text:
            self._refuse(f'"{action.old}" is not in "{action.text}"')
        elif len(action.old.encode()) != len(action.new.encode()):
            self._refuse(f'"{action.old}" and "{action.new}" take a different number of bytes')
        elif sum(one != other for one, other in zip(action.old.encode(), action.new.encode(), strict=True)) != 1:
            self._refuse("the operator changes a single byte, as in 5pm and 6pm")
        elif action.believed is not (self._serve.encryption is Encryption.CTR):
            self._refuse("only with ctr is a changed message believed; with every other encryption it is refused")

    def _search_keys(self, action: SubstituteNearKeys) -> None:
        self._lie(substitute=True)
        self._searched = {action.participant, action.other}
        self._about(*self._searched)
        if frozenset(self._searched) in self._together:
            self._refuse("too late: these two have met, and their apps keep the keys that they have")

    def _fork(self, action: ForkLog) -> None:
        self._lie(substitute=True)
        self._forked = frozenset((action.participant, action.other))
        self._about(*self._forked)
        if Habit.LOGGED not in self._habits:
            self._refuse("the apps do not look at any log; let them check a public log of keys")
        if self._forked in self._together:
            self._refuse("too late: these two have met, and their apps keep the keys that they have")

    def _notice_fork(self, action: NoticeFork) -> None:
        self._meet(action.sender, [action.recipient])
        if len(self._forked & {action.sender, action.recipient}) != 1:
            self._refuse("nobody could notice: exactly one of them was shown another log")

    def _members_there(self) -> None:
        if self._group is None:
            self._refuse("there is no group yet; somebody starts it first")

    def _add_ghost_device(self, owner: Participant) -> None:
        self._about(owner)
        if owner in self._ghosts:
            self._refuse(f"{owner} has a ghost device since line {self._ghosts[owner]} already")
        self._ghosts.setdefault(owner, self._line)
        self._warned |= {(friend, owner) for pair in self._together if owner in pair for friend in pair - {owner}}

    def _sees_ghost(self, sender: Participant, owner: Participant) -> bool:
        """Whether the app of `sender` refuses a ghost device of `owner`: it has another key, or the log has."""
        return (sender, owner) in self._warned or (owner in self._ghosts and Habit.LOGGED in self._habits)

    def _compare(self, action: CompareSafetyNumbers) -> None:
        self._about(action.participant, action.other)
        if (
            not action.same
            and not self._substituted
            and self._ghosts.keys().isdisjoint((action.participant, action.other))
        ):
            self._refuse("nobody has handed out other keys before, so the safety numbers are the same")

    def _refuse(self, message: str) -> None:
        self._problems.add(self._line, message)

    def _about(self, *who: Participant) -> None:
        for one in who:
            self._acting.setdefault(one, self._line)

    def _part(self, secret: SecretName, sender: Participant, recipients: Iterable[Participant]) -> None:
        self._texts |= {(sender, one) for one in recipients}
        if secret is SecretName.REPORTED:
            self._reportable |= {(sender, one): self._line for one in recipients if one is not sender}
            self._unreported.add(self._line)
        if secret not in PARTS_OF_STORY:
            return
        if secret is not SecretName.EARLIER:
            if not self._copied:
                self._refuse(f"the {secret} text is one that is sent after somebody copied a device")
        elif any(taken == len(Tap) for _, taken in self._taps.values()):
            self._refuse("the earlier text is one that is sent before two people have switched on encryption")
        elif self._copied:
            self._refuse(f"the earlier text is one that is sent before the device is copied, in line {self._copied}")
        else:
            self._earlier.append(self._line)

    def _send(self, sender: Participant, recipients: Iterable[Participant]) -> None:
        self._check_keys(sender, recipients)
        self._meet(sender, recipients)

    def _meet(self, sender: Participant, recipients: Iterable[Participant]) -> None:
        self._check_identities(sender, recipients)
        self._ask_for_keys(recipients)
        self._talking |= {sender, *recipients}
        self._together |= {frozenset((sender, one)) for one in recipients}

    def _check_identities(self, sender: Participant, recipients: Iterable[Participant]) -> None:
        for one in recipients:
            if (sender, one) in self._unaccepted:
                self._refuse(f"the app of {sender} refuses this before: {sender} accepts the new identity of {one}")
            elif (one, sender) in self._unaccepted:
                self._refuse(f"the app of {one} refuses this before: {one} accepts the new identity of {sender}")
            elif self._sees_ghost(sender, one):
                self._refuse(
                    f"{one} has a ghost device since line {self._ghosts[one]}: the app of {sender} refuses this"
                )

    def _ask_for_keys(self, recipients: Iterable[Participant]) -> None:
        for one in recipients:
            self._handed_out.setdefault(one, self._line)

    def _check_keys(self, sender: Participant, recipients: Iterable[Participant]) -> None:
        """That there are keys for each of `recipients`, and not such as only the operator can open."""
        for one in recipients:
            strangers = one not in self._handed_out and frozenset((sender, one)) not in self._together
            if self._denied and strangers and self._habits.keys().isdisjoint((Habit.FALL_BACK, Habit.ASK)):
                denied = f"since line {self._denied} nobody has keys, as far as the apps are told"
                self._refuse(f"{denied}: the app of {sender} refuses to send this")
            if one not in self._swapped:
                continue
            swapped = f"the key of {one} is swapped in line {self._swapped[one]}"
            if self._serve.encryption is Encryption.RSA:
                self._refuse(f"{swapped}: {one} cannot read this, unless the operator passes it on")
            elif frozenset((sender, one)) not in self._together:
                # Who has got a message from them already may have keys enough to answer.
                self._refuse(f"{swapped}: the app of {sender} refuses to send this")

    def _start_group(self, action: StartGroup) -> None:
        if self._group is not None:
            self._refuse("this scenario has a group already, and no room for another one")
        self._group = {action.starter, *action.members}

    def _members(self, member: Participant) -> set[Participant]:
        """Who is in the group, for something that `member` does in it."""
        if self._group is None:
            self._refuse("there is no group yet; somebody starts it first")
            return {member}
        if member not in self._group:
            self._refuse(f"{member} is not in the group")
        return self._group

    def _send_to_group(self, sender: Participant) -> None:
        others = self._members(sender) - {sender}
        if self._haunted and Habit.BELIEVE not in self._habits:
            self._refuse(f"there is a ghost in the group since line {self._haunted}: the app of {sender} refuses this")
        if self._group == {sender}:
            self._refuse(f"nobody but {sender} is in the group")
        self._check_identities(sender, sorted(others))
        self._check_keys(sender, sorted(others))
        self._ask_for_keys(others)
        self._talking |= {sender, *others}

    def _add(self, action: AddMember) -> None:
        members = self._members(action.member)
        if action.newcomer in members:
            self._refuse(f"{action.newcomer} is in the group already")
        members.add(action.newcomer)

    def _remove(self, action: RemoveMember) -> None:
        members = self._members(action.member)
        if action.leaver not in members:
            self._refuse(f"{action.leaver} is not in the group")
        members.discard(action.leaver)

    def _copy(self, owner: Participant) -> None:
        self._about(owner)
        if self._copied:
            self._refuse(f"a device is copied in line {self._copied}; there is one copy in a scenario")
        self._copied = self._copied or self._line

    def _link(self, owner: Participant) -> None:
        self._about(owner)
        self._check_nothing_under_way(owner)
        if owner in self._linked:
            self._refuse(f"{owner} has a second device already")
        self._linked.add(owner)

    def _replace(self, owner: Participant) -> None:
        self._about(owner)
        self._check_nothing_under_way(owner)
        self._replaced.add(owner)
        # The new device publishes keys of its own, and nobody has asked for those.
        self._swapped.pop(owner, None)
        self._handed_out.pop(owner, None)
        if owner in self._linked:
            self._refuse(f"{owner} has two devices; in a lesson, only who has one loses it")
        friends = {one for pair in self._together if owner in pair for one in pair - {owner}}
        self._unaccepted |= {(friend, owner) for friend in friends}
        # The new device knows nobody: whatever identity others have by now, it is the first one seen.
        self._unaccepted -= {(owner, friend) for friend in friends}

    def _accept(self, action: AcceptIdentity) -> None:
        self._about(action.participant, action.other)
        new = {*self._replaced, *self._swapped, *self._ghosts}
        if action.other not in new and not self._substituted:
            self._refuse(f"there is no new identity: {action.other} has not lost the device, and nobody swaps keys")
        self._unaccepted.discard((action.participant, action.other))
        self._warned.discard((action.participant, action.other))

    def _refuse_to_send(self, action: RefuseToSend) -> None:
        # Whoever has no keys, as far as the apps are told, need not write to anybody either.
        self._about(action.sender, *(() if self._no_keys() else (action.recipient,)))
        changed = (action.sender, action.recipient) in self._unaccepted
        swapped = action.recipient in self._swapped
        too_long = self._serve.encryption is Encryption.RSA
        haunted = self._sees_ghost(action.sender, action.recipient)
        if not (changed or swapped or haunted or too_long or self._no_keys()):
            self._refuse(f"nothing keeps the app of {action.sender} from sending this")

    def _no_keys(self) -> bool:
        """Whether it may be that an app gets no keys that it accepts, and does not go on without."""
        if self._denied:
            return self._habits.keys().isdisjoint((Habit.FALL_BACK, Habit.ASK))
        return self._substituted > 0 and not self._forked

    def _swap(self, owner: Participant) -> None:
        self._about(owner)
        if owner in self._swapped:
            self._refuse(f"the key of {owner} is swapped in line {self._swapped[owner]} already")
        elif owner in self._handed_out:
            line = self._handed_out[owner]
            self._refuse(f"too late: the key of {owner} was handed out in line {line}, and apps ask for it once")
        self._swapped.setdefault(owner, self._line)

    def _intercept(self, action: SendIntercepted) -> None:
        if action.recipient not in self._swapped:
            self._refuse(f"the operator has no key for this; before, the operator swaps the key of {action.recipient}")
        elif self._serve.encryption is not Encryption.RSA:
            self._refuse(f"only with rsa: the key that the operator has does not open what {action.sender} sends here")
        self._meet(action.sender, [action.recipient])

    def _delay(self, action: DelayText) -> None:
        self._send(action.sender, [action.recipient])
        if action.recipient in self._delayed:
            line = self._delayed[action.recipient][1]
            self._refuse(f"the message to {action.recipient} in line {line} is still under way; deliver it first")
        self._delayed[action.recipient] = (action.sender, self._line)

    def _deliver(self, recipient: Participant) -> None:
        if self._delayed.pop(recipient, None) is None:
            self._refuse(f"no message to {recipient} is delayed")
        self._delivered.add(recipient)

    def _send_offline(self, action: SendOffline) -> None:
        self._send(action.sender, [action.recipient])
        if action.waits and Habit.TEXT in self._habits:
            self._refuse("it does not wait: the apps send a text message to whoever has no internet")
        elif not action.waits and Habit.TEXT not in self._habits:
            self._refuse("nothing is said of text messages; the apps send a text message to whoever has no internet")

    def _switch_on_encryption(self, action: SwitchOnEncryption) -> None:
        self._about(action.participant, action.other)
        both = frozenset((action.participant, action.other))
        asks, taken = self._taps.get(both, (action.participant, 0))
        if Habit.OPT_IN not in self._habits:
            self._refuse("there is nothing to switch on; let the apps encrypt only where people have switched it on")
        elif taken == len(Tap):
            self._refuse(f"{action.participant} and {action.other} have an encrypted chat already")
        elif tuple(Tap)[taken] is not action.tap:
            self._refuse(f"the steps to an encrypted chat are in this order: {', '.join(Tap)}")
        elif (asks == action.participant) is (action.tap is Tap.ACCEPT):
            self._refuse("whoever wants an encrypted chat takes the first three steps, and the other one the fourth")
        else:
            self._taps[both] = (asks, taken + 1)

    def _miss_feature(self, action: MissFeature) -> None:
        self._about(action.participant, action.other)
        _, taken = self._taps.get(frozenset((action.participant, action.other)), (None, 0))
        if taken < len(Tap):
            self._refuse(f"{action.participant} and {action.other} have no encrypted chat yet")
        if action.feature is Feature.DEVICES:
            self._link(action.participant)

    def _set_timer(self, action: SetTimer) -> None:
        self._about(action.participant, action.other)
        if self._serve.mode is Mode.E2EE and Habit.KEEP not in self._habits:
            self._refuse("there would be nothing to disappear: the apps keep no messages; let them keep messages")

    def _switch_on_vanish_mode(self, action: SwitchOnVanishMode) -> None:
        self._about(action.participant, action.other)
        if self._serve.mode is Mode.E2EE:
            self._refuse("in e2ee mode the service has no texts to delete; let messages disappear after some time")

    def _go_forward(self) -> None:
        if SecretName.TIME in self._inferred:
            self._refuse("the clocks of the observers stay as they are, so this scenario cannot ask for the time")
        for recipient, (_, line) in self._delayed.items():
            self._refuse(f"the message to {recipient} in line {line} is still under way; deliver it first")

    def _report_text(self, action: ReportText) -> None:
        line = self._reportable.get((action.other, action.participant))
        if line is None:
            self._refuse(f"{action.other} has sent {action.participant} no text that is to be reported")
            return
        self._unreported.discard(line)
        self._check_checked(action.participant, checked=action.checked)

    def _report_lie(self, action: ReportLie) -> None:
        if (action.other, action.participant) not in self._texts:
            self._refuse(f"{action.other} has sent {action.participant} no text that this could be said of")
        self._check_checked(action.participant, checked=not action.believed)

    def _check_checked(self, reporter: Participant, *, checked: bool) -> None:
        checkable = self._serve.mode is not Mode.E2EE or Habit.COMMITTED in self._habits
        # What goes without encryption in spite of the mode, the operator has read.
        if checked is not checkable and not self._denied:
            can = "can" if checkable else "cannot"
            self._refuse(f"the operator {can} check what {reporter} reports here")

    def _send_two_faces(self, action: SendTwoFaces) -> None:
        self._send(action.sender, [action.recipient])
        if self._faces is not None:
            self._refuse(f"there is a file with two faces in line {self._faces[1]} already")
            return
        if max(len(text.encode()) for text in (action.first, action.second)) > _LONGEST_FACE:
            self._refuse(f"in a picture there is room for a text of {_LONGEST_FACE} bytes")
        self._faces = action.recipient, self._line
        self._unreported.add(self._line)

    def _report_face(self, action: ReportFace) -> None:
        if self._faces is None or self._faces[0] is not action.participant:
            self._refuse(f"nobody has sent {action.participant} a file with two faces")
            return
        self._unreported.discard(self._faces[1])
        expected = Review.SHOWN
        if Habit.ONE_KEY in self._habits:
            expected = Review.NOTICED if Habit.COMMITTED in self._habits else Review.BELIEVED
        if action.review is not expected:
            self._refuse(f"with these apps, this is what comes of it: {_REVIEWS[expected]}")

    def _check_nothing_under_way(self, owner: Participant) -> None:
        for recipient, (sender, line) in self._delayed.items():
            if owner in (sender, recipient):
                self._refuse(f"the message in line {line} is still under way between the old devices; deliver it first")
