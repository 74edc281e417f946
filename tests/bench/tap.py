"""A tap under load: the lab's own process and commands, with traffic on both sides of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab import resources
from lab.stage.certificates import make_authority, write_private
from lab.stage.process import Child
from tests.bench import traffic

HOST = "chat.lab.test"
CONNECTIONS = 8
MITMDUMP = ["-c", "from mitmproxy.tools.main import mitmdump; mitmdump()"]
for _option in ("server=false", "lab_control=true", "termlog_verbosity=error", "flow_detail=0"):
    MITMDUMP += ["--set", _option]
IDLE = Path(__file__).with_name("idle_addon.py")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a tap is asked to do: the addon that records it, and what goes through."""

    name: str
    addon: str
    protocol: str
    tls: bool


HTTP = Kind("HTTP", "server_observer", "http", tls=False)
TLS = Kind("TLS-terminated HTTP", "server_observer", "http", tls=True)
TCP = Kind("raw TCP", "network_observer", "tcp", tls=False)


class Bench:
    """Processes in a folder of their own, gone with it."""

    def __init__(self, directory: Path, closing: ExitStack) -> None:
        self.directory = directory
        self._closing = closing

    def start(self, name: str, arguments: list[str]) -> Child:
        directory = self.directory / name.replace(" ", "-")
        directory.mkdir()
        if arguments[0] == "-c":
            arguments = [*arguments, "--set", f"confdir={directory}"]
            write_private(directory / "mitmproxy-ca.pem", make_authority("unused").pem_with_key)
        child = Child(name, arguments, directory)
        self._closing.callback(child.close)
        child.ready()
        return child

    def traffic(self, name: str) -> Child:
        return self.start(name, [traffic.__file__])

    def tap(self, name: str, kind: Kind, port: int, *, idle: bool = False) -> tuple[Child, list[Any]]:
        """A tap in front of `port`, and the address that it listens on. Recording, unless it is idle."""
        addon = IDLE if idle else resources.folder("addons") / f"{kind.addon}.py"
        child = self.start(name, [*MITMDUMP, "-s", str(addon)])
        options: dict[str, Any] = {"mode": [f"reverse:{kind.protocol}://127.0.0.1:{port}@127.0.0.1:0"]}
        if kind.protocol == "http":
            options["keep_host_header"] = True
        if kind.tls:
            leaf = write_private(self.directory / f"{name}.pem", make_authority("Bench").issue(HOST))
            options["certs"] = [f"*={leaf}"]
        return child, child.ask({"listen": options})["addresses"][0]


@contextmanager
def open_bench() -> Iterator[Bench]:
    with TemporaryDirectory(prefix="lab-bench-") as directory, ExitStack() as closing:
        yield Bench(Path(directory), closing)
