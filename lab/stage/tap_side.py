"""What runs inside a tap, in mitmproxy's own process: the recorder, the control channel, marks on flows.

An addon that raises stops nothing in mitmproxy: the client still gets its answer. A measuring instrument must not
lose that, so every hook is wrapped by `recorded`, which writes the failure into the tap's own record.

Control channel (only with `--set lab_control=true`): one JSON object a line. The tap prints {"ready": {}} once it
runs; each command read from standard input is answered by one line, {"ok": …} or {"error": "…"}:

    {"listen": {"mode": ["reverse:tcp://127.0.0.1:4242@127.0.0.1:0"], …}}   set options, answer the bound addresses
    {"begin": "FILE"}                                                      start a recording in FILE
    {"checkpoint": {}}              note that all is recorded up to here, answer how many bytes the recording has
    {"flush": {}}                   the same without a note, for whoever looks on while it grows
    {"end": SECONDS}                wait (at most so long) until all connections have ended, then close the recording
    {"settle": {"quiet": S, "seconds": S}}   as "end", but connections may stay open, once nothing came for S seconds;
                                             answer how many do
    {"cut": {}}                              end all connections that are open
    {"secrets": ["NAME=VALUE", …]}                                         mark flows in which one of these is readable
    {"page": {}}                                                           answer the address of mitmweb's page
    {"act": {…}}                                          for the addon of an attacker: what it is to do from now on

The end of standard input ends the tap, so a parent that was killed leaves no tap behind.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mitmproxy import ctx, exceptions, flow
from mitmproxy.addonmanager import Loader

from lab import capture, private
from lab.model import Direction, Event, LabError, Note, Observation, Observer, Secret, SecretName

CUT_SECONDS = 5.0
"""A guard: a connection that was cut ends at once."""


class Recorder:
    """Numbers connections and writes what the observer got; keeps nothing that it has written."""

    def __init__(self, observer: Observer, beside: Recorder | None = None) -> None:
        """`beside` is the recorder of another observer that sits in the same process; both write into one file."""
        self.observer = observer
        self._beside = beside
        self._file: TextIO | None = None
        self._numbers: dict[str, str] = {}
        self._open: set[str] = set()
        self._count = 0
        self._seen = 0
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    def begin(self, path: Path) -> None:
        """Start a new recording. OSError where the file cannot be made; an existing one is never overwritten."""
        descriptor = private.create(path)
        self.close()
        file = os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")
        for one in self._all:
            one._file = file
            one._numbers.clear()
            one._count = 0
            one._seen = 0

    def checkpoint(self) -> int:
        """Note that everything up to here is recorded, and see that it is in the file: its first so many bytes."""
        if self._file is None:
            raise LabError("nothing is being recorded")
        self._note_how_many(Event.CHECKPOINT)
        return self.flush()

    def flush(self) -> int:
        """See that what was recorded up to here is in the file: its first so many bytes."""
        if self._file is None:
            raise LabError("nothing is being recorded")
        self._file.flush()
        return os.fstat(self._file.fileno()).st_size

    async def end(self, seconds: float) -> None:
        """Wait until every connection has ended, note the end of the segment, close the recording.

        TimeoutError if a connection stays open; the recording is closed all the same, without the note.
        """
        try:
            await self.all_ended(seconds)
            self._note_how_many(Event.SEGMENT)
        finally:
            self.close()

    async def settle(self, quiet: float, seconds: float) -> int:
        """Close the recording once every connection has ended, or nothing more has come for `quiet` seconds.

        Waits `seconds` at most. The answer is how many connections are still open; the record is complete up to here.
        """
        latest = time.monotonic() + seconds
        while self._open and time.monotonic() < latest:
            seen = [one._seen for one in self._all]
            with suppress(TimeoutError):
                async with asyncio.timeout(quiet):
                    await self._all_ended.wait()
            if seen == [one._seen for one in self._all]:
                break
        self._note_how_many(Event.CHECKPOINT if self._open else Event.SEGMENT)
        self.close()
        return len(self._open)

    async def all_ended(self, seconds: float) -> None:
        """Wait until no connection is open. TimeoutError."""
        async with asyncio.timeout(seconds):
            await self._all_ended.wait()

    def close(self) -> None:
        if self._file is not None:
            file = self._file
            for one in self._all:
                one._file = None
            file.close()

    def opened(self, connection: str, peer: str) -> None:
        self._count += 1
        self._numbers[connection] = str(self._count)
        self._open.add(connection)
        self._all_ended.clear()
        self._note(Event.OPENED, self._numbers[connection], peer)

    def ended(self, connection: str, error: str = "") -> None:
        self._note(Event.BROKEN if error else Event.CLOSED, self._numbers.get(connection, ""), error)
        self._open.discard(connection)
        if not self._open:
            self._all_ended.set()

    def broken(self, connection: str, error: str) -> None:
        """Something went wrong on a connection that goes on."""
        self._note(Event.BROKEN, self._numbers.get(connection, ""), error)

    def refused(self, connection: str, how: str) -> None:
        """The client did not want to go on with a connection, which has still to end."""
        self._note(Event.REFUSED, self._numbers.get(connection, ""), how)

    def got(
        self, connection: str, place: str, direction: Direction, moment: float, data: bytes, exchange: int = 0
    ) -> None:
        """Record one observation; `connection` is mitmproxy's id of it."""
        self._seen += 1
        if self._file is not None:
            number = self._numbers.get(connection, "")
            self._file.write(capture.observation_line(self.observer, place, number, direction, moment, data, exchange))

    def failed(self, detail: str) -> None:
        self._note(Event.FAILED, detail=detail)

    @property
    def _all(self) -> tuple[Recorder, ...]:
        return (self._beside, self) if self._beside else (self,)

    def _note_how_many(self, event: Event) -> None:
        for one in self._all:
            one._note(event, detail=str(one._seen))

    def _note(self, event: Event, connection: str = "", detail: str = "") -> None:
        if self._file is not None:
            self._file.write(capture.encode(Note(self.observer, event, time.time(), connection, detail)))


