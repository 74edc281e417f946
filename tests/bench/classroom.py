"""A class of many learners: `python -m tests.bench.classroom`.

The class is served by a process of its own, as `lab class` does it; in place of a stage there is a runner that tells at
once what the lesson claims, since a run takes the same time for one learner as for many. Each learner has two real
connections: one for the events, one for the requests. All of them are in this process, on the same processors.

1. Everybody votes within ten seconds: each cell is a request of its own, and so is the reason. Then the result is
   revealed: how long until the learners have it?
2. A new question; in the middle of the voting the command is killed (SIGKILL) and started again. Is every vote there
   that was acknowledged, and each one once?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import measure
from tests.classroom.prepared import LOOPBACK, held, lessons

TARGET_SECONDS = 1.0
VOTING_SECONDS = 10.0
CELLS = 6
LESSON = "tour"
EXPOSURES = ("exposed", "inferred", "hidden")
GUARD_SECONDS = 120.0
"""Nothing here takes so long."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="A class in which everybody votes within ten seconds (target: 99 % see the reveal within 1 s)"
    )
    parser.add_argument("--learners", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, metavar=("STATE", "PORT"), help=argparse.SUPPRESS)
    if "--serve" in sys.argv:
        return _serve(*parser.parse_args().serve)
    return measure.run(_measure, parser)


def _serve(state: str, port: str) -> int:
    with held(Path(state), lessons(LESSON), port=int(port), connections=4096) as served:
        measure.say(json.dumps({"port": served.port, "code": served.room.code, "key": served.room.key}))
        sys.stdin.read()
    return 0


@dataclass(frozen=True, slots=True)
class Served:
    """A running class."""

    process: subprocess.Popen[str]
    port: int
    code: str
    key: str

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def _started(state: Path, port: int = 0) -> Iterator[Served]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.classroom", "--serve", str(state), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout
            yield Served(process, **json.loads(process.stdout.readline()))
        finally:
            process.kill()


