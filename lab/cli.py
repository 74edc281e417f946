"""The command `lab`: parses, calls, prints. Heavy modules are imported by the commands that need them.

Exit status: 0 all claims hold; 1 a claim fails; 3 something is inconclusive; 2 wrong use or bad input; 130 Ctrl-C.
For `lab scan`: 1 something was found; 3 something could not be searched.
For `lab clients`: 1 the client was fooled; 3 something has no verdict.
For `lab audit`: 4 the program that was observed failed.
`lab up` and `lab class` run until Ctrl-C, so that is their regular end: 0.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lab.model import LabError, Mode

if TYPE_CHECKING:
    from rich.console import Console

    from lab.model import Capture, LeakMatrix
    from lab.scenario.errors import LessonError
    from lab.scenario.run import Session

WRONG_USE = 2
INTERRUPTED = 130

TOUR = "tour"

_GARBAGE = 50_000
"""New objects until a command looks for garbage. Nearly all stay, modules and lessons: with the 2000 of an interpreter
a run would spend a twentieth of its time on looking through them again and again."""

_EVIDENCE = "print everything: where each value was read, every estimate, every control"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    gc.set_threshold(_GARBAGE)
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        with _tidy_when_told_to_end():
            status = command(options)
        sys.stdout.flush()
    except LabError as error:
        sys.stderr.write(f"lab: {error}\n")
        return WRONG_USE
    except BrokenPipeError:
        # The reader of our output (less, head) has gone; Python would complain again while closing standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG_USE
    except OSError as error:
        sys.stderr.write(f"lab: {error.filename or 'the system'}: {error.strerror or error}\n")
        return WRONG_USE
    except KeyboardInterrupt:
        sys.stderr.write("lab: interrupted; everything was stopped and tidied up\n")
        return INTERRUPTED
    return status


@contextmanager
def _tidy_when_told_to_end() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind like Ctrl-C does, so that no process and no file is left behind."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="See who can read your messages: plaintext, TLS and end-to-end encryption, on real traffic.",
        epilog="Exit status: 0 all claims hold, 1 a claim fails, 3 something is inconclusive, 2 wrong use or bad "
        "input, 130 interrupted. lab scan: 1 something was found, 3 something could not be searched, 0 neither. "
        "lab clients: 1 the client was fooled, 3 something has no verdict, 0 neither. "
        "lab audit: 4 the program that was observed failed.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="hold lessons and print who could read what", description=_run.__doc__)
    run.add_argument("lessons", nargs="*", metavar="LESSON", help="a lesson's name or file, or 'all' (default: tour)")
    run.add_argument(
        "--mode",
        action="append",
        choices=[mode.value for mode in Mode],
        help="keep only the scenarios of this mode (repeatable)",
    )
    _add_language(run)
    run.add_argument("--json", metavar="FILE", help="also write the matrices as JSON; '-' is standard output")
    run.add_argument("--html", metavar="FILE", help="also write a report with all evidence as one HTML page")
    run.add_argument("--evidence", action="store_true", help=_EVIDENCE)
    run.add_argument("--captures", metavar="DIR", type=Path, help="keep the recordings in this folder")
    run.set_defaults(command=_run)

    guide = commands.add_parser(
        "guide", help="go through a lesson step by step: predict, watch, compare, explain", description=_guide.__doc__
    )
    _add_guide_options(guide)
    guide.set_defaults(command=_guide)

    up = commands.add_parser(
        "up", help="keep a service and its observers running, and type messages", description=_up.__doc__
    )
    up.add_argument("--mode", choices=[mode.value for mode in Mode], default=Mode.TLS.value, help="default: tls")
    up.add_argument("--port", type=int, default=0, help="where the chat page is served (default: one that is free)")
    up.add_argument("--mitmweb", action="store_true", help="run the taps as mitmweb, to look at their flows live")
    up.add_argument("--captures", metavar="DIR", type=Path, help="keep the recording in this folder")
    up.set_defaults(command=_up)

    class_ = commands.add_parser(
        "class",
        help="hold lessons with a class: everybody predicts on a phone of their own",
        description=_class.__doc__,
    )
    _add_class_options(class_)
    class_.set_defaults(command=_class)

    show = commands.add_parser("show", help="judge recordings again, without any network", description=_show.__doc__)
    show.add_argument("captures", nargs="+", metavar="CAPTURE", type=Path, help="a file that lab run --captures wrote")
    show.add_argument("--json", metavar="FILE", help="also write the matrices as JSON; '-' is standard output")
    show.add_argument("--html", metavar="FILE", help="also write a report with all evidence as one HTML page")
    show.add_argument("--evidence", action="store_true", help=_EVIDENCE)
    _add_language(show, "report")
    show.set_defaults(command=_show)

    export = commands.add_parser(
        "export",
        help="hand a recording to Wireshark, browsers' tools or mitmproxy, or a lesson to a learning platform",
        description=_export.__doc__,
    )
    export.add_argument(
        "source", metavar="SOURCE", help="a file that lab run --captures wrote; with --gift, a lesson's name or file"
    )
    export.add_argument(
        "--pcapng", metavar="FILE", type=Path, help="the network observer's view as packets; no key is in it"
    )
    export.add_argument(
        "--keylog",
        metavar="FILE",
        type=Path,
        help="the participants' TLS keys, which no observer has: Wireshark decrypts the packets with them "
        "(wireshark -o tls.keylog_file:FILE)",
    )
    export.add_argument("--har", metavar="FILE", type=Path, help="the server observer's view as an HTTP archive")
    export.add_argument("--flows", metavar="FILE", type=Path, help="both views for mitmproxy (mitmweb -n -r FILE)")
    export.add_argument("--gift", metavar="FILE", help="a lesson's predictions as questions for Moodle (GIFT)")
    _add_language(export)
    export.set_defaults(command=_export)

    scan = commands.add_parser(
        "scan", help="look for secrets of your own in recordings of your own", description=_scan.__doc__
    )
    _add_scan_options(scan)
    scan.set_defaults(command=_scan)

    clients = commands.add_parser(
        "clients", help="see whether a TLS client of yours can be fooled", description=_clients.__doc__
    )
    _add_clients_options(clients)
    clients.set_defaults(command=_clients)

    audit = commands.add_parser(
        "audit", help="see who can read what a program of yours sends", description=_audit.__doc__
    )
    _add_audit_options(audit)
    audit.set_defaults(command=_audit)

    explain = commands.add_parser(
        "explain",
        help="take an end-to-end encrypted message apart, field by field",
        description=_explain.__doc__,
    )
    explain.add_argument("capture", metavar="CAPTURE", type=Path, help="a file that lab run --captures wrote")
    explain.add_argument(
        "--message",
        metavar="N",
        type=int,
        help="the message with this number (default: list all, explain the story's first)",
    )
    explain.set_defaults(command=_explain)

    keys = commands.add_parser(
        "keys", help="show the safety number of two participants, with its code to scan", description=_keys.__doc__
    )
    keys.add_argument("capture", metavar="CAPTURE", type=Path, help="a file that lab run --captures wrote")
    keys.add_argument("one", metavar="NAME", help="a participant, as the lesson calls them")
    keys.add_argument("other", metavar="NAME", help="another one")
    keys.set_defaults(command=_keys)

    listing = commands.add_parser("list", help="list the lessons", description=_list.__doc__)
    _add_language(listing)
    listing.set_defaults(command=_list)

    check = commands.add_parser("check", help="validate lessons without running them", description=_check.__doc__)
    check.add_argument("files", nargs="*", metavar="FILE", type=Path, help="lesson files (default: all that ship)")
    check.set_defaults(command=_check)

    handout = commands.add_parser(
        "handout", help="print a lesson: a sheet for learners and one for teachers", description=_handout.__doc__
    )
    handout.add_argument("lesson", metavar="LESSON", help="a lesson's name or file")
    _add_language(handout)
    handout.add_argument("--html", metavar="FILE", help="where to write it (default: LESSON-handout.html); '-': here")
    handout.set_defaults(command=_handout)

    new = commands.add_parser("new", help="begin a lesson of your own, which runs at once", description=_new.__doc__)
    new.add_argument("name", metavar="NAME", help="how the lesson is called: small letters, digits and hyphens")
    _add_language(new)
    new.set_defaults(command=_new)

    doctor = commands.add_parser("doctor", help="look for what keeps the lab from working", description=_doctor.__doc__)
    doctor.set_defaults(command=_doctor)
    return parser


def _add_language(command: argparse.ArgumentParser, of: str = "lesson") -> None:
    command.add_argument("--language", metavar="CODE", default="en", help=f"of the {of}: en (default) or de")


def _add_guide_options(guide: argparse.ArgumentParser) -> None:
    guide.add_argument("lesson", nargs="?", default=TOUR, metavar="LESSON", help="its name or file (default: tour)")
    guide.add_argument("--plain", action="store_true", help="linear text, one question at a time (default if piped)")
    _add_language(guide)
    guide.add_argument("--cells", default="", metavar="LIST", help="ask for these only: body@server,password@network")
    guide.add_argument("--answers", metavar="FILE", type=Path, help="play a transcript, or answers written by hand")
    guide.add_argument("--transcript", metavar="FILE", type=Path, help="keep your answers in this new file")
    guide.add_argument("--show", metavar="FILE", type=Path, help="print a transcript as Markdown, and exit")
    guide.add_argument("--captures", metavar="DIR", type=Path, help="keep the recordings in this folder")


def _add_class_options(class_: argparse.ArgumentParser) -> None:
    class_.add_argument("lessons", nargs="*", metavar="LESSON", help="a lesson's name or file (default: all that ship)")
    class_.add_argument(
        "--language", metavar="CODE", default="en", help="of the pages and the lessons: en (default) or de"
    )
    class_.add_argument(
        "--port",
        type=int,
        help="where the pages are served (default: where this class was served before, at first 8420; if that is "
        "taken, one that is free)",
    )
    class_.add_argument(
        "--lan",
        action="store_true",
        help="let other devices of this network in, by their learners' page alone; it comes without TLS, so whoever is "
        "in this network can read nicknames and answers, and send in a learner's name",
    )
    class_.add_argument(
        "--alone", action="store_true", help="for one learner at this computer, who leads through the lessons as well"
    )
    class_.add_argument(
        "--state",
        metavar="FILE",
        type=Path,
        default=Path("lab-class.sqlite"),
        help="where the class is kept, to go on with it (default: lab-class.sqlite in this folder)",
    )
    class_.add_argument("--new", action="store_true", help="begin anew; the file of the old class is renamed")
    class_.add_argument(
        "--replay",
        metavar="CAPTURE",
        type=Path,
        nargs="+",
        default=[],
        help="play these recordings of lessons (lab run --captures wrote them) in place of live runs",
    )
    class_.add_argument(
        "--speed",
        metavar="N",
        type=float,
        default=1.0,
        help="of the recordings: 2 is twice as fast, 0 at once (default: 1)",
    )


def _add_scan_options(scan: argparse.ArgumentParser) -> None:
    scan.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="a recording, any other file, or a folder")
    scan.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what to look for, under a name of your choice (repeatable; others on this machine can see it)",
    )
    scan.add_argument("--secrets", metavar="FILE", type=Path, help="the same from a file, one NAME=VALUE a line")
    scan.add_argument(
        "--salt", action="append", default=[], metavar="VALUE", help="may be hashed together with a secret (repeatable)"
    )
    scan.add_argument("--keylog", metavar="FILE", type=Path, help="TLS keys for pcap and pcapng files (SSLKEYLOGFILE)")
    scan.add_argument("--json", metavar="FILE", help="also write the findings as JSON; '-' is standard output")
    scan.add_argument("--html", metavar="FILE", help="also write them as one HTML page")
    scan.add_argument("--sarif", metavar="FILE", help="also write them as SARIF 2.1.0, for code hosts and editors")
    scan.add_argument("--jobs", metavar="N", type=int, help="worker processes (default: one for each processor)")
    scan.add_argument("--cluster", metavar="ADDRESS", help="let the Dask cluster with this scheduler do the work")
    scan.add_argument("--ship", action="store_true", help="send the bytes to the cluster, which has not got the files")
    scan.add_argument(
        "--seconds", metavar="N", type=float, default=60.0, help="give up a flow or entry after so long (default: 60)"
    )
    scan.add_argument("--show-secrets", action="store_true", help="do not cover the secrets in excerpts")


def _add_clients_options(clients: argparse.ArgumentParser) -> None:
    clients.add_argument(
        "client",
        nargs="*",
        metavar="COMMAND",
        help="after --: how to start the client. {host} and {port} say where the server is, {ca} is a file with the "
        "authorities to trust (PEM), {proxy} the URL of a proxy by which other names than localhost lead there too",
    )
    clients.add_argument("--limbo", metavar="FILE", type=Path, help="the cases of x509-limbo (limbo.json) instead")
    clients.add_argument(
        "--only", action="append", default=[], metavar="CASE", help="this case, or all that a pattern fits (repeatable)"
    )
    clients.add_argument(
        "--list", dest="names", action="store_true", help="name the cases and the rules behind them, and exit"
    )
    clients.add_argument("--json", metavar="FILE", help="also write the results as JSON; '-' is standard output")
    clients.add_argument("--junit", metavar="FILE", help="also write them as JUnit XML, for CI")
    clients.add_argument("--jobs", metavar="N", type=int, help="clients at a time (default: one for each processor)")
    clients.add_argument(
        "--timeout", metavar="S", type=float, default=10.0, help="seconds that a client has for one case (default: 10)"
    )


def _add_audit_options(audit: argparse.ArgumentParser) -> None:
    audit.add_argument(
        "program",
        nargs="*",
        metavar="COMMAND",
        help="after --: the program to observe. {url}, {ca}, {proxy} and {NAME} of a secret stand for the values; they "
        "are also in LAB_URL, LAB_CA, LAB_PROXY and LAB_SECRET_NAME (default: stay open until Ctrl-C)",
    )
    audit.add_argument(
        "--service", metavar="URL", help="the service under test (default: a proxy to wherever the program goes)"
    )
    audit.add_argument("--tls", action="store_true", help="put TLS before a service that has none")
    audit.add_argument(
        "--wireguard", action="store_true", help="look at a device of your own, through a tunnel, until Ctrl-C"
    )
    audit.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="the address of this machine that the device reaches (default: the one in its network)",
    )
    audit.add_argument(
        "--service-ca", metavar="FILE", type=Path, help="check the certificate of the service by this authority"
    )
    audit.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="what to look for; without a value one is drawn (repeatable)",
    )
    audit.add_argument(
        "--watch",
        action="append",
        default=[],
        metavar="PATH",
        type=Path,
        help="a file, folder or SQLite database to look into afterwards (repeatable)",
    )
    confirmed = audit.add_mutually_exclusive_group()
    confirmed.add_argument(
        "--confirm-output",
        action="append",
        default=[],
        metavar="TEXT",
        help="the recipient got the secrets if the program says this ({NAME} works; repeated, each TEXT is about those "
        "that it names)",
    )
    confirmed.add_argument("--confirm-file", metavar="PATH", type=Path, help="the recipient got what is in this file")
    for kind in ("size", "time"):
        audit.add_argument(
            f"--{kind}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"also say whether the {kind} of this secret can be worked out without reading it (repeatable)",
        )
    audit.add_argument("--expect", metavar="FILE", type=Path, help="compare with the first table of a Markdown file")
    audit.add_argument("--update", action="store_true", help="write that table instead")
    audit.add_argument("--captures", metavar="DIR", type=Path, help="keep the recording in this folder")
    audit.add_argument("--evidence", action="store_true", help=_EVIDENCE)


class _Version(argparse.Action):
    """Prints the version; looking it up costs 20 ms, which no other call should pay."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"lab {version('mitm-lab')}\n")
        parser.exit()