def recorded[**P, R](hook: Callable[P, R]) -> Callable[P, R]:
    """Wrap a hook of a `Tap` so that its failure stands in the record; mitmproxy logs it besides."""

    @functools.wraps(hook)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            tap = args[0]
            if isinstance(tap, Tap):
                tap.recorder.failed(f"{hook.__name__}: {type(error).__name__}: {error}")
            raise

    return wrapped


class Tap:
    """Base of the observers' addons: options, control channel, marks. The hooks are the subclass's."""

    def __init__(self, observer: Observer) -> None:
        self.recorder = Recorder(observer)
        self.interactive = True
        """True if a person looks at the flows, so they must be kept and marked."""
        self._secrets: tuple[Secret, ...] = ()

    def load(self, loader: Loader) -> None:
        loader.add_option("lab_record", str, "", "Write what this observer gets into this new file (JSON lines).")
        loader.add_option(
            "lab_secret",
            Sequence[str],
            [],
            "NAME=VALUE: mark and comment each flow in which VALUE is readable, however it is encoded. Repeatable. "
            f"NAME is one of {', '.join(SecretName)}.",
        )
        loader.add_option("lab_control", bool, False, "Take commands from standard input (used by the lab itself).")

    def configure(self, updated: set[str]) -> None:
        # Kept, because mitmproxy copies an option whenever it is read, which is too slow for every message.
        has_view = ctx.master.addons.get("view") is not None  # type: ignore[no-untyped-call]
        self.interactive = has_view or not ctx.options.lab_control
        if "lab_secret" in updated:
            self._secrets = tuple(_secret(text) for text in ctx.options.lab_secret)
        if "lab_record" in updated and ctx.options.lab_record:
            try:
                self.recorder.begin(Path(ctx.options.lab_record))
            except OSError as error:
                raise refused(f"lab_record: {ctx.options.lab_record}: {error.strerror}") from None

    def running(self) -> None:
        if ctx.options.lab_control:
            Control(self, asyncio.get_running_loop()).start()

    def done(self) -> None:
        self.recorder.close()

    def act(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the lesson tells an attacker to do; the answer is for the parent. LabError: it cannot do that."""
        raise LabError("this addon only reads")

    def mark(self, subject: flow.Flow, observations: Sequence[Observation]) -> None:
        """Mark and comment `subject` with the planted secrets that are readable in `observations`."""
        if not self._secrets:
            return
        from lab import detect  # not at start-up: the taps of a run only record

        found = dict.fromkeys(
            finding.sentence for finding in detect.find(self._secrets, observations, detect.RECORD).findings
        )
        if found:
            subject.marked = ":eyes:"
            subject.comment = "; ".join(found)


def _secret(text: str) -> Secret:
    from lab import detect

    name, _, value = text.partition("=")
    if name not in list(SecretName) or not value:
        raise refused(f"lab_secret: {text!r} is not NAME=VALUE with NAME one of {', '.join(SecretName)}")
    try:
        secret = Secret(SecretName(name), value.encode())
        detect.find([secret], [])
    except ValueError as error:
        raise refused(f"lab_secret: {error}") from None
    return secret


def refused(why: str) -> exceptions.OptionsError:
    """What `configure` raises for an option that makes no sense."""
    return exceptions.OptionsError(why)  # type: ignore[no-untyped-call]


class Control:
    """The parent's side of standard input and output. Output is written by this class alone."""

    def __init__(self, tap: Tap, loop: asyncio.AbstractEventLoop) -> None:
        self._tap = tap
        self._recorder = tap.recorder
        self._loop = loop
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def start(self) -> None:
        # A thread, because asyncio cannot watch standard input on every platform.
        threading.Thread(target=self._read, name="lab-control", daemon=True).start()
        self._task = self._loop.create_task(self._serve())

    def _read(self) -> None:
        for line in sys.stdin:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, line)
        self._loop.call_soon_threadsafe(self._queue.put_nowait, "")

    async def _serve(self) -> None:
        self._say({"ready": {}})
        while line := await self._queue.get():
            try:
                self._say({"ok": await self._do(json.loads(line))})
            except Exception as error:  # noqa: BLE001 - the parent decides; the tap must go on answering
                self._say({"error": str(error) or type(error).__name__})
        ctx.master.shutdown()  # type: ignore[no-untyped-call]

    async def _do(self, command: dict[str, Any]) -> dict[str, Any]:
        match command:
            case {"listen": dict(options)}:
                return await _listen(options)
            case {"begin": str(path)}:
                self._recorder.begin(Path(path))
                return {}
            case {"checkpoint": {}}:
                return {"bytes": self._recorder.checkpoint()}
            case {"flush": {}}:
                return {"bytes": self._recorder.flush()}
            case {"secrets": list(secrets)}:
                ctx.options.update(lab_secret=secrets)  # type: ignore[no-untyped-call]
                return {}
            case {"page": {}}:
                return {"url": ctx.master.web_url}  # type: ignore[attr-defined]
            case {"act": dict(orders)}:
                return self._tap.act(orders)
            case {"end": float(seconds) | int(seconds)}:
                await self._recorder.end(seconds)
                return {}
            case {"settle": {"quiet": float(quiet) | int(quiet), "seconds": float(seconds) | int(seconds)}}:
                return {"open": await self._recorder.settle(quiet, seconds)}
            case {"cut": {}}:
                _cut()
                await self._recorder.all_ended(CUT_SECONDS)
                return {}
        raise LabError(f"a tap knows no command {command}")

    @staticmethod
    def _say(answer: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _cut() -> None:
    """End all connections, as mitmproxy does with one that has been silent for too long."""
    for handler in ctx.master.addons.get("proxyserver").connections.values():  # type: ignore[no-untyped-call]
        transport = handler.transports.get(handler.client)
        if transport is not None and transport.handler is not None:
            transport.handler.cancel("cut")


async def _listen(options: dict[str, Any]) -> dict[str, Any]:
    ctx.options.update(**options, server=True)  # type: ignore[no-untyped-call]
    server = ctx.master.addons.get("proxyserver")  # type: ignore[no-untyped-call]
    # What it answers is of no use: changing the options has set them up already, and then there is nothing to do.
    await server.setup_servers()
    if failed := [str(one.last_exception) for one in server.servers if not one.is_running]:
        raise LabError("; ".join(failed))
    return {"addresses": [list(address[:2]) for address in server.listen_addrs()]}
