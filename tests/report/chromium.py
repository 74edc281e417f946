"""A headless Chromium for tests, driven over a pipe with its DevTools protocol: no library, no port, no network."""

from __future__ import annotations

import base64
import contextlib
import io
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")

OPTIONS = (
    "--headless",
    "--no-sandbox",  # it needs rights that containers do not give; the only page opened is our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--remote-debugging-pipe",
)

PATIENCE = 600
"""Seconds after which a browser is ended, so that one that hangs fails its tests."""

AXE = "axe_playwright_python"
"""A package that brings axe-core; nothing else in it is used."""

KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}


def axe() -> str | None:
    """The source of axe-core, which looks for what keeps people from reading a page, where it is installed."""
    spec = find_spec(AXE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def find() -> str | None:
    """Where a Chromium is on this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(MACOS) if MACOS.exists() else None)


@contextlib.contextmanager
def opened(program: str) -> Iterator[Page]:
    """One browser with one page."""
    with TemporaryDirectory(prefix="lab-chromium-", ignore_cleanup_errors=True) as profile:
        # Chromium reads commands on descriptor 3 and answers on 4; the shell puts our two pipes there.
        start = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null'
        command = ["/bin/sh", "-c", start, program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert isinstance(process.stdin, io.BufferedWriter)
            assert isinstance(process.stdout, io.BufferedReader)
            patience = threading.Timer(PATIENCE, process.kill)
            patience.start()
            try:
                yield Page(process.stdin, process.stdout)
            finally:
                patience.cancel()
                # Chromium ends when its pipe does.
                process.stdin.close()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()


class Page:
    """A page, and what went on in it: `requests` (their addresses) and `complaints` (of console, log and scripts)."""

    def __init__(self, commands: io.BufferedWriter, answers: io.BufferedReader) -> None:
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self._events: list[str] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []
        targets = self("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its answer."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        self._commands.flush()
        while True:
            message = self._read()
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def open(self, page: Path | str) -> None:
        """Show a file, or what is served at an address of this machine."""
        self.load(lambda: self("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page))

    def load(self, act: Callable[[], object]) -> None:
        """Do what leads to another page, and wait until that is there."""
        self._events.clear()
        act()
        while "Page.loadEventFired" not in self._events:
            self._read()

    def show(self, *, width: int, height: int = 800, scheme: str = "light") -> None:
        """Set the size of the window and the colours that its user prefers."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        code, text = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            self(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text=text if kind == "keyDown" else "",
            )

    def picture(self) -> bytes:
        """The window as PNG, for looking at it."""
        return base64.b64decode(self("Page.captureScreenshot")["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])

    def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._until_nul())
        method, parameters = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        return message

    def _until_nul(self) -> bytes:
        while b"\0" not in self._rest:
            piece = self._answers.read1()
            assert piece, "Chromium has gone"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return message
