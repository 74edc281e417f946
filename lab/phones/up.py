"""`lab up`: a stage that runs until Ctrl-C, with the page of both phones beside it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from lab.capture import SUFFIX
from lab.interrupt import interrupt
from lab.model import LabError, Mode
from lab.phones.page import create_app
from lab.phones.phones import IN_WORDS, SCENARIO, Phones, open_phones
from lab.phones.serving import LOOPBACK, listen, served
from lab.report.as_text import print_matrix
from lab.stage.stage import Stage, open_stage

HINT = "m + Enter prints here who could read what was typed so far; Ctrl-C ends."


def hold(
    mode: Mode,
    port: int,
    captures: Path | None,
    console: Console,
    progress: Callable[[str], None],
    pause: Callable[[], None],
    *,
    web: bool,
) -> None:
    """Keep the stage running until Ctrl-C, and tidy up. LabError: it cannot be set up.

    `progress` is told what happens while a person has to wait, `pause` that something else is printed.
    """
    recording = None if captures is None else _new_recording(captures, mode)
    with listen(port) as listener, open_stage(web=web) as stage:
        progress("starting taps and service; the phones join")
        address = f"{LOOPBACK}:{listener.getsockname()[1]}"
        with open_phones(stage, mode, recording or stage.directory / "up") as phones:
            with served(create_app(phones, listener.getsockname()[1]), listener), interrupt() as interrupted:
                pause()
                _say(f"{IN_WORDS[mode]}\n\n{_addresses(address, phones, stage)}\n{HINT}")
                for line in _lines(interrupted):
                    _answer(line, phones, console)
            progress("collecting what the observers got")
    pause()
    kept = f"Kept in {recording}; “lab show {recording}” judges it again." if recording else "Nothing was kept."
    _say(f"\nEnded; everything was stopped and tidied up. {kept}")


def _answer(line: str, phones: Phones, console: Console) -> None:
    if line == "m":
        try:
            print_matrix(phones.matrix(), console)
        except LabError as error:
            _say(str(error))
    if line:
        _say(f"\n{HINT}")


def _addresses(page: str, phones: Phones, stage: Stage) -> str:
    venue, behind = phones.venue, phones.venue.behind
    network, front_end = venue.address, behind.front_end

    def wireshark(address: tuple[str, int]) -> str:
        return f"Wireshark: loopback interface, display filter tcp.port == {address[1]}"

    lines = [
        ("chat page", f"http://{page}/", "Alice’s and Bob’s phones"),
        ("network tap", _dialled(network), f"where the phones connect; {wireshark(network)}"),
        ("server tap", _dialled(front_end), f"the operator’s front end; {wireshark(front_end)}"),
        ("service", _dialled(behind.service), "behind the front end, without TLS"),
        ("database", str(behind.directory / "database.sqlite"), ""),
    ]
    if phones.keys:
        lines.append(("CA", str(venue.authority), ""))
        lines.append(("TLS keys", str(phones.keys), "of both phones; Wireshark: -o tls.keylog_file:FILE"))
    if stage.web:
        network_page, server_page = stage.pages()
        lines.append(("mitmweb", network_page, "the network tap’s flows"))
        lines.append(("mitmweb", server_page, "the server tap’s flows"))
    return "".join(f"{what:<12} {where}{f'  ({note})' if note else ''}\n" for what, where, note in lines)


def _dialled(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _lines(interrupted: int) -> Iterator[str]:
    """Lines of standard input until `interrupted` becomes readable; the end of standard input ends nothing."""
    sources = [interrupted]
    with suppress(OSError, ValueError, AttributeError):  # it may be closed, or not be a file at all
        sources.append(sys.stdin.fileno())
    rest = b""
    while interrupted not in (ready := select.select(sources, [], [])[0]):
        piece = os.read(ready[0], 4096)
        if not piece:
            sources.remove(ready[0])
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.decode(errors="replace").strip() for line in lines)


def _new_recording(folder: Path, mode: Mode) -> Path:
    """A file that is not there yet: captures are never overwritten."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{folder}: no folder for captures: {error.strerror}") from error
    number = 1
    while (path := folder / f"{SCENARIO}-{number}-{mode}{SUFFIX}").exists():
        number += 1
    return path