class Wire:
    """Requests on one connection that is kept open; it is opened again where the service has gone."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self._port = port
        self.cookie = cookie
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, data: Any = None) -> tuple[int, dict[str, str], bytes]:
        """ConnectionError: nobody knows whether it was done."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(LOOPBACK, self._port)
            reader, writer = self._streams
            writer.write(self.head(method, path, data))
            status, headers = await _head(reader)
            return status, headers, await reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise ConnectionError(path) from error

    def head(self, method: str, path: str, data: Any = None) -> bytes:
        body = b"" if data is None else json.dumps(data).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {LOOPBACK}:{self._port}", f"Cookie: {self.cookie}"]
        if data is not None:
            lines += [f"Origin: http://{LOOPBACK}:{self._port}", "Content-Type: application/json"]
            lines += [f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers


@dataclass
class Pupil:
    """One learner with a phone, who sends again what was not acknowledged."""

    number: int
    port: int
    wire: Wire
    phase: str = ""
    frame: bytes = b""
    seen: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0
    again: int = 0

    async def join(self, code: str) -> None:
        status, headers, body = await self.wire.ask(
            "POST", "/api/join", {"code": code, "nickname": f"Kim {self.number}"}
        )
        if status != 201:
            raise AssertionError(body)
        self.wire.cookie = headers["set-cookie"].partition(";")[0]

    async def listen(self) -> None:
        """Follow the events, and connect again as a browser does."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
                try:
                    writer.write(self.wire.head("GET", "/events?face=learner"))
                    if (await _head(reader))[0] == 200:
                        await self._follow(reader)
                finally:
                    writer.close()
            await _pause(1.0)

    async def _follow(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while size := int(await reader.readline() or b"0", 16):  # or it was killed
            *frames, rest = (rest + await reader.readexactly(size)).split(b"\n\n")
            await reader.readexactly(2)
            for frame in frames:
                if frame.startswith(b"event: state"):
                    self._saw(frame)

    def _saw(self, frame: bytes) -> None:
        _, _, behind = frame.partition(b'"phase":"')
        phase = behind[:10].partition(b'"')[0].decode()
        if phase != self.phase:
            self.phase, self.seen, self.frame = phase, time.perf_counter(), frame
            self.changed.set()

    async def sees(self, phase: str) -> None:
        while self.phase != phase:
            self.changed.clear()
            await self.changed.wait()

    async def vote(self, question: int, cells: list[str], draw: random.Random) -> None:
        moments = sorted(draw.uniform(0, VOTING_SECONDS) for _ in range(len(cells) + 1))
        begun = time.perf_counter()
        for moment, cell in zip(moments, [*cells, ""], strict=True):
            await _pause(max(0.0, begun + moment - time.perf_counter()))
            said = {cell: draw.choice(EXPOSURES)} if cell else {}
            data = {"question": question, "round": 1, "predictions": said}
            if not cell:
                data["reason"] = f"because {self.number}"
            await self._send(data)
            self.acknowledged |= said

    async def _send(self, data: dict[str, Any]) -> None:
        while True:
            begun = time.perf_counter()
            try:
                status, _, body = await self.wire.ask("PUT", "/api/answers", data)
            except ConnectionError:
                self.again += 1
                await _pause(0.5)
                continue
            if status != 200:
                raise AssertionError(body)
            self.slowest = max(self.slowest, time.perf_counter() - begun)
            return


async def _pause(seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


def _measure(options: argparse.Namespace) -> None:
    measure.say("  the runner tells what the lesson claims; learners and service share the processors")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(asyncio.wait_for(_class(Path(folder) / "class.sqlite", options), GUARD_SECONDS * options.rounds))


async def _class(state: Path, options: argparse.Namespace) -> None:
    draw = random.Random(1)  # noqa: S311 - the same class each time
    with _started(state) as served:
        pupils = [Pupil(number, served.port, Wire(served.port)) for number in range(options.learners)]
        before = measure.resident_kibibytes(served.process.pid)
        async with asyncio.TaskGroup() as group:
            for one in pupils:
                group.create_task(one.join(served.code))
        teacher = Wire(served.port, f"teacher={served.key}")
        listening = [asyncio.create_task(one.listen()) for one in pupils]
        await _all_see(pupils, "lobby")
        _memory(f"  {len(pupils)} joined and connected", served, before)
        for _ in range(options.rounds):
            await _lesson(served, teacher, pupils, draw, before)
        question, cells = await _ask(teacher, pupils)
        voting = [asyncio.create_task(one.vote(question, cells, draw)) for one in pupils]
        await _pause(VOTING_SECONDS / 2)
        served.kill()
        so_far = sum(len(one.acknowledged) for one in pupils)
        begun = time.perf_counter()
        with _started(state, served.port) as again:
            measure.say(
                f"  killed after {so_far} acknowledged votes; again there after {time.perf_counter() - begun:.1f} s"
            )
            await asyncio.gather(*voting)
            teacher.close()
            await _compare(teacher, pupils)
            _memory("  in the end", again, before)
            for one in listening:
                one.cancel()


async def _lesson(served: Served, teacher: Wire, pupils: list[Pupil], draw: random.Random, before: int) -> None:
    question, cells = await _ask(teacher, pupils)
    used = measure.processor_seconds(served.process.pid) or 0.0
    begun = time.perf_counter()
    for one in pupils:
        one.slowest = 0.0
    async with asyncio.TaskGroup() as group:
        for one in pupils:
            group.create_task(one.vote(question, cells, draw))
    took = time.perf_counter() - begun
    processor = (measure.processor_seconds(served.process.pid) or 0.0) - used
    slowest = sorted(one.slowest for one in pupils)
    votes = len(pupils) * (len(cells) + 1)
    measure.say(
        f"  {votes} requests in {took:.1f} s: processor {processor / took:.0%} of one core; the slowest of each "
        f"learner: median {slowest[len(slowest) // 2] * 1000:.0f} ms, at most {slowest[-1] * 1000:.0f} ms"
    )
    for action in ("close", "run", "rest"):
        await _act(teacher, action)
    await _all_see(pupils, "run")
    revealed = time.perf_counter()
    await _act(teacher, "reveal")
    await _all_see(pupils, "reveal")
    delays = sorted(one.seen - revealed for one in pupils)
    most = delays[max(0, -(-len(delays) * 99 // 100) - 1)]
    measure.say(
        f"  revealed: 99 % have it after {most * 1000:.0f} ms, all after {delays[-1] * 1000:.0f} ms "
        f"({most / TARGET_SECONDS:.0%} of what it may take)"
    )
    _memory("  then", served, before)


async def _ask(teacher: Wire, pupils: list[Pupil]) -> tuple[int, list[str]]:
    _, _, body = await teacher.ask("GET", "/api/lessons")
    found = json.loads(body)[0]
    cells: list[str] = found["scenarios"][0]["cells"][:CELLS]
    await _act(teacher, "pick", lesson=found["name"], scenario=0, cells=cells)
    await _act(teacher, "open")
    await _all_see(pupils, "first")
    for one in pupils:
        one.acknowledged.clear()
    state = json.loads(pupils[0].frame.partition(b"data: ")[2])
    return state["question"]["id"], cells


async def _act(teacher: Wire, action: str, **arguments: Any) -> None:
    status, _, body = await teacher.ask("POST", "/api/act", {"action": action, **arguments})
    if status != 200:
        raise AssertionError(body)


async def _all_see(pupils: list[Pupil], phase: str) -> None:
    await asyncio.gather(*(one.sees(phase) for one in pupils))


async def _compare(teacher: Wire, pupils: list[Pupil]) -> None:
    """What each learner was told that it is kept, and what the class has counted."""
    lost = 0
    for one in pupils:
        _, _, body = await one.wire.ask("GET", "/api/me")
        kept = json.loads(body)["predictions"]
        lost += sum(kept.get(cell) != said for cell, said in one.acknowledged.items())
    acknowledged = sum(len(one.acknowledged) for one in pupils)
    measure.say(
        f"  {acknowledged} votes acknowledged, {sum(one.again for one in pupils)} sent again: {lost} lost; "
        f"{await _counted(teacher)} counted"
    )


async def _counted(teacher: Wire) -> int:
    """How many votes on the last question there are in what the teacher can export."""
    _, _, body = await teacher.ask("GET", "/export/class.json")
    answers = json.loads(body)["questions"][-1]["answers"]
    return sum(len(one["predictions"]) for answer in answers for one in answer["rounds"].values())


def _memory(what: str, served: Served, before: int) -> None:
    now = measure.resident_kibibytes(served.process.pid)
    measure.say(f"{what}: {now / 1024:.0f} MiB resident ({(now - before) / 1024:+.0f} MiB since the start)")


if __name__ == "__main__":
    raise SystemExit(main())
