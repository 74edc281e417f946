"""Free play: what people type goes out in up to three modes at once, each a session of its own, one message at a time.

A message has the same tag in all modes, so that it can be found in what each observer got.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from lab import capture
from lab.classroom.catalogue import catalogue
from lab.classroom.panes import Panes, Planted
from lab.classroom.runs import LOOK_SECONDS, new_pieces
from lab.messenger.wire import CertificateError
from lab.model import LabError, Mode, Observer, Secret, SecretName
from lab.phones.phones import Phones, Setting, check, set_out_phones
from lab.scenario.casting import plant, tagged
from lab.scenario.lesson import Certificate
from lab.stage.judges import MOST, Judges, joined
from lab.stage.stage import Stage, open_stage
from lab.stage.watch import Watch

if TYPE_CHECKING:
    from lab.classroom.classroom import Teller
    from lab.classroom.model import PlaySetup

_INTERCEPTORS = {"none": None, "untrusted": Certificate.UNTRUSTED, "trusted": Certificate.TRUSTED}


@dataclass(frozen=True, slots=True)
class _Typed:
    """A message that waits for its turn."""

    number: int
    who: str
    text: str
    nickname: str


@dataclass(frozen=True, slots=True)
class _Judging:
    """Somebody wants to know who can read what was typed so far."""


class FreePlay:
    """A `Player` on real taps. `teller` is told from its threads."""

    def __init__(self, teller: Teller, language: str) -> None:
        self._teller = teller
        self._language = language
        self._turn = threading.Lock()
        self._game: _Game | None = None

    def start(self, setup: PlaySetup) -> None:
        """Open a stage with a lane for each mode; what is sent before it is up waits."""
        self.stop()
        with self._turn:
            self._game = _Game(self._teller, self._language, setup)

    def send(self, who: str, text: str, learner: int | None, nickname: str) -> int:
        """Queue a message. LabError: it cannot be sent, or no free play is on."""
        who, text = check(who, text)
        with self._turn:
            if self._game is None:
                raise LabError(catalogue(self._language).say("run.no_play"))
            # What nobody's learner types is the teacher's: a message of the story, not somebody's own.
            return self._game.send(who, text, nickname if learner is not None else "")

    def judge(self) -> None:
        """Measure what was sent so far, in its turn."""
        with self._turn:
            if self._game is not None:
                self._game.judge()

    def stop(self) -> None:
        """End the free play that is on; what was not sent by now never is."""
        with self._turn:
            game, self._game = self._game, None
        if game is not None:
            game.end()

    def close(self) -> None:
        """The same, for good."""
        self.stop()


class _Game:
    """One free play, in threads of its own: one that takes what is typed in its turn, and one for each mode."""

    def __init__(self, teller: Teller, language: str, setup: PlaySetup) -> None:
        self._teller = teller
        self._say = catalogue(language).say
        self._setup = setup
        self._changed = threading.Condition()
        self._waiting: deque[_Typed | _Judging] = deque()
        self._numbers = count(1)
        self._ended = False
        self._stages: list[Stage] = []
        self._files = count(1)
        self._troubles: dict[Mode, str] = {}
        self._thread = threading.Thread(target=self._work, name="free-play")
        self._thread.start()

    def send(self, who: str, text: str, nickname: str) -> int:
        with self._changed:
            typed = _Typed(next(self._numbers), who, text, nickname)
            self._waiting.append(typed)
            self._changed.notify_all()
        return typed.number

    def judge(self) -> None:
        with self._changed:
            self._waiting.append(_Judging())
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            stages = list(self._stages)
            self._changed.notify_all()
        for stage in stages:
            stage.end()  # whoever waits for a process of it waits no longer
        self._thread.join()

    def _work(self) -> None:
        try:
            with ExitStack() as running:
                self._play(running)
        except Exception as error:  # noqa: BLE001 - the class goes on, and is told what this was
            self._trouble(error)
            self._refuse_what_comes()

    def _play(self, running: ExitStack) -> None:
        lanes = self._open(running)
        pool = running.enter_context(ThreadPoolExecutor(len(lanes), "mode"))
        judging = running.enter_context(ThreadPoolExecutor(1, "judging"))
        judges = Judges(lanes[0])
        running.callback(judges.close)
        running.callback(self._end_stages)  # before all others: then they have nothing to wait for
        judges.employ(MOST)
        lines = [
            _Line(mode, lane, self._setup, self._teller) for mode, lane in zip(self._setup.modes, lanes, strict=True)
        ]
        for line in lines:
            running.callback(line.close)
        self._each(pool, lines, _Line.join)
        while not self._ended:
            if not self._comes(LOOK_SECONDS):
                self._each(pool, lines, _Line.look)  # what came behind the last message
            next_one = self._next()
            if isinstance(next_one, _Judging):
                self._judge(lines, judges, judging)
            elif next_one is not None:
                self._send(next_one, pool, lines)

    def _open(self, running: ExitStack) -> list[Stage]:
        """A stage for each mode: lanes of one, where these cost little."""
        lanes: list[Stage] = []
        for _ in self._setup.modes:
            if not lanes:
                lanes = self._new_stage(running).lanes(len(self._setup.modes))
            elif len(lanes) < len(self._setup.modes):
                lanes.append(self._new_stage(running))
        for lane in lanes:
            lane.ready()
        return lanes

    def _new_stage(self, running: ExitStack) -> Stage:
        stage = running.enter_context(open_stage())
        with self._changed:
            self._stages.append(stage)
            if self._ended:
                raise LabError("the free play is over")
        return stage

    def _end_stages(self) -> None:
        for stage in self._stages:
            stage.end()

    def _comes(self, seconds: float) -> bool:
        """Whether something waits, or does within this time."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._ended or self._waiting, seconds))

    def _next(self) -> _Typed | _Judging | None:
        """Wait for what comes next. None: this is the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting)
            return None if self._ended else self._waiting.popleft()

    def _send(self, typed: _Typed, pool: ThreadPoolExecutor, lines: Sequence[_Line]) -> None:
        body, planted = plant([SecretName.BODY], lambda: tagged(typed.text))
        found: dict[Mode, Mapping[Observer, str]] = {}

        def send(line: _Line) -> None:
            found[line.mode] = line.send(typed.who, body, planted, typed.nickname)

        self._each(pool, lines, send)
        if not self._ended:
            ordered = {mode: found[mode] for mode in self._setup.modes if mode in found}
            self._teller.played(typed.number, "sent" if found else "failed", ordered, body[len(typed.text) + 1 :])

    def _each(self, pool: ThreadPoolExecutor, lines: Sequence[_Line], do: Callable[[_Line], None]) -> None:
        """Do it in all modes that work, at the same time. One that does not is out from now on, which is said."""
        working = [line for line in lines if line.works]
        done: list[Future[None]] = [pool.submit(do, line) for line in working]
        before = len(self._troubles)
        for line, future in zip(working, done, strict=True):
            try:
                future.result()
            except Exception as error:  # noqa: BLE001 - the other modes go on
                line.works = False
                self._troubles[line.mode] = self._why(error)
        if len(self._troubles) > before and not self._ended:
            self._teller.judged({}, self._said)

    def _judge(self, lines: Sequence[_Line], judges: Judges, judging: ThreadPoolExecutor) -> None:
        """Take down what there is so far, and have it judged while messages go on."""
        kept: dict[Mode, tuple[Path, tuple[Observer, ...]]] = {}
        number = next(self._files)
        for line in (line for line in lines if line.works):
            path = line.directory / f"judged-{number}-{line.mode}{capture.SUFFIX}"
            try:
                line.phones.keep_so_far(path)
            except (LabError, OSError) as error:
                self._trouble(error)
                return
            kept[line.mode] = path, line.phones.story.observers
        judging.submit(self._judged, kept, judges)

    def _judged(self, kept: Mapping[Mode, tuple[Path, tuple[Observer, ...]]], judges: Judges) -> None:
        try:
            parts = {mode: judges.judge(path, observers) for mode, (path, observers) in kept.items()}
            matrices = {mode: joined([part.result() for part in each]) for mode, each in parts.items()}
        except Exception as error:  # noqa: BLE001 - the class goes on, and is told what this was
            self._trouble(error)
            return
        finally:
            for path, _ in kept.values():
                path.unlink(missing_ok=True)
        if not self._ended:
            self._teller.judged(matrices, self._said or ("" if matrices else self._say("run.nothing_sent")))

    def _refuse_what_comes(self) -> None:
        """Nothing works: whoever types is told that it does not go out."""
        while (next_one := self._next()) is not None:
            if isinstance(next_one, _Typed):
                self._teller.played(next_one.number, "failed", {})
            else:
                self._teller.judged({}, self._say("run.nothing_sent"))

    def _trouble(self, error: Exception) -> None:
        if not self._ended:
            self._teller.judged({}, self._say("run.trouble", why=self._why(error)))

    def _why(self, error: Exception) -> str:
        cause = error.__cause__ or error
        if isinstance(cause, CertificateError):
            pinned = self._setup.pinned and self._setup.interceptor == Certificate.TRUSTED
            return self._say("run.refused_key" if pinned else "run.refused_certificate")
        return str(cause) or type(cause).__name__

    @property
    def _said(self) -> str:
        """What does not work, in a sentence for each reason."""
        modes: dict[str, list[str]] = {}
        for mode, why in self._troubles.items():
            modes.setdefault(why, []).append(mode)
        return " ".join(self._say("run.mode_trouble", modes=", ".join(names), why=why) for why, names in modes.items())


class _Line:
    """One mode: two phones, and what the observers of their session get."""

    def __init__(self, mode: Mode, lane: Stage, setup: PlaySetup, teller: Teller) -> None:
        self.mode = mode
        self.works = True
        self.directory = lane.directory
        self.phones: Phones
        self._teller = teller
        self._lane = lane
        # Without TLS there is no certificate that anybody could show in place of the service.
        interceptor = _INTERCEPTORS[setup.interceptor] if mode is not Mode.PLAINTEXT else None
        self._setting = Setting(interceptor, setup.pinned and mode is not Mode.PLAINTEXT, setup.padded)
        self._watch = Watch(lane)
        self._panes: Panes
        self._session = ExitStack()
        self._numbers = count(1)

    def join(self) -> None:
        """LabError: the phones turned back, or could not join."""
        recording = self.directory / f"play-{self.mode}{capture.SUFFIX}"
        self.phones, company = self._session.enter_context(
            set_out_phones(self._lane, self.mode, recording, self._setting)
        )
        planted = [Planted(one.name, one.value) for one in self.phones.planted]
        self._panes = Panes(self.mode, planted, self._numbers)
        try:
            self.phones.join(company)
        finally:
            self.look()

    def send(self, who: str, body: str, planted: Sequence[Secret], nickname: str) -> Mapping[Observer, str]:
        """Send it; where it can be read, with an excerpt. LabError: the conversation broke off."""
        wanted = Planted(SecretName.BODY, body.encode(), nickname)
        self._panes.look_for(wanted)
        self.phones.send_planted(who, body, planted)
        self.look()
        return self._panes.found(wanted)

    def close(self) -> None:
        """Leave the session. What it could still record is not wanted any more."""
        with suppress(LabError, OSError):
            self._session.close()

    def look(self) -> None:
        """Tell what the observers got since somebody looked. ChildError: a tap is gone."""
        if pieces := new_pieces(self._watch, self._panes, self.phones.venue):
            self._teller.seen(pieces)
