"""For every test: no environment of the machine's own, no connection that leaves it, one stage to share."""

from __future__ import annotations

import functools
import gc
import ipaddress
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from lab.e2ee import textbook_rsa
from lab.scenario import loader
from lab.stage.stage import Stage, open_stage
from lab.stage.starting import Process, Starter, Streams, open_starter

# Machines differ in speed; on CI every run tries the same examples.
settings.register_profile("lab", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("lab")

# Hundreds of tests take lessons that ship, many as soon as they are collected; each is the same every time.
loader.parse = functools.cache(loader.parse)

SCRUBBED = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: nobody need look through it for garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class OutsideError(AssertionError):
    """Something in the test process tried to reach another machine."""


SENT = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
NAMED = SENT | {"socket.getaddrinfo", "socket.gethostbyname"}


class Guard:
    """Refuses to connect, send or resolve outside loopback, and remembers it: the caller may swallow the error."""

    def __init__(self) -> None:
        self.active = False
        self.attempts: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        # Python tells of all that it opens and imports too, thousands of times in each test.
        if self.active and event in NAMED:
            self._check(event, arguments[1] if event in SENT else (arguments[0],))

    def _check(self, event: str, address: Any) -> None:
        # A tuple begins with the host; AF_UNIX has a path, and a connected socket sends without an address.
        if isinstance(address, tuple) and not is_loopback(address[0]):
            self.attempts.append(f"{event} {address}")
            raise OutsideError(f"{event} {address}: tests stay on loopback")


def is_loopback(host: object) -> bool:
    """True for names and addresses that lead back to this machine without asking anybody."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


GUARD = Guard()


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Proxies and certificate stores of the machine have no say in any test, nor in the processes that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().endswith("_PROXY") or name.startswith("SSL") or name in SCRUBBED:
                patch.delenv(name)
        sys.addaudithook(GUARD)
        GUARD.active = True
        yield
        GUARD.active = False


@pytest.fixture(autouse=True)
def outside() -> Iterator[list[str]]:
    """The attempts of this test to leave the machine; any that is still in the list at the end fails it."""
    GUARD.attempts.clear()
    yield GUARD.attempts
    assert not GUARD.attempts, f"tests stay on loopback, this one tried: {', '.join(GUARD.attempts)}"


@pytest.fixture(scope="session", autouse=True)
def _rsa_keys_are_read_once() -> Iterator[None]:
    """Whoever reads a private key looks whether its factors are primes, which takes as long as a hundred envelopes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textbook_rsa, "load_der_private_key", functools.cache(textbook_rsa.load_der_private_key))
        yield


class Lent:
    """A starter that outlives the stage it is lent to: closing it ends what that stage has started, and no more."""

    def __init__(self, starter: Starter) -> None:
        self._starter = starter
        self._started: list[Process] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._starter, name)

    def start(self, arguments: list[str], streams: Streams, folder: Path) -> Process:
        self._started.append(self._starter.start(arguments, streams, folder))
        return self._started[-1]

    def close(self) -> None:
        for process in self._started:
            process.kill()


_IMPORTED = (
    *("lab.service.server", "lab.matrix", "tests.quick_passwords"),
    *("mitmproxy.tools.main", "mitmproxy.tools.dump", "lab.stage.http_tap", "lab.stage.operator_tap"),
)


@pytest.fixture(scope="session")
def _starter(_own_environment: None) -> Iterator[Starter]:
    """What taps, service and judge need is imported once: it takes longer than all that most stages are needed for."""
    with closing(open_starter()) as starter:
        for module in _IMPORTED:
            starter.prepare(module)
        yield starter


@pytest.fixture
def starter(_starter: Starter) -> Starter:
    """For a stage of the test's own, which may come to harm."""
    return Lent(_starter)


@pytest.fixture(scope="session")
def lend(_starter: Starter) -> Callable[[pytest.MonkeyPatch], None]:
    """Has the stages that commands open for themselves, within the test process, started by the one starter as well."""

    def lend(patch: pytest.MonkeyPatch) -> None:
        for module in ("lab.stage.starting", "lab.stage.stage"):
            patch.setattr(f"{module}.open_starter", lambda: Lent(_starter))

    return lend


@pytest.fixture(scope="session")
def mitmproxies(_starter: Starter) -> Starter:
    """Starts programs of mitmproxy from a process that has imported them, for any number of tests."""
    return Lent(_starter)


@pytest.fixture(scope="session")
def stage(_starter: Starter) -> Iterator[Stage]:
    """Real taps and a real service, for tests that leave them as they were."""
    with open_stage(Lent(_starter)) as stage:
        yield stage
