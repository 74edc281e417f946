"""`lab class`: one class with its teacher, its stage view and its learners, until Ctrl-C."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lab.addresses import is_loopback
from lab.classroom import guard
from lab.classroom.catalogue import catalogue
from lab.classroom.classroom import Classroom
from lab.classroom.documents import Replay
from lab.classroom.free_play import FreePlay
from lab.classroom.replay import Recording, ReplayRunner, open_recording
from lab.classroom.runs import LiveRunner
from lab.classroom.store import Store
from lab.classroom.web.app import create_app
from lab.classroom.web.push import KEPT, Push, Site, served
from lab.interrupt import interrupt
from lab.model import LabError
from lab.phones.serving import LOOPBACK, MAX_PORT
from lab.report.qr import print_qr
from lab.scenario.lesson import Lesson
from lab.scenario.library import ALL, chosen, require
from lab.stage.own_address import own_address

PORT = 8420
FASTEST = 1000.0

_BACKLOG = 512
_OWN_FILES = 512
"""File descriptors for everything but connections: the stage with its processes, the state."""
_MOST_CONNECTIONS = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command."""

    lessons: Sequence[str]
    language: str
    port: int | None
    lan: bool
    alone: bool
    state: Path
    new: bool
    replay: Sequence[Path]
    speed: float


def hold(asked: Asked, console: Console, progress: Callable[[str], None], pause: Callable[[], None]) -> None:
    """Hold the class until Ctrl-C, and tidy up. LabError: it cannot be set up.

    `progress` is told what happens while a person has to wait, `pause` that something else is printed.
    """
    _check(asked)
    words = catalogue(asked.language)
    progress(words.say("terminal.reading"))
    recordings = [open_recording(path, asked.language) for path in asked.replay]
    lessons = _lessons(asked, recordings)
    lan = _lan_address() if asked.lan else None
    renamed = _rename(asked.state) if asked.new else None
    known = asked.state.exists()
    with ExitStack() as stack:
        store = stack.enter_context(Store(asked.state))
        listeners = stack.enter_context(listening(store, asked.port, lan))
        port: int = listeners[0].getsockname()[1]
        url = f"http://{lan or LOOPBACK}:{port}/"
        room = Classroom(store, lessons, asked.language, alone=asked.alone, url=url)
        push = Push(room)
        _attach(asked, room, push, recordings, stack)
        limits = guard.Limits(time.monotonic)
        app = create_app(room, limits, words, asked.language)
        site = Site(app, push, guard.hosts(port, lan), limits, room, words.say)
        stack.enter_context(served(site, listeners, room=_room()))
        interrupted = stack.enter_context(interrupt())
        pause()
        if renamed is not None:
            _say(words.say("terminal.kept", path=renamed))
        _greet(asked, room, port, url, console, goes_on=known)
        select.select([interrupted], [], [])
        _say("")
        progress(words.say("terminal.ending"))
    pause()
    _say(words.say("terminal.ended", path=asked.state.resolve()))


def _check(asked: Asked) -> None:
    require(asked.language)
    if asked.alone and asked.lan:
        raise LabError("--alone is for one learner at this computer, and --lan for others: give one of them")
    if asked.port is not None and not 0 <= asked.port <= MAX_PORT:
        raise LabError(f"port {asked.port} is none; a port is a number from 1 to {MAX_PORT}, 0 for one that is free")
    if not 0 <= asked.speed <= FASTEST:
        raise LabError(f"--speed {asked.speed:g} is none; give a number from 0 (all at once) to {FASTEST:g}")


def _lessons(asked: Asked, recordings: Sequence[Recording]) -> list[Lesson]:
    """Those that were named; else those that were recorded, or all. LabError: one was named that was not recorded."""
    recorded = {one.lesson.name: one.lesson for one in recordings}
    if recorded and not asked.lessons:
        return list(recorded.values())
    lessons = list(chosen(asked.lessons or [ALL], asked.language))
    missing = [one.name for one in lessons if recorded and one.name not in recorded]
    if missing and ALL not in asked.lessons:
        raise LabError(f"--replay: {missing[0]} was not recorded; give a recording of it, or leave it out")
    return lessons