def _run(options: argparse.Namespace) -> int:
    """Hold lessons on real traffic: a message service, an eavesdropper before it, the operator behind it."""
    from lab.stage.starting import open_starter

    with closing(open_starter()) as starter:  # first of all: it prepares while this process imports and reads
        from lab.scenario.run import hold

        sessions = _sessions(options.lessons or [TOUR], options.mode or [*Mode], options.language)
        with _Progress() as progress, closing(hold(sessions, options.captures, progress, starter)) as matrices:
            return _report(matrices, options, progress.pause)


def _guide(options: argparse.Namespace) -> int:
    """Go through a lesson at your own pace: read, predict, lock, watch each step happen, compare, explain.

    Exit status: 0 if you leave before the end; else as for lab run.
    """
    from lab.guide.command import Asked, guide, show
    from lab.scenario.library import find

    if options.show is not None:
        sys.stdout.write(show(options.show))
        return 0

    asked = Asked(options.plain, options.cells, options.answers, options.transcript, options.captures)
    return guide(find(options.lesson, options.language), asked, _console())


def _up(options: argparse.Namespace) -> int:
    """Keep a stage running until Ctrl-C, which is its regular end (exit status 0).

    A page on this machine is Alice's and Bob's phone. Type messages there, with Wireshark, mitmweb or addons of your
    own beside it, and ask at any time who could read what.
    """
    from lab.phones.up import hold

    mode = Mode(options.mode)
    with _Progress() as progress:
        hold(mode, options.port, options.captures, _console(), progress, progress.pause, web=options.mitmweb)
    return 0


