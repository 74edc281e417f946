"""The class as its faces know it: one object for all threads, which keeps everything before it says that it is done.

What is decided here is decided by `model`; what a face is told is made by `documents`. Whoever is told of a change
(the push channel, the runner, free play) is called without any lock of the class being held that they could wait for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock, RLock
from types import MappingProxyType
from typing import Any, Protocol

from lab.classroom import documents, model
from lab.classroom.catalogue import catalogue
from lab.classroom.documents import Asked, Document, Now, Own, Replay, Room, Shown
from lab.classroom.export import Class, export
from lab.classroom.model import (
    ALONE,
    INTERCEPTORS,
    LONGEST_MESSAGE,
    LONGEST_NICKNAME,
    LONGEST_REASON,
    Action,
    Answer,
    Deed,
    Learner,
    NotNowError,
    Pick,
    Play,
    PlaySetup,
    Question,
    Select,
)
from lab.classroom.seen import Piece
from lab.classroom.store import Store
from lab.guide.zoom import Zoom
from lab.model import Exposure, LabError, LeakMatrix, Mode, Observer
from lab.scenario.lesson import Lesson
from lab.scenario.predictions import PREDICTABLE, Place, named, table

MOST_LEARNERS = 1000
"""Who is let in, at most."""
MOST_OWN = 20
"""Messages that one learner can type in one free play."""
KEPT_PIECES = 60
"""What a pane keeps of each observer: the newest."""

PEOPLE = ("alice", "bob")
"""Who writes in free play; what learners type is alice's."""

TOLD = {Action.RESET: "reset", Action.REMOVE: "removed"}
"""What a learner is told, beside what all are told, when one of these was done to them."""

BEHIND = frozenset({Action.REMOVE, Action.SELECT, Action.JUDGE})
"""Actions that change nothing of what all learners are told."""

_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what is hard to tell apart on a wall: I and 1, O and 0."""
_CODE_LENGTH = 6
_KEY_BYTES = 24
_TOKEN_BYTES = 24
_ID_BYTES = 6


class Kind(StrEnum):
    """Why something was refused."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    FORBIDDEN = "forbidden"
    NOT_NOW = "not_now"
    FULL = "full"

    @property
    def status(self) -> int:
        """The same for HTTP."""
        return _STATUS[self]


_STATUS = {Kind.WRONG: 422, Kind.UNKNOWN: 404, Kind.FORBIDDEN: 403, Kind.NOT_NOW: 409, Kind.FULL: 503}


class RefusedError(Exception):
    """What somebody asked for is not done. `str()` is a sentence for them."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class Face(StrEnum):
    """A view of the class."""

    LEARNER = "learner"
    TEACHER = "teacher"
    STAGE = "stage"


class Hub(Protocol):
    """Tells browsers."""

    def changed(self, face: Face) -> None:
        """The document of this face is another one now."""

    def tell(self, learner: int, event: str, data: Mapping[str, Any]) -> None:
        """Something that is for one learner alone."""

    def connected(self) -> frozenset[int]:
        """The learners who have a connection."""


class Runner(Protocol):
    """Plays a scenario, step by step, and tells a Teller."""

    def start(self, question: int, lesson: Lesson, scenario: int) -> None:
        """Begin, and wait before the first step."""

    def step(self, *, rest: bool) -> None:
        """Do the next step, or all that are left."""

    def stop(self) -> None:
        """Break off, if one is on: nothing more is told of this run, also not by what was under way."""

    def close(self) -> None:
        """End everything."""


class Player(Protocol):
    """Lets people type, and tells a Teller."""

    def start(self, setup: PlaySetup) -> None:
        """Begin."""

    def send(self, who: str, text: str, learner: int | None, nickname: str) -> int:
        """Send a message as soon as it is its turn, and say at once which number it has."""

    def judge(self) -> None:
        """Measure what was sent so far."""

    def stop(self) -> None:
        """Nothing more is told of this play, also not by what was under way."""

    def close(self) -> None:
        """End everything."""


class Teller(Protocol):
    """Whom the runner and free play tell what happens, from threads of their own."""

    def reached(self, question: int, done: int, of: int, text: str, pieces: Sequence[Piece]) -> None:
        """The run waits before step `done`, which is `text`; or all are done, and it is being measured."""

    def seen(self, pieces: Sequence[Piece]) -> None:
        """Observers got something."""

    def measured(self, question: int, matrix: LeakMatrix, evidence: Mapping[str, Zoom]) -> None:
        """The run is over; evidence by the name of the cell."""

    def failed(self, question: int, why: str) -> None:
        """The run cannot go on."""

    def played(self, number: int, state: str, found: Mapping[Mode, Mapping[Observer, str]], tag: str = "") -> None:
        """A typed message was "sent", or has "failed". `tag` is what was put behind its text."""

    def judged(self, matrices: Mapping[Mode, LeakMatrix], why: str = "") -> None:
        """What was typed is measured, or cannot be, and why."""


@dataclass(frozen=True, slots=True)
class _Result:
    """What was told of a typed message."""

    state: str
    found: Mapping[Mode, Mapping[Observer, str]]
    tag: str


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Of the messages of a free play: the last typed one, the last one that is being measured, the last that was."""

    typed: int = 0
    judging: int = 0
    judged: int = 0


