"""An audit: secrets, an observation of some traffic, and what can be said about it afterwards.

    audit = Audit(taps, folder, "chat")
    body = audit.secret("body")
    with audit.observe("http://127.0.0.1:8000") as lab:
        send_and_receive(lab.url, text=body)
        lab.confirm(body)
    lab.network.hides(body)

The block is what is observed. Everything is judged after it, from the capture, by the same detector and the same
controls as the lab's own lessons. What passes before or after the block, or around the taps, nobody can see: a block
should hold the one exchange that the test is about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from lab import capture as captures
from lab import detect
from lab.audit import planting, words
from lab.audit.canary import Canary, Draw, canary
from lab.audit.environment import environment
from lab.audit.facts import METHODS, Fact, fact
from lab.audit.judging import (
    FOR_CLIENTS,
    FOR_DEVICES,
    Confirmed,
    Seen,
    both,
    in_tunnel,
    judge,
    network_view,
    server_view,
)
from lab.audit.sizes import Sent, infer_size
from lab.audit.stored import Watched, watch
from lab.audit.table import differences, markdown, read_table, write_table
from lab.audit.taps import Post, Posts, Route
from lab.audit.target import target
from lab.model import (
    Capture,
    Cell,
    Direction,
    Event,
    Exposure,
    LabError,
    LeakMatrix,
    Mode,
    Note,
    Observation,
    Observer,
    Story,
)
from lab.record import Record


class LeakError(AssertionError):
    """A verdict is not what was asserted. The text says where the secret was read, or why it is said to be hidden."""


class UndecidedError(Exception):
    """Nothing can be said, because a control is missing. The text says which one, and what to do."""


class Audit:
    """Secrets and observations that belong together, such as those of one test. Threads may share one."""

    def __init__(self, taps: Callable[[], Posts[Any]], folder: Path, name: str, home: Path | None = None) -> None:
        """`taps` gives the taps when they are first needed. Captures are kept in `folder`; `name` stands in reports.

        Tables that `matches` is asked for are in the folder `home`.
        """
        self.name = name
        self.folder = folder
        self.update = False
        """Write tables anew instead of comparing them."""
        self.observations: list[Window] = []
        self._taps = taps
        self._home = home or Path.cwd()
        self._secrets: dict[str, Canary] = {}
        self._facts: dict[str, Fact] = {}
        self._turn = Lock()

    @property
    def file_name(self) -> str:
        """The name, as files may have it."""
        return re.sub(r"[^\w.-]+", "-", self.name).strip("-") or "audit"

    @property
    def secrets(self) -> Mapping[str, Canary]:
        """The secrets so far, by name."""
        return dict(self._secrets)

    def secret(self, name: str, value: str | None = None, *, draw: Draw | None = None) -> Canary:
        """Plant a secret: a text to be sent, stored or typed, new each time. Decoys are drawn like it.

        `draw` gives texts of a shape of your own (an e-mail address, say), with chance enough in each. `value` is for
        what cannot be chosen. LabError: the name is taken, or the value too ordinary to be told from what others write.
        """
        made = canary(name, value, draw)
        with self._turn:
            if name in self._secrets:
                raise LabError(f"there is a secret {name!r} already; give each one a name of its own")
            self._secrets[name] = made
        return made

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What is to be worked out, by the name of its row."""
        return dict(self._facts)

    def infer(self, secret: str, *kinds: str) -> tuple[str, ...]:
        """Judge, too, whether the "size" or the "time" of a secret comes out without reading it, each in a row.

        The rows are called `size of NAME`; the answer is their names, for `infers` and `hides`. The observers work it
        out from other texts, each of which is confirmed before the next one is sent. LabError: nothing else comes out.
        """
        made = [fact(kind, self.named(secret).name) for kind in kinds or METHODS]
        with self._turn:
            self._facts.update((one.row, one) for one in made)
        return tuple(one.row for one in made)

    def observe(
        self,
        url: str | None = None,
        *,
        tls: bool = False,
        end_tls: bool = True,
        service_ca: str | Path | None = None,
    ) -> Window:
        """Taps before the service at `url`; without one, an explicit proxy to wherever the client goes.

        `url`: http, https, ws, wss or tcp. `tls`: the taps speak TLS with the lab's authority, though the service
        does not. `end_tls=False`: leave the service's own TLS alone; there is no server view then. `service_ca` is a
        file with the authority by which the certificate of the service is checked; a service on this machine is not
        checked without one.
        """
        aim = target(url) if url is not None else None
        if aim is not None and not aim.http and (tls or not end_tls):
            raise LabError("what is not HTTP is relayed as it is: tcp:// goes without tls and end_tls")
        read = aim is None or (aim.http and (end_tls or not aim.tls))
        ends = read and aim is not None and (tls or aim.tls)
        return self._observe(Route(aim, ends, read, _file(service_ca)))

    def observe_device(self, *, service_ca: str | Path | None = None) -> Window:
        """What comes through the tunnel, if that is what the taps are (lab/audit/tunnel.py)."""
        return self._observe(Route(None, True, True, _file(service_ca), tunnel=True))

    def _observe(self, route: Route) -> Window:
        with self._turn:
            window = Window(self, self._taps, route, len(self.observations) + 1)
            self.observations.append(window)
        return window

    def named(self, secret: str) -> Canary:
        """The secret of this name, or this secret. LabError: it was never planted here."""
        found = self._secrets.get(secret.name if isinstance(secret, Canary) else secret)
        if found is None:
            known = ", ".join(self._secrets) or "none so far"
            raise LabError(f"{secret!r} is no secret of this audit: plant it with secret(NAME); known: {known}")
        return found

    def table(self, path: str | Path) -> Path:
        return self._home / path