def _class(options: argparse.Namespace) -> int:
    """Hold lessons with a class until Ctrl-C, which is its regular end (exit status 0).

    Learners predict who can read what, on phones of their own; then it is played on real traffic, on the stage view.
    The teacher's page and the stage view are for this computer alone, by the key that is printed. What was answered is
    kept: the same command goes on with the same class.
    """
    from dataclasses import fields

    from lab.classroom.command import Asked, hold

    asked = Asked(**{field.name: getattr(options, field.name) for field in fields(Asked)})
    with _Progress() as progress:
        hold(asked, _console(), progress, progress.pause)
    return 0


def _show(options: argparse.Namespace) -> int:
    """Judge recorded conversations again. The same recording gives the same matrix."""
    from lab import capture
    from lab.matrix import judge

    return _report((judge(capture.read(path)) for path in options.captures), options, lambda: None)


def _export(options: argparse.Namespace) -> int:
    """Write a recording in the formats of other tools. Files are replaced, and only their owner can read them; '-' is
    standard output. With --gift, write the questions of a lesson instead.
    """
    targets = {name: getattr(options, name) for name in ("pcapng", "keylog", "har", "flows")}
    wanted: dict[str, Path] = {name: path for name, path in targets.items() if path is not None}
    if options.gift is not None:
        if wanted:
            raise LabError(
                f"--gift takes a lesson, and --{next(iter(wanted))} a recording: give them one after the other"
            )
        return _export_questions(options.source, options.language, options.gift)
    if not wanted:
        raise LabError(
            "nothing to export: give --pcapng FILE, --keylog FILE, --har FILE or --flows FILE for a recording, "
            "or --gift FILE for a lesson"
        )
    from lab import capture
    from lab.scenario.library import names

    source = Path(options.source)
    if source.name.endswith(".feature.md") or (not source.exists() and options.source in names()):
        raise LabError(
            f"{source} is a lesson; --{next(iter(wanted))} takes a recording, which lab run --captures writes"
        )
    if len({path.resolve() for path in (source, *wanted.values())}) <= len(wanted):
        raise LabError("each export needs a file of its own, and none may be the recording itself")
    recording = capture.read(source)
    try:
        contents = {path: _exported(name, recording) for name, path in wanted.items()}
    except LabError as error:
        raise LabError(f"{source}: {error}") from None
    for path, content in contents.items():
        _write_private(path, content)
    return 0


