"""Brings a client and the servers of the cases together: several cases at a time, a deadline for each.

A case waits for its twin. If the client does not accept that, the case would say nothing and is not tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from lab.addresses import is_here
from lab.clients.case import Attempt, Case, NotServable, Report, judge, worth_trying
from lab.clients.serving import Server, context_for, listening
from lab.model import LabError
from lab.temporary import temporary_folder

GRACE = 1.0
"""Seconds that a client has to end by itself: after its verdict is clear, and between being asked to end and killed."""
LAST_WORDS = 4096
"""Bytes of a command's output that are kept."""

HOST, PORT, CA, PROXY = "{host}", "{port}", "{ca}", "{proxy}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client is to go."""

    host: str
    """The name or address to ask for."""
    port: int
    ca: Path
    """The authorities to trust, PEM."""
    proxy: str
    """URL of a CONNECT proxy behind which every host is the server of this case."""


class Client(Protocol):
    """Something that can be told to fetch a page."""

    @property
    def takes_proxy(self) -> bool:
        """Whether it goes through the proxy, so that it can be asked for any host."""

    async def visit(self, target: Target) -> str:
        """Run until the client has ended; what it said last. Cancelling ends the client, whatever it takes."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program, started anew for each case. Arguments may hold {host}, {port}, {ca} and {proxy}."""

    arguments: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.arguments:
            raise LabError("no command; for example: lab clients -- curl --cacert {ca} https://{host}:{port}/")
        text = " ".join(self.arguments)
        if HOST not in text or PORT not in text:
            raise LabError(f"the command needs {HOST} and {PORT}, where it gets the server's name and port")
        if shutil.which(self.arguments[0]) is None:
            raise LabError(f"{self.arguments[0]}: no such program; give the command as you would start it yourself")

    @property
    def takes_proxy(self) -> bool:
        return any(PROXY in argument for argument in self.arguments)

    async def visit(self, target: Target) -> str:
        arguments = [filled_in(argument, target) for argument in self.arguments]
        said = bytearray()
        # A pipe of our own: asyncio's would make the wait for the program a wait for all that inherited its output.
        reading, writing = os.pipe()
        async with _reading(reading, said):
            try:
                process = await asyncio.create_subprocess_exec(
                    *arguments,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    start_new_session=True,  # a group of its own, so that whatever it starts can be ended with it
                )
            except OSError as error:
                return f"could not be started: {error.strerror}"
            finally:
                os.close(writing)
            try:
                status = await process.wait()
            finally:
                await _end_group(process)
        lines = said.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"exit status {status}" + (f": {last}" if last else "")


@dataclass(frozen=True, slots=True)
class Function:
    """A function of this process, which is called in a thread; it may raise to refuse.

    A thread cannot be ended from outside: one that hangs is left behind when its connections are closed under it.
    """

    call: Callable[[Target], object]
    takes_proxy: bool = False

    async def visit(self, target: Target) -> str:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        said: list[str] = []

        def run() -> None:
            try:
                self.call(target)
            except BaseException as error:  # noqa: BLE001 - a client may refuse in whatever words, also by sys.exit
                said.append(f"{type(error).__name__}: {error}")
            with contextlib.suppress(RuntimeError):  # the loop may be gone: the deadline was before
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=run, name="client", daemon=True).start()
        await done.wait()
        return said[0] if said else "it returned"


@dataclass(frozen=True, slots=True)
class Means:
    """How to go about it."""

    jobs: int
    """Cases at a time."""
    seconds: float
    """A case's deadline."""


def processors() -> int:
    """How many clients at a time: two also where there is one processor, since clients mostly wait."""
    return max(2, os.cpu_count() or 1)


def meet(client: Client, cases: Sequence[Case], means: Means, watch: Callable[[int], None] = lambda _: None) -> Report:
    """Show every case to the client. `watch` is called with the number of cases that are through."""
    return asyncio.run(_meet(client, cases, means, watch))


def filled_in(argument: str, target: Target) -> str:
    """The argument with its placeholders replaced. IPv6 addresses get brackets in a URL and before a port."""
    in_brackets = ":" in target.host and (f"//{HOST}" in argument or f"{HOST}:{PORT}" in argument)
    host = f"[{target.host}]" if in_brackets else target.host
    values = {HOST: host, PORT: str(target.port), CA: str(target.ca), PROXY: target.proxy}
    for placeholder, value in values.items():
        argument = argument.replace(placeholder, value)
    return argument


async def _meet(client: Client, cases: Sequence[Case], means: Means, watch: Callable[[int], None]) -> Report:
    tried: dict[str, Attempt | NotServable] = {}
    through = {case.name: asyncio.Event() for case in cases}
    limit = asyncio.Semaphore(means.jobs)

    async def attempt(case: Case) -> None:
        if case.twin is not None:
            await through[case.twin].wait()
        if worth_trying(case, tried):
            async with limit:
                tried[case.name] = await _try(client, case, means.seconds)
        through[case.name].set()
        watch(sum(event.is_set() for event in through.values()))

    tasks = [asyncio.create_task(attempt(case)) for case in cases]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _cancelled(*tasks)
    return judge(cases, tried)


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Until these tasks have ended, each told once: being told twice would break off the tidying that came of it."""
    for task in tasks:
        if not task.cancelling():
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _try(client: Client, case: Case, seconds: float) -> Attempt | NotServable:
    """One case, from its keys to the client's end."""
    if not client.takes_proxy and not is_here(case.host):
        return NotServable(f"the client would look for {case.host} elsewhere: give it {PROXY} too")
    with temporary_folder("lab-clients-") as directory:
        try:
            material = case.make()
            server = Server(context_for(material, directory))
        except NotServable as reason:
            return reason
        ca = directory / "ca.pem"
        ca.write_bytes(material.trusted)
        async with listening(server) as (port, proxy_port):
            return await _visit(client, Target(case.host, port, ca, f"http://127.0.0.1:{proxy_port}"), server, seconds)


async def _visit(client: Client, target: Target, server: Server, seconds: float) -> Attempt:
    """What the client did until it ended or was ended."""
    visit = asyncio.create_task(client.visit(target))
    sent = asyncio.create_task(server.sent.wait())
    try:
        await asyncio.wait([visit, sent], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if sent.done():
            await asyncio.wait([visit], timeout=GRACE)
        if not visit.done():
            return server.attempt()  # now: being ended closes its connections, which is no refusal of its own
        # The client is gone, and so are its ends of the connections: the server may not have read that yet.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.settled(), GRACE)
        return replace(server.attempt(), said=visit.result())
    finally:
        await _cancelled(visit, sent)


@contextlib.asynccontextmanager
async def _reading(descriptor: int, kept: bytearray) -> AsyncIterator[None]:
    """Read all that comes and keep the last bytes, during the block and until nobody has the other end any more."""
    stream = asyncio.StreamReader()
    with open(descriptor, "rb", buffering=0) as file:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), file
        )
        reader = asyncio.create_task(_keep_end(stream, kept))
        try:
            yield
            await asyncio.wait([reader], timeout=GRACE)
        finally:
            await _cancelled(reader)
            transport.close()


async def _keep_end(stream: asyncio.StreamReader, kept: bytearray) -> None:
    while data := await stream.read(LAST_WORDS):
        kept += data
        del kept[:-LAST_WORDS]


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """End the process and all that it started: first asked, then killed, also if there is no time to ask."""
    try:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE)
    finally:
        _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
        os.killpg(process.pid, number)