class Window:
    """One observation: between entering and leaving it as a context manager (`with`, `async with`)."""

    def __init__(self, audit: Audit, taps: Callable[[], Posts[Any]], route: Route, number: int) -> None:
        self._audit = audit
        self._taps_wanted = taps
        self._route = route
        self._number = number
        self._taps: Posts[Any] | None = None
        self._pair: Post | None = None
        self._address = ("", 0)
        self._started = 0.0
        self._confirmed: dict[str, float] = {}
        self._watched: dict[str, Watched] = {}
        self._capture: Capture | None = None
        self._matrix: LeakMatrix | None = None
        self._asked: tuple[str, ...] = ()
        self._at_rest: list[Seen] = []
        self._looked: dict[Observer, tuple[int, list[Observation]]] = {}
        self.surprises: list[tuple[Cell, Exposure]] = []
        """The verdicts that were not as asserted, each with what was expected."""

    # What a client needs

    @property
    def url(self) -> str:
        """Where the client is to connect instead of the service's own URL; "" for an explicit proxy."""
        self._opened()
        return self._route.target.seen_at(self._address, tls=self._route.ends_tls) if self._route.target else ""

    @property
    def host(self) -> str:
        """Where the taps listen."""
        return self._opened()[0]

    @property
    def port(self) -> int:
        return self._opened()[1]

    @property
    def proxy(self) -> str:
        """The address of the explicit proxy; "" where the taps stand before one service."""
        host, port = self._opened()
        return "" if self._route.target or self._route.tunnel else f"http://{host}:{port}"

    @property
    def ca(self) -> str:
        """A file (PEM) with the lab's authority, for the client to trust."""
        self._opened()
        return str(self._known_taps().authority)

    @property
    def env(self) -> dict[str, str]:
        """What a program must find in its environment: the lab's authority, and the proxy if there is one.

        Add it to what the program gets anyway: `env={**os.environ, **lab.env}`.
        """
        return environment(self.ca, self.url, self.proxy, self._audit.secrets)

    # What the test says

    def confirm(self, *secrets: str) -> None:
        """The recipient got them: you have seen it. Without this nothing is ever hidden."""
        if self._pair is None:
            raise LabError("confirm(secret) belongs into the block, right after the recipient got it")
        for secret in secrets:
            self._confirmed.setdefault(self._audit.named(secret).name, time.time())

    def watch(self, path: str | Path, name: str | None = None) -> View:
        """Take a file, folder or SQLite database for another observer: whoever gets hold of the storage.

        Call it before the traffic: a path in which nothing changes proves nothing. It is read when the block ends.
        """
        if self._capture is not None:
            raise LabError("watch(path) belongs before the traffic: the block has ended")
        watched = watch(Path(path).absolute(), name)
        if watched.name in (Observer.NETWORK, Observer.SERVER, *self._watched):
            raise LabError(f"there is an observer {watched.name!r} already: watch(path, name) takes another name")
        self._watched[watched.name] = watched
        return View(self, watched.name)

    @property
    def network(self) -> View:
        """Who is on the path and has no key."""
        return View(self, Observer.NETWORK)

    @property
    def server(self) -> View:
        """Who operates the service: what its front end reads once TLS has ended."""
        if not self._route.read:
            raise LabError("nobody reads here what the server reads: the taps relay bytes (tcp, or end_tls=False)")
        return View(self, Observer.SERVER)

    def matches(self, path: str | Path) -> None:
        """Compare everything with the table below the heading NAME OF THE TEST in a Markdown file.

        UndecidedError: a cell cannot be decided. LeakError shows a new leak and one that has gone. To write the file:
        pytest --leaklab-update, lab audit --update.
        """
        __tracebackhide__ = True
        matrix, file = self.matrix, self._audit.table(path)
        heading = self._audit.name + (f" ({self._number})" if self._number > 1 else "")
        try:
            text = file.read_text("utf-8") if file.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"{file}: the table cannot be read: {error}") from None
        expected = read_table(text, str(file), heading)
        for cell in matrix.cells:
            if cell.exposure is Exposure.INCONCLUSIVE:
                self.surprises.append((cell, (expected or {}).get((cell.secret, cell.observer), Exposure.HIDDEN)))
                raise UndecidedError(self._undecided(cell))
        if self._audit.update:
            file.write_text(write_table(text, matrix, heading), "utf-8")
            return
        if expected is None:
            raise LeakError(
                f"{file} has no table below a heading “{heading}”: write it with --leaklab-update, then read it.\n"
                + "\n".join(markdown(matrix))
            )
        if lines := differences(expected, matrix):
            odd = [
                (cell, before)
                for cell in matrix.cells
                if (before := expected.get((cell.secret, cell.observer))) not in (None, cell.exposure)
            ]
            self.surprises += odd
            evidence = "\n".join(
                self.explain(cell, before)
                for cell, before in odd
                if cell.exposure in (Exposure.EXPOSED, Exposure.INFERRED)
            )
            raise LeakError(
                f"{file}, “{heading}”: the table is not what was measured\n"
                + "\n".join(f"  {line}" for line in lines)
                + (f"\n{evidence}" if evidence else "")
                + "\nIf this is how it should be: pytest --leaklab-update writes the table."
            )

    # What came out

    @property
    def capture(self) -> Path:
        """The file with everything that was recorded: `lab scan` and `lab export` read it."""
        return self._audit.folder / f"{self._audit.file_name}-{self._number}{captures.SUFFIX}"

    @property
    def ended(self) -> bool:
        """The block has ended, and nothing went wrong in it: there is something to judge."""
        return self._capture is not None

    @property
    def matrix(self) -> LeakMatrix:
        """Who could read what. LabError: the block has not ended."""
        if self._capture is None:
            raise LabError("the block is still open, or has failed: what was observed is judged after it")
        asked = (*self._audit.secrets, *self._audit.facts)
        if self._matrix is None or self._asked != asked:
            self._matrix, self._asked = self._judged(self._capture), asked
        return self._matrix

    def explain(self, cell: Cell, expected: Exposure) -> str:
        """A verdict that was not expected, with all that is needed to find the leak."""
        assert self._capture is not None  # noqa: S101 - there is no cell without one
        known = self._audit.facts.get(cell.secret)
        value = self._audit.named(known.secret if known else cell.secret)
        answers = [
            one for one in self.matrix.inferences if (one.row, one.observer) == (cell.secret, cell.observer) and known
        ]
        return words.surprise(cell, value, expected, self._capture, str(self.capture), answers)

    def check(self, observer: str, expected: Exposure, secret: str) -> None:
        """LeakError, UndecidedError: what is measured is not as expected."""
        __tracebackhide__ = True
        cell = self.matrix.get(secret if self.is_fact(secret) else self._audit.named(secret).name, observer)
        if cell is None:
            raise LabError("sizes and times are worked out from what passes: ask lab.network or lab.server")
        if cell.exposure is expected:
            return
        self.surprises.append((cell, expected))
        if cell.exposure is Exposure.INCONCLUSIVE:
            raise UndecidedError(self._undecided(cell))
        raise LeakError(self.explain(cell, expected))

    def is_fact(self, row: str) -> bool:
        return row in self._audit.facts

    def check_size(self, observer: str, secret: str) -> None:
        """LeakError: it is hidden. UndecidedError: its size does not come out, or a control is missing."""
        __tracebackhide__ = True
        name = self._audit.named(secret).name
        if observer not in (Observer.NETWORK, Observer.SERVER):
            raise LabError("sizes are worked out from what passes: ask lab.network or lab.server")
        _ = self.matrix.cell(name, observer)
        assert self._capture is not None  # noqa: S101 - there is no matrix without one
        general = [one for one in self.matrix.controls if one.name == "recorded" and one.observer == observer]
        general += [one for one in self.matrix.controls if one.name == "travelled" and one.secret == name]
        failed = next((one for one in general if not one.passed), None)
        control, answer = (
            (failed, None) if failed else infer_size(Record(self._capture, Observer(observer)), self._sent(), name)
        )
        about = f"the size of {name} cannot be worked out at {observer}"
        if answer is None:
            raise UndecidedError(f"{about}: control {control.name!r} failed: {control.detail}")
        if answer.alike is not None:
            least, greatest = answer.alike
            raise LeakError(f"{about}: texts of {least} and of {greatest} bytes look exactly the same, so it is hidden")
        if not answer.holds:
            raise UndecidedError(
                f"{about}: estimated {answer.estimate:.0f} where {answer.truth:.0f} is true (bytes; without any record "
                f"one would say {answer.guess}). That proves nothing: a better method may do it."
            )

    def _sent(self) -> dict[str, Sent]:
        """The texts that were confirmed, in their order."""
        return {
            one: Sent(one, len(self._audit.named(one).encode()), moment)
            for one, moment in sorted(self._confirmed.items(), key=lambda pair: pair[1])
        }

    def _undecided(self, cell: Cell) -> str:
        return f"nothing can be said about {cell.secret} at {cell.observer}: {cell.reason}\n  capture:   {self.capture}"

    def _judged(self, capture: Capture) -> LeakMatrix:
        network = Record(capture, Observer.NETWORK)
        moments = {name: Confirmed(moment, _passed(network, moment)) for name, moment in self._confirmed.items()}
        http = self._route.target is None or self._route.target.http
        advice = FOR_DEVICES if self._route.tunnel else FOR_CLIENTS
        seen = [network_view(capture, lambda secrets: planting.on_the_wire(secrets, network, http=http), advice)]
        if self._route.read:
            server = Record(capture, Observer.SERVER)
            read = server_view(capture, lambda secrets: planting.in_requests(secrets, server), advice)
            seen = [*(in_tunnel(seen[0], read, capture) if self._route.tunnel else both(seen[0], read))]
        seen += self._at_rest
        secrets = [one.wanted for one in self._audit.secrets.values()]
        facts = list(self._audit.facts.values())
        return judge(capture, secrets, moments, seen, advice, facts, self._sent())

    def found_so_far(self) -> list[tuple[str, str, str]]:
        """While the block is open: (secret, observer, what was found) for all that can be read until now.

        Without a secret: a client has just refused TLS, so nothing of it was read.
        """
        assert self._pair is not None  # noqa: S101 - asked for in the block only
        found: list[tuple[str, str, str]] = []
        for observer, data in self._pair.so_far(self._route).items():
            known, seen = self._looked.get(observer, (0, []))
            items = [captures.decode(line) for line in data[known:].decode().splitlines()]
            fresh = [one for one in items if isinstance(one, Observation)]
            refused = [one for one in items if isinstance(one, Note) and one.event is Event.REFUSED]
            found += (("", observer, one.detail) for one in refused)
            self._looked[observer] = len(data), [*seen, *fresh]
            if fresh:
                secrets = [one.wanted for one in self._audit.secrets.values()]
                findings = detect.find(secrets, [*seen, *fresh], detect.RECORD).findings
                found += ((one.secret, observer, one.sentence) for one in findings if not one.decoy)
        return found

    # The block

    def __enter__(self) -> Self:
        if self._taps is not None:
            raise LabError("an observation is made once: call observe() again for another one")
        self._taps = self._taps_wanted()
        pair = self._taps.lend()
        try:
            self._address = pair.open(self._route)
        except BaseException:
            pair.end()
            raise
        self._pair = pair
        self._started = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pair, self._pair = self._pair, None
        if pair is None:
            return
        if kind is not None and not issubclass(kind, Exception):
            pair.end()  # whoever was interrupted in the middle of a command would take its answer for that of the next
            return
        self.capture.parent.mkdir(parents=True, exist_ok=True)
        mode = Mode.TLS if self._route.ends_tls or (self._route.target and self._route.target.tls) else Mode.PLAINTEXT
        story = Story(self._audit.name, "Who could read what", mode, self._route.observers, self._started)
        try:
            with captures.Writer(self.capture, story) as writer:
                pair.close(self._route, writer)
                self._at_rest = [watched.seen() for watched in self._watched.values()]
                for seen in self._at_rest:
                    writer.add(*seen.observations)
        except BaseException:
            pair.end()
            raise
        self._known_taps().give_back(pair)
        if kind is None:
            self._capture = captures.read(self.capture)

    async def __aenter__(self) -> Self:
        import asyncio

        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _opened(self) -> tuple[str, int]:
        if self._taps is None:
            raise LabError("the observation has not begun: use it in a with statement")
        return self._address

    def _known_taps(self) -> Posts[Any]:
        assert self._taps is not None  # noqa: S101 - asked for once the block has begun
        return self._taps


