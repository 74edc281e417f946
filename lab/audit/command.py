"""`lab audit` behind the command line: taps, a program with the right environment, and the matrix.

Exit status: 4 the program failed; else with a table of expectations 1 something differs, 3 something is inconclusive;
without one 3 if something is inconclusive; else 0.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from lab.audit.canary import Canary
from lab.audit.device import print_instructions
from lab.audit.environment import variable
from lab.audit.table import Expected, differences, read_table, write_table
from lab.audit.taps import open_taps
from lab.audit.tunnel import Gate, listening_address, open_gate
from lab.audit.window import Audit, Window
from lab.model import Exposure, LabError, LeakMatrix
from lab.report.as_text import print_matrix

DIFFERS, INCONCLUSIVE, PROGRAM_FAILED = 1, 3, 4

LOOK_SECONDS = 0.5
"""How often findings are looked for while the taps are open."""

END_SECONDS = 10.0
"""For how long a program may go on after Ctrl-C, which it gets too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    program: Sequence[str]
    service: str | None
    tls: bool
    service_ca: Path | None
    secret: Sequence[str]
    watch: Sequence[Path]
    confirm_output: str | None
    confirm_file: Path | None
    expect: Path | None
    update: bool
    captures: Path | None
    evidence: bool
    wireguard: bool = False
    listen: str | None = None


def run(asked: Asked, out: Console, errors: Console) -> int:
    """Observe, print; the exit status. LabError: bad input, before anything is started."""
    _check(asked)
    with ExitStack() as stack:
        folder = asked.captures or Path(stack.enter_context(TemporaryDirectory(prefix="lab-audit-")))
        gate = _gate(asked, stack)
        audit = Audit(cache(lambda: gate or stack.enter_context(open_taps())), folder, "lab audit")
        secrets = [_planted(audit, text) for text in asked.secret]
        status, output = 0, ""
        if gate:
            observation = audit.observe_device(service_ca=asked.service_ca)
        else:
            observation = audit.observe(asked.service, tls=asked.tls, service_ca=asked.service_ca)
        if observation.capture.exists():
            raise LabError(f"{observation.capture} is there already: move it away, or give another folder")
        with observation as lab:
            for path in asked.watch:
                lab.watch(path, str(path))
            if asked.program:
                status, output = _program(asked, lab, audit, errors)
            else:
                if gate:
                    print_instructions(gate.configuration, gate.certificate, (lab.host, lab.port), out)
                else:
                    _say_where(lab, out)
                _stay_open(lab, secrets, out)
            _confirm(asked, lab, secrets, output, errors)
        print_matrix(lab.matrix, out, evidence=asked.evidence)
        if asked.captures:
            out.print(f"\nRecorded in {lab.capture}", soft_wrap=True, markup=False)
        return _status(asked, lab.matrix, status, out, errors)


def _check(asked: Asked) -> None:
    if not asked.secret:
        raise LabError("nothing to look for: give --secret NAME (a value is drawn) or --secret NAME=VALUE")
    if asked.update and asked.expect is None:
        raise LabError("--update writes the table of expectations: give --expect FILE too")
    if asked.expect is not None and not asked.update:
        _expected(asked.expect)  # a mistake in it costs no run
    if asked.confirm_output is not None and not asked.program:
        raise LabError("--confirm-output is about the output of a command: give one after --, or --confirm-file")
    if asked.wireguard and (asked.program or asked.service or asked.tls):
        raise LabError(
            "--wireguard is for a device, whatever its apps connect to: leave out the command, --service and --tls"
        )
    if asked.listen is not None and not asked.wireguard:
        raise LabError("--listen says where --wireguard listens; everything else stays on this machine")


def _gate(asked: Asked, stack: ExitStack) -> Gate | None:
    return stack.enter_context(open_gate(listening_address(asked.listen))) if asked.wireguard else None


def _planted(audit: Audit, text: str) -> Canary:
    name, equals, value = text.partition("=")
    return audit.secret(name.strip(), value.strip() if equals else None)


def _program(asked: Asked, lab: Window, audit: Audit, errors: Console) -> tuple[int, str]:
    """Run the command to its end, or to Ctrl-C: its exit status (0 after Ctrl-C), and its output if that matters."""
    values = {"url": lab.url, "ca": lab.ca, "proxy": lab.proxy, **audit.secrets}
    command = [_filled(part, values) for part in asked.program]
    listening = asked.confirm_output is not None
    try:
        process = subprocess.Popen(
            command,
            env={**os.environ, **lab.env},
            stdout=subprocess.PIPE if listening else None,
            stderr=subprocess.STDOUT if listening else None,
        )
    except OSError as error:
        raise LabError(f"{command[0]}: cannot be started: {error.strerror or error}") from None
    said = io.BytesIO()
    tee = threading.Thread(target=_tee, args=(process, said), daemon=True)
    interrupted = False
    try:
        tee.start()
        process.wait()
    except KeyboardInterrupt:  # the regular way to end a program that goes on; it got the same signal from the terminal
        interrupted = True
        _end(process)
    except BaseException:
        process.kill()
        process.wait()
        raise
    tee.join(END_SECONDS)
    status = 0 if interrupted else process.returncode
    if status:
        how = f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
        errors.print(f"lab: the program failed: {command[0]}: {how}", soft_wrap=True, markup=False)
    return status, said.getvalue().decode(errors="replace")