def _export_questions(source: str, language: str, file: str) -> int:
    from lab.capture import SUFFIX
    from lab.export.gift import to_gift
    from lab.scenario.library import find

    if source.endswith(SUFFIX):
        raise LabError(f"{source} is a recording; --gift takes a lesson, by its name or file")
    lesson = find(source, language)
    if lesson.path.resolve() == Path(file).resolve():
        raise LabError("the questions need a file of their own, not that of the lesson")
    _write(file, to_gift(lesson))
    return 0


def _exported(name: str, recording: Capture) -> bytes:
    from importlib.metadata import version

    from lab.export import har, key_log, pcapng

    match name:
        case "pcapng":
            return pcapng.to_pcapng(recording)
        case "keylog":
            return key_log.to_key_log(recording).encode(errors="replace")
        case "har":
            return har.to_har(recording, version("mitm-lab")).encode(errors="replace")
    from lab.export import flows  # takes long to load: it brings mitmproxy

    return flows.to_flows(recording)


def _write_private(path: Path, content: bytes) -> None:
    """Write or replace a file, which only its owner can read before the first byte is in it; "-" is standard output."""
    if path == Path("-"):
        sys.stdout.buffer.write(content)
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # else a pipe or a device, where there is nothing to replace
            os.fchmod(file.fileno(), 0o600)
            file.truncate()
        file.write(content)