class Classroom:
    """One class. LabError: two lessons have one name, or the state cannot be read."""

    def __init__(self, store: Store, lessons: Sequence[Lesson], language: str, *, alone: bool, url: str) -> None:
        self._store = store
        self._lessons = {one.name: one for one in lessons}
        if len(self._lessons) != len(lessons):
            raise LabError("two of these lessons have the same name; leave one of them out")
        self._language = language
        self._say = catalogue(language).say
        self.alone = alone
        self.url = url
        self.code = store.once("code", lambda: "".join(secrets.choice(_CODE) for _ in range(_CODE_LENGTH)))
        self.key = store.once("key", lambda: secrets.token_urlsafe(_KEY_BYTES))
        self.id = store.once("id", lambda: secrets.token_hex(_ID_BYTES))
        """No secret: it tells this class from others on this computer, wherever it is served."""
        kept = store.load()
        self._learners = {one.id: one for one in kept.learners}
        self._tokens = {token: learner for learner, token in kept.tokens.items()}
        self._questions = {one.id: one for one in kept.questions}
        self._answers: dict[int, dict[int, Mapping[int, Answer]]] = {
            question: dict(each) for question, each in kept.answers.items()
        }
        self._moment = model.restarted(kept.moment)
        if self._moment.question is not None and self._asked() is None:
            self._moment = model.Moment(paused=self._moment.paused)  # its lesson is not among these
        store.keep(self._moment)
        self._acting = Lock()
        """Held through an action of the teacher, or a typed message, with the calls that it leads to, so that they come
        in this order. Whoever is called may take its own locks: nothing that it tells waits for this one."""
        self._lock = RLock()
        self._version = kept.starts * 10**9
        self._learner_version = self._version
        self._for_learners: tuple[int, Document, bytes] | None = None
        self._panes: dict[Mode, dict[Observer, deque[Document]]] = {}
        self._typed: dict[int, tuple[Own, int]] = {}
        """Learners' own messages of this free play, by number, with the learner."""
        self._results: dict[int, _Result] = {}
        self._matrices: Mapping[Mode, LeakMatrix] = {}
        self._numbers = _Numbers()
        self._modes: tuple[Mode, ...] = ()
        """Of the free play that is on, or was last."""
        self._hub: Hub | None = None
        self._runner: Runner | None = None
        self._player: Player | None = None
        self._replay: Replay | None = None

    def attach(self, hub: Hub, runner: Runner, player: Player | None, replay: Replay | None = None) -> None:
        """Who is told, who plays, and what is played in place of live runs. Once, before anybody is let in."""
        self._hub, self._runner, self._player, self._replay = hub, runner, player, replay

    # What learners do

    def join(self, code: str, nickname: str) -> tuple[str, str]:
        """A token for somebody new, and how they are called here. Who studies alone stays the same learner."""
        if not hmac.compare_digest(code.strip().upper().encode(errors="replace"), self.code.encode()):
            raise self._refused(Kind.FORBIDDEN, "code")
        if len(nickname) > 10 * LONGEST_NICKNAME:
            raise self._refused(Kind.WRONG, "nickname_long", most=LONGEST_NICKNAME)
        name = model.nickname(nickname)
        if not name:
            raise self._refused(Kind.WRONG, "nickname_empty")
        if len(name) > LONGEST_NICKNAME:
            raise self._refused(Kind.WRONG, "nickname_long", most=LONGEST_NICKNAME)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with self._lock:
            learner = self._admit(name, _hashed(token))
        self._changed(Face.TEACHER, Face.STAGE)
        return token, learner.nickname

    def _admit(self, name: str, token: bytes) -> Learner:
        same = next(iter(self._learners.values()), None) if self.alone else None
        if same is not None:
            learner = replace(same, nickname=name)
            self._store.change_learner(learner, token)
            self._forget_tokens(same.id)
        else:
            if len(self._learners) >= MOST_LEARNERS:
                raise self._refused(Kind.FULL, "full")
            name = model.distinct(name, (one.nickname for one in self._learners.values()))
            learner = self._store.add_learner(name, token)
        self._learners[learner.id] = learner
        self._tokens[token] = learner.id
        return learner

    def learner(self, token: str) -> Learner | None:
        """Whose token this is; None: nobody's, or not any more."""
        hashed = _hashed(token)
        with self._lock:
            # What is looked up is a hash: how long that takes says nothing about any token.
            learner = self._tokens.get(hashed)
            return None if learner is None else self._learners.get(learner)

    def me(self, learner: Learner) -> dict[str, Any]:
        """What this learner has said, typed and reached."""
        with self._lock:
            known = self._known(learner)
            asked = self._asked()
            progress = [
                documents.progress(one, self._lessons.get(one.lesson) if self._fits(one) else None, sent)
                for one in self._questions.values()
                if one.revealed and (sent := self._answers.get(one.id, {}).get(known.id))
            ]
            question = None if asked is None else asked.question
            return documents.me(known, question, self._sent(known.id), self._own(known.id), progress)

    def answer(
        self,
        learner: Learner,
        question: int,
        round: int,  # noqa: A002 - the word of the interface
        predictions: Mapping[str, str],
        reason: str | None,
    ) -> dict[str, Any]:
        """Keep what a learner has sent, and give all that they have sent in this round."""
        with self._lock:
            known, asked = self._known(learner), self._asked()
            if self._moment.paused:
                raise self._refused(Kind.NOT_NOW, "paused")
            if asked is None or asked.question.id != question:
                raise self._refused(Kind.NOT_NOW, "other_question")
            if model.open_round(self._moment) != round:
                raise self._refused(Kind.NOT_NOW, "closed")
            said = self._read_predictions(asked.question, predictions)
            text = None if reason is None else self._read_reason(reason)
            if said or text is not None:
                self._store.answer(question, known.id, round, said, text)
            sent = self._answers.setdefault(question, {}).get(known.id, {})
            answer = model.added(sent.get(round, model.NOTHING), said, text)
            if said or text is not None:
                self._answers[question][known.id] = MappingProxyType({**sent, round: answer})
        self._changed(Face.TEACHER, Face.STAGE)
        return {
            "predictions": {named(place): exposure for place, exposure in answer.predictions.items()},
            "reason": answer.reason,
        }

    def own(self, learner: Learner, text: str) -> None:
        """Send a message of the learner's own through free play."""
        with self._acting:
            with self._lock:
                known = self._known(learner)
                if self._moment.paused:
                    raise self._refused(Kind.NOT_NOW, "paused")
                mine = [self._now_own(one) for one, whose in self._typed.values() if whose == known.id]
                if any(one.state == "waiting" for one in mine):
                    raise self._refused(Kind.NOT_NOW, "own_waiting")
                if len(mine) >= MOST_OWN:
                    raise self._refused(Kind.NOT_NOW, "own_enough", most=MOST_OWN)
            line, number = self._send(PEOPLE[0], text, known)
            with self._lock:
                self._typed[number] = (Own(number, line), known.id)
        self._tell_own(known.id)

    def evidence(self, question: int, cell: str, *, teacher: bool) -> dict[str, Any]:
        """What was found for one cell: for the teacher once it is measured, for learners once it is revealed."""
        with self._lock:
            asked = self._questions.get(question)
            if asked is None:
                raise self._refused(Kind.UNKNOWN, "no_question")
            if not (asked.revealed or (teacher and asked.measured is not None)):
                raise self._refused(Kind.FORBIDDEN, "not_revealed")
            found = self._store.evidence(question).get(cell)
        if found is None:
            raise self._refused(Kind.UNKNOWN, "no_evidence")
        return dict(found)

    # What the teacher does

    def act(self, action: str, arguments: Mapping[str, Any], *, alone: bool = False) -> None:
        """Do it; `alone`: it is the learner of a class of one who asks."""
        with self._acting:
            try:
                wanted = Action(action)
            except ValueError:
                raise self._refused(Kind.WRONG, "action") from None
            if alone and not (self.alone and wanted in ALONE):
                raise self._refused(Kind.FORBIDDEN, "teacher_only")
            self._do(wanted, arguments)
        self._changed(*(Face if wanted not in BEHIND else (Face.TEACHER, Face.STAGE)))

    def _do(self, action: Action, arguments: Mapping[str, Any]) -> None:
        concerned: Collection[int] = ()
        with self._lock:
            if action is Action.PLAY and self._player is None:
                raise self._refused(Kind.NOT_NOW, "no_play")
            if action not in model.possible(self._moment):
                raise self._refused(Kind.NOT_NOW, "not_now")
            match action:
                case Action.PICK:
                    self._pick(arguments)
                case Action.PLAY:
                    self._become(Play(self._read_setup(arguments)))
                case Action.SELECT:
                    self._become(Select(self._read_selected(arguments)))
                case Action.RESET:
                    concerned = self._reset(arguments)
                case Action.REMOVE:
                    concerned = [self._remove(arguments)]
                case Action.REVEAL:
                    self._reveal()
                case _:
                    self._become(action)
            self._begin(action)
            asked, play = self._asked(), self._moment.play
        if self._hub is not None:
            for learner in concerned:
                self._hub.tell(learner, TOLD[action], {})
        try:
            self._pass_on(action, asked, None if play is None else play.setup)
        except LabError as error:
            self._could_not(action, asked, str(error))

    def _pass_on(self, action: Action, asked: Asked | None, setup: PlaySetup | None) -> None:
        """Let runner and player do their part. LabError: they cannot."""
        runner, player = self._runner, self._player
        match action:
            case Action.RUN if runner is not None and asked is not None:
                runner.start(asked.question.id, asked.lesson, asked.question.scenario)
            case Action.STEP | Action.REST if runner is not None:
                runner.step(rest=action is Action.REST)
            case Action.STOP if runner is not None:
                runner.stop()
            case Action.PLAY if player is not None and setup is not None:
                player.start(setup)
            case Action.JUDGE if player is not None:
                player.judge()
            case Action.END_PLAY if player is not None:
                player.stop()

    def _could_not(self, action: Action, asked: Asked | None, why: str) -> None:
        if asked is not None and action in (Action.RUN, Action.STEP, Action.REST):
            self.failed(asked.question.id, why)
        elif action in (Action.PLAY, Action.JUDGE):
            self.judged({}, why)

    def play(self, who: str, text: str) -> None:
        """Send a message through free play, as one of the two people in it."""
        with self._acting:
            if who not in PEOPLE:
                raise self._refused(Kind.WRONG, "who", people=", ".join(PEOPLE))
            self._send(who, text, None)

    def lessons(self) -> list[dict[str, Any]]:
        """What can be picked."""
        return documents.lessons(self._lessons.values(), self._replay)

    def export(self, name: str) -> str:
        """One file for the teacher to keep."""
        with self._lock:
            questions = [one for one in self._questions.values() if self._fits(one)]
            learners = tuple(self._learners.values())
            text = export(name, Class(self._language, self._lessons, questions, learners, self._answers))
        if text is None:
            raise self._refused(Kind.UNKNOWN, "no_export")
        return text

    def document(self, face: Face) -> dict[str, Any]:
        """What this face shows now. Whoever reads it must not change it."""
        if face is Face.LEARNER:
            return self._for_learner()[0]
        connected = self._hub.connected() if self._hub is not None else frozenset[int]()
        with self._lock:
            asked = self._asked()
            self._version += 1
            now = Now(self._language, self.alone, self._moment, asked)
            answers = {} if asked is None else self._answers.get(asked.question.id, {})
            plays = self._player is not None
            room = Room(self.code, self.url, tuple(self._learners.values()), answers, connected, plays)
            if face is Face.TEACHER:
                return documents.for_teacher(now, room, self._version)
            shown = Shown(self._panes, self._matrices, self._selected_evidence(), self._replay)
            return documents.for_stage(now, room, shown, self._version)

    def encoded(self, face: Face) -> bytes:
        """The same as JSON. For learners it is made once for each change, however many learners there are."""
        return self._for_learner()[1] if face is Face.LEARNER else _json(self.document(face))

    # What runner and free play tell

    def reached(self, question: int, done: int, of: int, text: str, pieces: Sequence[Piece]) -> None:
        """See Teller."""
        self._told(lambda moment: model.reached(moment, question, done, of, text), pieces)

    def seen(self, pieces: Sequence[Piece]) -> None:
        """See Teller."""
        with self._lock:
            self._show(pieces)
        self._changed(Face.STAGE)

    def measured(self, question: int, matrix: LeakMatrix, evidence: Mapping[str, Zoom]) -> None:
        """See Teller."""
        with self._lock:
            after = model.measured(self._moment, question, matrix.broken_off)
            if after is self._moment:
                return
            cells = tuple(replace(one, evidence=()) for one in matrix.cells)
            with self._store.together():
                self._store.measured(question, cells, {name: documents.zoom(one) for name, one in evidence.items()})
                self._store.keep(after)
            self._questions[question] = replace(self._questions[question], measured=cells)
            self._moment = after
            self._outdate()
        self._changed(*Face)

    def failed(self, question: int, why: str) -> None:
        """See Teller."""
        self._told(lambda moment: model.failed(moment, question, why))

    def played(self, number: int, state: str, found: Mapping[Mode, Mapping[Observer, str]], tag: str = "") -> None:
        """See Teller."""
        with self._lock:
            self._results[number] = _Result(state, found, tag)
            _, whose = self._typed.get(number, (None, None))
        if whose is not None:
            self._tell_own(whose)
        self._changed(Face.STAGE)

    def judged(self, matrices: Mapping[Mode, LeakMatrix], why: str = "") -> None:
        """See Teller."""
        with self._lock:
            if matrices:
                self._matrices = matrices
                self._numbers = replace(self._numbers, judged=self._numbers.judging)
            typed = {whose for _, whose in self._typed.values()}
        self._told(lambda moment: model.judged(moment, why), learners=False)
        for learner in typed:
            self._tell_own(learner)

    # One action each, with the lock held

    def _become(self, deed: Deed) -> None:
        after = self._after(deed)
        self._store.keep(after)
        self._moment = after
        self._outdate()

    def _after(self, deed: Deed) -> model.Moment:
        try:
            return model.acted(self._moment, deed, alone=self.alone)
        except NotNowError:
            raise self._refused(Kind.NOT_NOW, "not_now") from None

    def _pick(self, arguments: Mapping[str, Any]) -> None:
        lesson, number, cells = self._read_pick(arguments)
        with self._store.together():
            question = self._store.add_question(lesson.name, number, cells)
            after = self._after(Pick(question.id))
            self._store.keep(after)
        self._questions[question.id] = question
        self._moment = after
        self._outdate()

    def _reveal(self) -> None:
        after, question = self._after(Action.REVEAL), self._moment.question
        if question is None:
            return
        with self._store.together():
            self._store.revealed(question)
            self._store.keep(after)
        self._questions[question] = replace(self._questions[question], revealed=True)
        self._moment = after
        self._outdate()

    def _reset(self, arguments: Mapping[str, Any]) -> Collection[int]:
        learner = None if arguments.get("learner") is None else self._read_learner(arguments)
        question = self._moment.question
        if question is None:
            return ()
        self._store.forget(question, learner)
        concerned = tuple(self._learners) if learner is None else (learner,)
        for one in concerned:
            self._answers.get(question, {}).pop(one, None)
        self._outdate()  # so that nobody takes it for what they have already
        return concerned

    def _remove(self, arguments: Mapping[str, Any]) -> int:
        learner = self._read_learner(arguments)
        self._store.remove_learner(learner)
        del self._learners[learner]
        self._forget_tokens(learner)
        for answers in self._answers.values():
            answers.pop(learner, None)
        self._typed = {number: one for number, one in self._typed.items() if one[1] != learner}
        return learner

    def _begin(self, action: Action) -> None:
        """What is shown of a run or a play is gone when the next one begins. What is measured was typed until now."""
        if action in (Action.RUN, Action.PLAY):
            self._panes = {}
        if action is Action.JUDGE:
            self._numbers = replace(self._numbers, judging=self._numbers.typed)
        if action is Action.PLAY and self._moment.play is not None:
            self._typed, self._results, self._matrices, self._numbers = {}, {}, {}, _Numbers()
            self._modes = self._moment.play.setup.modes

    # What was sent along

    def _read_pick(self, arguments: Mapping[str, Any]) -> tuple[Lesson, int, tuple[Place, ...]]:
        lesson, number = self._lessons.get(str(arguments.get("lesson"))), arguments.get("scenario", 0)
        if lesson is None or type(number) is not int or not 0 <= number < len(lesson.scenarios):
            raise self._refused(Kind.UNKNOWN, "no_scenario")
        scenario = lesson.scenarios[number]
        if self._replay is not None and number not in self._replay.recorded.get(lesson.name, ()):
            raise self._refused(Kind.UNKNOWN, "not_recorded", title=scenario.title)
        names = arguments.get("cells")
        if names is None:
            return lesson, number, model.default_cells(scenario)
        chosen = [one for one in table(scenario) if isinstance(names, list) and named(one) in names]
        if not chosen or len(chosen) != len(names):
            raise self._refused(Kind.WRONG, "cells")
        return lesson, number, tuple(chosen)

    def _read_setup(self, arguments: Mapping[str, Any]) -> PlaySetup:
        modes, interceptor = arguments.get("modes"), arguments.get("interceptor", INTERCEPTORS[0])
        padded, pinned = arguments.get("padded", False), arguments.get("pinned", False)
        chosen = tuple(mode for mode in Mode if isinstance(modes, list) and mode in modes)
        complete = isinstance(modes, list) and len(chosen) == len(modes) > 0
        if not complete or interceptor not in INTERCEPTORS or type(padded) is not bool or type(pinned) is not bool:
            raise self._refused(Kind.WRONG, "setup")
        return PlaySetup(chosen, padded, str(interceptor), pinned)

    def _read_selected(self, arguments: Mapping[str, Any]) -> Place | None:
        name, asked = arguments.get("cell"), self._asked()
        if name is None or asked is None:
            return None
        place = next((one for one in table(asked.scenario) if named(one) == name), None)
        if place is None:
            raise self._refused(Kind.WRONG, "cell", cell=_short(name))
        return place

    def _read_learner(self, arguments: Mapping[str, Any]) -> int:
        learner = arguments.get("learner")
        if type(learner) is not int or learner not in self._learners:
            raise self._refused(Kind.UNKNOWN, "no_learner")
        return learner

    def _read_predictions(self, question: Question, sent: Mapping[str, str]) -> dict[Place, Exposure]:
        places = {named(one): one for one in question.cells}
        said: dict[Place, Exposure] = {}
        for name, word in sent.items():
            if name not in places:
                raise self._refused(Kind.WRONG, "cell", cell=_short(name))
            exposure = next((one for one in PREDICTABLE if one == word), None)
            if exposure is None:
                raise self._refused(Kind.WRONG, "exposure", exposure=_short(word))
            said[places[name]] = exposure
        return said

    def _read_reason(self, text: str) -> str:
        line = model.one_line(text) if len(text) <= 10 * LONGEST_REASON else text
        if len(line) > LONGEST_REASON:
            raise self._refused(Kind.WRONG, "reason_long", most=LONGEST_REASON)
        return line

    # Free play

    def _send(self, who: str, text: str, learner: Learner | None) -> tuple[str, int]:
        """One line to the player: what was sent, and its number."""
        line = model.one_line(text) if len(text) <= 10 * LONGEST_MESSAGE else text
        if not line:
            raise self._refused(Kind.WRONG, "message_empty")
        if len(line) > LONGEST_MESSAGE:
            raise self._refused(Kind.WRONG, "message_long", most=LONGEST_MESSAGE)
        with self._lock:
            playing = self._moment.play is not None
        if not playing or self._player is None:
            raise self._refused(Kind.NOT_NOW, "no_play_on")
        try:
            number = self._player.send(
                who, line, None if learner is None else learner.id, "" if learner is None else learner.nickname
            )
        except LabError as error:
            raise RefusedError(Kind.NOT_NOW, str(error)) from error
        with self._lock:
            self._numbers = replace(self._numbers, typed=max(number, self._numbers.typed))
        self._told(model.typed, learners=False)
        return line, number

    def _now_own(self, one: Own) -> Own:
        """With what was told of it meanwhile: that may have come before its number was known here."""
        result, judged = self._results.get(one.number), one.number <= self._numbers.judged
        if result is None:
            return one
        return replace(one, state=result.state, found=result.found, tag=result.tag, measured=judged)

    def _own(self, learner: int) -> Document:
        mine = [self._now_own(one) for one, whose in self._typed.values() if whose == learner]
        return documents.own(mine, self._modes, self._matrices)

    def _tell_own(self, learner: int) -> None:
        with self._lock:
            mine = self._own(learner)
        if self._hub is not None:
            self._hub.tell(learner, "own", mine)

    # What is known

    def _known(self, learner: Learner) -> Learner:
        known = self._learners.get(learner.id)
        if known is None:
            raise self._refused(Kind.FORBIDDEN, "removed")
        return known

    def _asked(self) -> Asked | None:
        question = self._questions.get(self._moment.question or 0)
        if question is None or not self._fits(question):
            return None
        return Asked(question, self._lessons[question.lesson])

    def _fits(self, question: Question) -> bool:
        """Whether it is about a scenario of these lessons: they may be others than those when it was asked."""
        lesson = self._lessons.get(question.lesson)
        if lesson is None or question.scenario >= len(lesson.scenarios):
            return False
        places = table(lesson.scenarios[question.scenario])
        return set(question.cells) | set(question.known) <= set(places)

    def _sent(self, learner: int) -> Mapping[int, Answer]:
        return self._answers.get(self._moment.question or 0, {}).get(learner, {})

    def _selected_evidence(self) -> Mapping[str, Any] | None:
        question, selected = self._moment.question, self._moment.selected
        if question is None or selected is None:
            return None
        return self._store.evidence(question).get(named(selected))

    def _forget_tokens(self, learner: int) -> None:
        self._tokens = {token: one for token, one in self._tokens.items() if one != learner}

    # What changes

    def _told(
        self, change: Callable[[model.Moment], model.Moment], pieces: Iterable[Piece] = (), *, learners: bool = True
    ) -> None:
        """Something has happened. Of a run or a play that is over nothing is wanted any more. `learners`: whether they
        are told something else now."""
        with self._lock:
            after = change(self._moment)
            if after is self._moment:
                return
            self._moment = after
            self._show(pieces)
            if learners:
                self._outdate()
        self._changed(*(Face if learners else (Face.TEACHER, Face.STAGE)))

    def _show(self, pieces: Iterable[Piece]) -> None:
        for one in pieces:
            panes = self._panes.setdefault(one.mode, {})
            panes.setdefault(one.observer, deque(maxlen=KEPT_PIECES)).append(documents.piece(one))

    def _outdate(self) -> None:
        """What learners are told is another thing now."""
        self._version += 1
        self._learner_version = self._version

    def _for_learner(self) -> tuple[Document, bytes]:
        with self._lock:
            made = self._for_learners
            if made is None or made[0] != self._learner_version:
                now = Now(self._language, self.alone, self._moment, self._asked())
                document = documents.for_learner(now, self._learner_version)
                made = self._for_learners = (self._learner_version, document, _json(document))
            return made[1], made[2]

    def _changed(self, *faces: Face) -> None:
        if self._hub is not None:
            for face in faces:
                self._hub.changed(face)

    def _refused(self, kind: Kind, key: str, **values: object) -> RefusedError:
        return RefusedError(kind, self._say(f"errors.{key}", **values))


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _short(value: object) -> str:
    """Something that was sent, as a sentence can name it."""
    return model.one_line(str(value)[:40])


def _json(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