def _filled(part: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        part = part.replace("{" + name + "}", value)
    return part


def _tee(process: subprocess.Popen[bytes], said: io.BytesIO) -> None:
    """Show what the program says, and keep it."""
    if process.stdout is None:
        return
    with process.stdout as pipe:
        for piece in iter(lambda: os.read(pipe.fileno(), 1 << 16), b""):
            said.write(piece)
            sys.stdout.write(piece.decode(errors="replace"))
            sys.stdout.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (None, signal.SIGINT, signal.SIGKILL):
        if number is not None:
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(END_SECONDS)
            return


def _confirm(asked: Asked, lab: Window, secrets: Sequence[Canary], output: str, errors: Console) -> None:
    if asked.confirm_output is None and asked.confirm_file is None:
        errors.print(
            "lab: nobody confirmed that the recipient got anything, so nothing can be said to be hidden: "
            "give --confirm-output TEXT or --confirm-file PATH",
            soft_wrap=True,
            markup=False,
        )
    if asked.confirm_output is not None:
        values = {secret.name: str(secret) for secret in secrets}
        if _filled(asked.confirm_output, values) in output:
            lab.confirm(*secrets)
        else:
            errors.print(f"lab: the program did not say {asked.confirm_output!r}", soft_wrap=True, markup=False)
    if asked.confirm_file is not None:
        try:
            held = asked.confirm_file.read_bytes()
        except OSError as error:
            errors.print(f"lab: {asked.confirm_file}: {error.strerror}", soft_wrap=True, markup=False)
            return
        arrived = [secret for secret in secrets if secret.encode() in held]
        for secret in secrets:
            if secret not in arrived:
                errors.print(f"lab: {asked.confirm_file} does not hold {secret.name}", soft_wrap=True, markup=False)
        lab.confirm(*arrived)


def _say_where(lab: Window, out: Console) -> None:
    """What a program must be set to."""
    where = f"Let your client connect to   {lab.url}" if lab.url else f"Set the proxy of your client to   {lab.proxy}"
    out.print(f"{where}\nand let it trust this authority   {lab.ca}", soft_wrap=True, markup=False)


def _stay_open(lab: Window, secrets: Sequence[Canary], out: Console) -> None:
    """Say what is found as it happens, until Ctrl-C."""
    lines = ["Type, send or store these secrets:"]
    programs = bool(lab.url or lab.proxy)
    lines += [
        f"  {secret.name} = {secret}" + (f"   (for programs: {variable(secret.name)})" if programs else "")
        for secret in secrets
    ]
    lines.append("Ctrl-C ends the observation and prints who could read what.")
    out.print("\n".join(lines), soft_wrap=True, markup=False)
    told: set[tuple[str, str, str]] = set()
    # In a thread of its own: whoever was interrupted while a tap is asked would take its answer for that of the next.
    with ThreadPoolExecutor(1) as looking, suppress(KeyboardInterrupt):
        while True:
            threading.Event().wait(LOOK_SECONDS)
            for secret, observer, sentence in looking.submit(lab.found_so_far).result():
                if (secret, observer, sentence) not in told:
                    told.add((secret, observer, sentence))
                    out.print(f"{observer}: {sentence}", soft_wrap=True, markup=False)


def _status(asked: Asked, matrix: LeakMatrix, program: int, out: Console, errors: Console) -> int:
    undecided = any(cell.exposure is Exposure.INCONCLUSIVE for cell in matrix.cells)
    lines: list[str] = []
    if asked.expect is not None:
        if asked.update and not undecided and not program:
            text = _text(asked.expect) if asked.expect.exists() else ""
            asked.expect.write_text(write_table(text, matrix), "utf-8")
        elif asked.update:
            errors.print(f"lab: {asked.expect} was not written: not everything could be decided", markup=False)
        else:
            lines = differences(_expected(asked.expect), matrix)
    if lines:
        out.print(f"\n{asked.expect}: the table is not what was measured", soft_wrap=True, markup=False)
        out.print("\n".join(f"  {line}" for line in lines), soft_wrap=True, markup=False)
    if program:
        return PROGRAM_FAILED
    if lines:
        return DIFFERS
    return INCONCLUSIVE if undecided else 0


def _expected(file: Path) -> Expected:
    expected = read_table(_text(file), str(file))
    if expected is None:
        raise LabError(f"{file}: there is no table in it; --update writes one")
    return expected


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise LabError(f"{file}: not text in UTF-8; give a Markdown file with a table") from None
    except OSError as error:
        raise LabError(f"{file}: {error.strerror}; --expect FILE --update writes it") from None