def _scan(options: argparse.Namespace) -> int:
    """Look for secrets in recordings: mitmproxy flows, HAR, pcap and pcapng, SQLite, logs, any other file.

    Exit status: 1 a secret, or part of one, was found; else 3 something could not be searched; else 0.
    """
    from dataclasses import fields

    from lab.scan.command import STANDARD_OUTPUT, Asked, run

    asked = Asked(**{field.name: getattr(options, field.name) for field in fields(Asked)})
    piped = STANDARD_OUTPUT in asked.outputs.values()
    return run(asked, _console(stderr=piped), _console(stderr=True), _write_private)


def _clients(options: argparse.Namespace) -> int:
    """Show a TLS client servers that are wrong in one way each, and valid twins of them: does it send data?

    Exit status: 1 the client was fooled; else 3 something has no verdict; else 0.
    """
    from dataclasses import fields

    from lab.clients.command import STANDARD_OUTPUT, Asked, run

    asked = Asked(**{field.name: getattr(options, field.name) for field in fields(Asked)})
    return run(asked, _console(stderr=STANDARD_OUTPUT in asked.outputs), _console(stderr=True), _write)


def _audit(options: argparse.Namespace) -> int:
    """Put observers before a service of your own, run a program against it, and say who could read what.

    Exit status: 4 the program failed; with --expect 1 something differs from the table, 3 something is inconclusive;
    without it 3 something is inconclusive; else 0.
    """
    from dataclasses import fields

    from lab.audit.command import Asked, run

    asked = Asked(**{field.name: getattr(options, field.name) for field in fields(Asked)})
    return run(asked, _console(), _console(stderr=True))


