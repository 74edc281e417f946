"""`lab audit` behind the command line: taps, a program with the right environment, and the matrix.

Exit status: 4 the program failed; else with a table of expectations 1 something differs, 3 something is inconclusive;
without one 3 if something is inconclusive; else 0.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console

from lab.audit.canary import Canary
from lab.audit.device import print_instructions
from lab.audit.environment import variable
from lab.audit.program import Awaited, filled, run_program
from lab.audit.table import Expected, differences, read_table, write_table
from lab.audit.taps import Taps, open_taps
from lab.audit.tunnel import Gate, listening_address, open_gate
from lab.audit.window import Audit, Window
from lab.model import Exposure, LabError, LeakMatrix, SecretName
from lab.report.as_text import print_matrix
from lab.temporary import temporary_folder

DIFFERS, INCONCLUSIVE, PROGRAM_FAILED = 1, 3, 4

LOOK_SECONDS = 0.5
"""How often findings are looked for while the taps are open."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    program: Sequence[str]
    service: str | None
    tls: bool
    service_ca: Path | None
    secret: Sequence[str]
    watch: Sequence[Path]
    confirm_output: Sequence[str]
    confirm_file: Path | None
    expect: Path | None
    update: bool
    captures: Path | None
    evidence: bool
    wireguard: bool = False
    listen: str | None = None
    size: Sequence[str] = ()
    time: Sequence[str] = ()


def run(asked: Asked, out: Console, errors: Console) -> int:
    """Observe, print; the exit status. LabError: bad input, before anything is started."""
    _check(asked)
    with ExitStack() as stack:
        folder = asked.captures or stack.enter_context(temporary_folder("lab-audit-"))
        address = listening_address(asked.listen) if asked.wireguard else ""

        @cache
        def taps() -> Gate | Taps:
            return stack.enter_context(open_gate(address)) if address else stack.enter_context(open_taps())

        audit = Audit(taps, folder, "lab audit")
        secrets = [_planted(audit, text) for text in asked.secret]
        for kind, names in ((SecretName.SIZE, asked.size), (SecretName.TIME, asked.time)):
            for name in names:
                audit.infer(name, kind)
        if asked.confirm_file is not None:
            _held_by_none(asked.confirm_file, secrets)
        status = 0
        unsaid: Sequence[str] = ()
        if asked.wireguard:
            observation = audit.observe_device(service_ca=asked.service_ca)
        else:
            observation = audit.observe(asked.service, tls=asked.tls, service_ca=asked.service_ca)
        if observation.capture.exists():
            raise LabError(f"{observation.capture} is there already: move it away, or give another folder")
        with observation as lab:
            for path in asked.watch:
                lab.watch(path, str(path))
            if asked.program:
                values = {"url": lab.url, "ca": lab.ca, "proxy": lab.proxy, **audit.secrets}
                awaited = Awaited(asked.confirm_output, lab, audit.secrets)
                status = run_program([filled(part, values) for part in asked.program], lab.env, awaited, errors)
                unsaid = awaited.unsaid
            else:
                _say_how(lab, taps(), out)
                _stay_open(lab, secrets, out)
            _confirm(asked, lab, secrets, unsaid, errors)
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
    if asked.confirm_output and not asked.program:
        raise LabError("--confirm-output is about the output of a command: give one after --, or --confirm-file")
    if not all(text.strip() for text in asked.confirm_output):
        raise LabError("--confirm-output is empty, and any output would confirm it: give what says that it arrived")
    if asked.wireguard and (asked.program or asked.service or asked.tls):
        raise LabError(
            "--wireguard is for a device, whatever its apps connect to: leave out the command, --service and --tls"
        )
    if asked.listen is not None and not asked.wireguard:
        raise LabError("--listen says where --wireguard listens; everything else stays on this machine")

    if (asked.size or asked.time) and len(asked.confirm_output) < 2:
        raise LabError(
            "--size and --time need to know when each text arrived: give each secret a --confirm-output TEXT of its own"
        )


def _planted(audit: Audit, text: str) -> Canary:
    name, equals, value = text.partition("=")
    return audit.secret(name.strip(), value.strip() if equals else None)


def _confirm(asked: Asked, lab: Window, secrets: Sequence[Canary], unsaid: Sequence[str], errors: Console) -> None:
    if not asked.confirm_output and asked.confirm_file is None:
        errors.print(
            "lab: nobody confirmed that the recipient got anything, so nothing can be said to be hidden: "
            "give --confirm-output TEXT or --confirm-file PATH",
            soft_wrap=True,
            markup=False,
        )
    for text in unsaid:
        errors.print(f"lab: the program did not say {text!r}", soft_wrap=True, markup=False)
    if asked.confirm_file is not None:
        try:
            arrived = _held(asked.confirm_file, secrets)
        except OSError as error:
            errors.print(f"lab: {asked.confirm_file}: {error.strerror}", soft_wrap=True, markup=False)
            return
        for secret in secrets:
            if secret not in arrived:
                errors.print(f"lab: {asked.confirm_file} does not hold {secret.name}", soft_wrap=True, markup=False)
        lab.confirm(*arrived)


def _held_by_none(file: Path, secrets: Sequence[Canary]) -> None:
    """LabError: one of them stands in the file before anything was sent."""
    early: list[Canary] = []
    with suppress(OSError):  # it is not there yet, or this is said at the end
        early = _held(file, secrets)
    if early:
        raise LabError(
            f"{file} holds {early[0].name} before anything was sent, so it can confirm nothing: "
            "empty it, or let the value be drawn"
        )


def _held(file: Path, secrets: Sequence[Canary]) -> list[Canary]:
    """Those that stand in this file. OSError."""
    content = file.read_bytes()
    return [secret for secret in secrets if secret.encode() in content]


def _say_how(lab: Window, taps: Gate | Taps, out: Console) -> None:
    """What a program or a device must be set to."""
    if isinstance(taps, Gate):
        print_instructions(taps.configuration, taps.certificate, (lab.host, lab.port), out)
        return
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