class View:
    """One observer, and what a test says about it."""

    def __init__(self, window: Window, observer: str) -> None:
        self._window = window
        self.name = observer

    def hides(self, *secrets: str) -> None:
        """Not found, and all controls passed. LeakError: it was read. UndecidedError: a control is missing."""
        __tracebackhide__ = True
        self._check(Exposure.HIDDEN, secrets)

    def exposes(self, *secrets: str) -> None:
        """It was read. LeakError: it is hidden. UndecidedError: it was not found, and a control is missing."""
        __tracebackhide__ = True
        self._check(Exposure.EXPOSED, secrets)

    def infers(self, *secrets: str) -> None:
        """How long it is comes out without reading it, from three other texts or more of different lengths. What
        `leaklab.infer` gave stands for its row.

        In the block each text is sent and confirmed before the next one. UndecidedError: the size does not come out,
        which proves nothing, or a control is missing.
        """
        __tracebackhide__ = True
        if not secrets:
            raise LabError("name at least one secret")
        for secret in secrets:
            if self._window.is_fact(secret):
                self._window.check(self.name, Exposure.INFERRED, secret)
            else:
                self._window.check_size(self.name, secret)

    def _check(self, expected: Exposure, secrets: tuple[str, ...]) -> None:
        __tracebackhide__ = True
        if not secrets:
            raise LabError("name at least one secret")
        for secret in secrets:
            self._window.check(self.name, expected, secret)


def _file(given: str | Path | None) -> Path | None:
    return Path(given).absolute() if given else None


def _passed(network: Record, moment: float) -> bool:
    """Whether anything had passed in both directions by then."""
    before = {one.direction for one in network.observations if one.time <= moment}
    return {Direction.TO_SERVICE, Direction.TO_CLIENT} <= before