def _explain(options: argparse.Namespace) -> int:
    """Name every field of the envelopes in one message of a recording: its bytes, what it is for, who can read it."""
    from lab.calibration import OBSERVERS_OWN
    from lab.mail import messages, names
    from lab.model import Observer
    from lab.record import Record
    from lab.report.envelopes import print_message, print_messages

    recording = _read_e2ee(options.capture)
    found = tuple(messages(Record(recording, Observer.SERVER).exchanges))
    if not found:
        raise LabError(f"{options.capture}: the server's record has no end-to-end encrypted message")
    who = names(recording)
    # Before the story the observer sends messages of its own, to learn how long messages look.
    story = (number for number, one in enumerate(found, start=1) if who.get(one.sender[0]) != OBSERVERS_OWN)
    number = next(story, 1) if options.message is None else options.message
    if not 1 <= number <= len(found):
        raise LabError(f"{options.capture}: there is no message {number}; they are numbered from 1 to {len(found)}")
    encryption, console = recording.story.encryption, _console()
    if options.message is None:
        print_messages(found, who, encryption, console)
    print_message(number, found[number - 1], who, encryption, console)
    return 0


def _keys(options: argparse.Namespace) -> int:
    """Show what two participants compare to know that nobody stands between them: their safety number, and its code."""
    from lab.report.safety import print_comparisons
    from lab.safety import comparisons

    recording = _read_e2ee(options.capture)
    try:
        found = comparisons(recording, options.one, options.other)
    except LabError as error:
        raise LabError(f"{options.capture}: {error}") from None
    print_comparisons(found, _console())
    return 0


def _read_e2ee(path: Path) -> Capture:
    from lab import capture

    recording = capture.read(path)
    mode = recording.story.mode
    if mode is not Mode.E2EE:
        raise LabError(f"{path}: in {mode} mode nothing is end-to-end encrypted; give a recording in e2ee mode")
    return recording


def _list(options: argparse.Namespace) -> int:
    """List the lessons that ship: the course in its order, then those beside it."""
    from lab.report.lessons import print_lessons
    from lab.scenario.library import shipped

    print_lessons(shipped(options.language), _console())
    return 0