def _attach(asked: Asked, room: Classroom, push: Push, recordings: Sequence[Recording], stack: ExitStack) -> None:
    """Give the class what plays lessons, and what plays what is typed; a recording has nothing that could."""
    if recordings:
        recorded: dict[str, set[int]] = {}
        for one in recordings:
            recorded.setdefault(one.lesson.name, set()).add(one.scenario)
        replay = Replay(", ".join(one.path.name for one in recordings), asked.speed, recorded)
        player = stack.enter_context(closing(ReplayRunner(room, recordings, asked.language, asked.speed)))
        room.attach(push, player, None, replay)
        return
    runner = stack.enter_context(closing(LiveRunner(room, asked.language)))
    room.attach(push, runner, stack.enter_context(closing(FreePlay(room, asked.language))))
    runner.prepare()  # it takes some seconds, which nobody has to wait for yet


def _greet(asked: Asked, room: Classroom, port: int, url: str, console: Console, *, goes_on: bool) -> None:
    say = catalogue(asked.language).say
    here = f"http://{LOOPBACK}:{port}"
    join = f"{url}#code={room.code}"
    if asked.lan:
        _say(f"{say('terminal.lan_means')}\n")
    if asked.alone:
        lines = [("your_page", join, "")]
    else:
        lines = [("learners", url, say("terminal.join_code", code=room.code))]
        if console.is_terminal:
            print_qr(join.encode(), console, say("terminal.no_qr"))
            _say("")
    lines += [
        ("teacher", f"{here}/teacher?key={room.key}", "" if asked.alone else say("terminal.for_you")),
        ("stage", f"{here}/stage?key={room.key}", "" if asked.alone else say("terminal.for_projector")),
        ("state", str(asked.state.resolve()), say("terminal.goes_on" if goes_on else "terminal.new")),
    ]
    if asked.port is None and port != PORT:
        lines.append(("port", str(port), say("terminal.other_port", port=PORT)))
    named = [(say(f"terminal.{name}"), where, note) for name, where, note in lines]
    width = max(len(name) for name, _, _ in named)
    _say("".join(f"{name:<{width}}  {where}{f'  ({note})' if note else ''}\n" for name, where, note in named))
    if not asked.lan and not asked.alone:
        _say(say("terminal.nobody_else"))
    _say(say("terminal.hint"))


def _rename(state: Path) -> Path | None:
    """Put an old class aside; where it is now."""
    if not state.exists():
        return None
    with Store(state):
        pass  # it is a class, nobody has it open, and all of it is in this one file now
    number = 1
    while (path := state.with_name(f"{state.stem}-{number}{state.suffix}")).exists():
        number += 1
    return state.rename(path)


def _lan_address() -> str:
    """By which others in the network reach this machine."""
    try:
        address = own_address()
    except OSError:
        raise LabError("--lan: this machine is in no network; connect it to one, or leave out --lan") from None
    if is_loopback(address):
        raise LabError("--lan: this machine has no address that others could use; leave out --lan")
    return address


@contextmanager
def listening(store: Store, port: int | None, lan: str | None) -> Iterator[list[socket.socket]]:
    """Sockets that listen on loopback and at the address in the network, on the same port.

    Without a wish it is the port that this class had when it began, so that open pages find it again after a restart;
    if that is taken, one that is free. LabError: the port that is wished for is not to be had.
    """
    if port is None:
        kept = int(store.once("port", lambda: str(_free(PORT, lan))))
        port = _free(kept, lan)
    try:
        listeners = _bind(port, lan)
    except OSError as error:
        raise LabError(f"port {port} is not to be had: {error.strerror}; give another --port, or none") from error
    try:
        yield listeners
    finally:
        for one in listeners:
            one.close()


def _free(wished: int, lan: str | None) -> int:
    """The port that is wished for, or one that is free."""
    for port in (wished, 0):
        try:
            listeners = _bind(port, lan)
        except OSError:
            continue
        number: int = listeners[0].getsockname()[1]
        for one in listeners:
            one.close()
        return number
    raise LabError("no port is free on this machine; end another program")


def _bind(port: int, lan: str | None) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for host in (LOOPBACK, lan):
            if host is not None:
                listeners.append(socket.create_server((host, port), backlog=_BACKLOG))
                listeners[-1].setblocking(False)
                port = listeners[-1].getsockname()[1]
    except OSError:
        for one in listeners:
            one.close()
        raise
    return listeners


def _room() -> int:
    """How many connections there may be: two for each learner (events, and requests), and what the system allows."""
    try:
        import resource
    except ImportError:  # not on this system, which has no such limit either
        return _MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(2 * KEPT, min(_MOST_CONNECTIONS, soft - _OWN_FILES)) if soft > 0 else _MOST_CONNECTIONS


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