def _check(options: argparse.Namespace) -> int:
    """Validate lessons: every problem with file, line and, where one is near, the right word."""
    from lab.scenario import LessonErrors
    from lab.scenario.checking import check
    from lab.scenario.library import files

    wrong = 0
    remarks: list[LessonError] = []
    paths = options.files or files()
    for path in paths:
        try:
            remarks += check(path)
        except LessonErrors as errors:
            wrong += len(errors.problems)
            sys.stderr.write("".join(f"{problem}\n" for problem in errors.problems))
    sys.stdout.write("".join(f"{remark}\n" for remark in remarks))
    if wrong:
        raise LabError(f"{_counted(wrong, 'problem')} in {_counted(len(paths), 'lesson')}")
    could_be_better = f", {_counted(len(remarks), 'remark')}" if remarks else ""
    sys.stdout.write(f"{_counted(len(paths), 'lesson')}{could_be_better}, no problem\n")
    return 0


def _new(options: argparse.Namespace) -> int:
    """Write NAME.feature.md into this folder, or NAME.de.feature.md: a short lesson that can be run, to be changed."""
    from lab.scenario.skeleton import skeleton

    file_name, text = skeleton(options.name, options.language)
    try:
        with Path(file_name).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise LabError(f"{file_name} exists already; give another name") from None
    sys.stdout.write(f"{file_name} is written. Next: lab check {file_name}, then lab run {file_name}\n")
    return 0


def _handout(options: argparse.Namespace) -> int:
    """Write one HTML page to print: the learner's sheet with empty tables, and the teacher's with the answers."""
    from lab.report.handout import to_handout
    from lab.scenario.languages import ORIGINAL
    from lab.scenario.library import find

    lesson = find(options.lesson, options.language)
    code = "" if lesson.language == ORIGINAL else f".{lesson.language}"
    file = options.html or f"{lesson.name}-handout{code}.html"
    _write(file, to_handout(lesson))
    if file != "-":
        sys.stdout.write(f"{file} is written; open it in a browser to print it\n")
    return 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _doctor(_: argparse.Namespace) -> int:
    """Look at this machine: one line for each condition, with the cure. Exit status 2 if the lab cannot work here."""
    from lab.doctor import State, examine

    failed = False
    for check in examine(os.environ):
        failed = failed or check.state is State.FAILED
        cure = f" - {check.cure}" if check.cure else ""
        sys.stdout.write(f"{check.state:<7} {check.name}: {check.finding}{cure}\n")
    return WRONG_USE if failed else 0


def _report(matrices: Iterator[LeakMatrix], options: argparse.Namespace, pause: Callable[[], None]) -> int:
    """Print each matrix as it comes. `pause` takes the progress line off the terminal first."""
    json_file: str | None = options.json
    console = _console(stderr=json_file == "-")
    judged: list[LeakMatrix] = []
    for matrix in matrices:
        from lab.report.as_text import print_matrix  # not before the first one is on its way

        judged.append(matrix)
        pause()
        print_matrix(matrix, console, evidence=options.evidence, language=options.language)
    from lab.model import exit_status
    from lab.report.as_json import to_json
    from lab.report.as_text import print_summary

    print_summary(judged, console, language=options.language)
    if json_file is not None:
        _write(json_file, to_json(judged))
    if options.html is not None:
        from lab.report.as_html import to_html

        _write(options.html, to_html(judged, options.language))
    return exit_status(judged)


def _write(file: str, text: str) -> None:
    """Write or replace a file; "-" is standard output."""
    if file == "-":
        sys.stdout.write(text)
        return
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LabError(f"{file}: cannot be written: {error.strerror}") from error


def _sessions(names: Sequence[str], modes: Sequence[str], language: str) -> list[Session]:
    from lab.scenario.library import chosen
    from lab.scenario.run import Session

    sessions = [
        Session(lesson, scenario, number)
        for lesson in chosen(names, language)
        for number, scenario in enumerate(lesson.scenarios, start=1)
        if scenario.mode in modes
    ]
    if not sessions:
        raise LabError(f"no scenario of {', '.join(names)} is in mode {' or '.join(modes)}")
    return sessions


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            # rich would exit with status 1, which says here that a claim fails.
            raise BrokenPipeError

    return Piped(stderr=stderr, highlight=False)


class _Progress:
    """What happens now, on one line of standard error that goes away; nothing where that is not a terminal."""

    def __init__(self) -> None:
        console = _console(stderr=True)
        self._status = console.status("") if console.is_terminal else None

    def __call__(self, what: str) -> None:
        if self._status:
            self._status.update(what)
            self._status.start()

    def pause(self) -> None:
        if self._status:
            self._status.stop()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
