"""Who may know whom: rules over the import statements of the lab and its addons, and over the text of the project."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = {
    "lab.model": 0,
    "lab.resources": 0,
    "lab.addresses": 0,
    "lab.calibration": 0,
    "lab.private": 0,
    "lab.interrupt": 0,
    "lab.temporary": 0,
    "lab": 0,
    "lab.detect": 1,
    "lab.record": 1,
    "lab.planting": 1,
    "lab.inference": 1,
    "lab.controls": 1,
    "lab.matrix": 1,
    "lab.mail": 1,
    "lab.safety": 1,
    "lab.device_copy": 1,
    "lab.e2ee": 1,
    "lab.capture": 1,
    "lab.report": 1,
    "lab.export": 1,
    "lab.attack": 2,
    "lab.scenario": 1,  # reading lessons; what plays them is named below
    "lab.messenger": 2,
    "lab.scan": 2,
    "lab.stage": 2,
    "lab.clients": 2,
    "lab.audit": 3,
    "lab.service": 2,
    "addons": 2,
    "lab.scenario.casting": 3,
    "lab.scenario.company": 3,
    "lab.scenario.director": 3,
    "lab.scenario.habits": 3,
    "lab.scenario.operator": 3,
    "lab.scenario.opponents": 3,
    "lab.scenario.run": 3,
    "lab.guide": 4,
    "lab.classroom": 4,
    "lab.phones": 4,
    "lab.doctor": 4,
    "lab.cli": 4,
    "lab.__main__": 4,
    "lab.pytest_plugin": 4,
}
"""The longest name that fits says where a module stands; imports go to the same layer or to a lower one."""

PURE = (
    *("lab.model", "lab.detect", "lab.record", "lab.planting", "lab.inference", "lab.controls", "lab.matrix"),
    *("lab.addresses", "lab.calibration", "lab.mail", "lab.device_copy", "lab.safety", "lab.e2ee"),
    *(
        "lab.attack.accounts",
        "lab.attack.bitflip",
        "lab.attack.event_stream",
        "lab.attack.ghost",
        "lab.attack.pictures",
    ),
    *("lab.attack.posted", "lab.attack.salamander", "lab.attack.substitution"),
    *("lab.mail", "lab.device_copy", "lab.safety", "lab.e2ee", "lab.clients.case"),
    *("lab.guide.words", "lab.guide.lesson_path", "lab.guide.zoom", "lab.guide.state", "lab.guide.view"),
    *("lab.guide.answers", "lab.guide.plain", "lab.scenario.predictions"),
    *("lab.classroom.model", "lab.classroom.documents", "lab.classroom.export", "lab.classroom.seen"),
    "lab.classroom.panes",
    *("lab.audit.environment", "lab.audit.judging", "lab.audit.planting", "lab.audit.table", "lab.audit.target"),
    *("lab.audit.reports", "lab.audit.sizes", "lab.audit.words", "lab.audit.facts", "lab.audit.times"),
)
UNCERTAIN = (
    *("os", "io", "pathlib", "shutil", "tempfile", "signal", "locale", "platform", "getpass", "logging"),
    *("socket", "ssl", "select", "selectors", "http", "urllib.request", "requests"),
    *("subprocess", "multiprocessing", "threading", "asyncio", "concurrent"),
    *("time", "random", "secrets", "uuid"),
)
"""Modules by which a file, a network, another process, the clock or chance could have a say in a verdict."""

type Imports = Mapping[str, frozenset[str]]
"""Module → the modules it imports, also within functions."""


def imports_of(source: str, name: str, *, is_package: bool = False) -> frozenset[str]:
    """The modules that the source of module `name` imports. `from a import b` may mean the module a.b: both are in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = name.split(".")
                above = ".".join(parts[: len(parts) - node.level + is_package])
                base = ".".join(part for part in (above, base) if part)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(found)


def modules() -> Iterator[tuple[str, Path]]:
    for folder in ("lab", "addons"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@functools.cache
def project() -> dict[str, frozenset[str]]:
    return {
        name: imports_of(path.read_text("utf-8"), name, is_package=path.name == "__init__.py")
        for name, path in modules()
    }


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer(name: str) -> int:
    return LAYERS[max((known for known in LAYERS if within(name, known)), key=len)]


def own(imported: frozenset[str]) -> set[str]:
    return {one for one in imported if within(one, "lab") or within(one, "addons")}


# The rules: each gives the sentences that say what is wrong


def upward(imports: Imports) -> list[str]:
    return [
        f"{name} imports {one}"
        for name, imported in imports.items()
        for one in sorted(own(imported))
        if layer(one) > layer(name)
    ]


def service_is_apart(imports: Imports) -> list[str]:
    return [
        f"{name} imports {one}"
        for name, imported in imports.items()
        for one in sorted(own(imported) - {"lab"})
        if within(one, "lab.service") is not within(name, "lab.service")
    ]


def addons_know_the_tap_side_only(imports: Imports) -> list[str]:
    allowed = (
        *("lab.model", "lab.stage.tap_side", "lab.stage.http_tap", "lab.stage.envelope_view"),
        *("lab.stage.attacker", "lab.stage.downgrading", "lab.stage.meddling", "lab.stage.operator_tap"),
        *("lab.stage.posted", "lab.attack", "lab.mail"),
    )
    return [
        f"{name} imports {one}"
        for name, imported in imports.items()
        if within(name, "addons")
        for one in sorted(own(imported))
        if not any(within(one, other) for other in allowed)
    ]


def impure(imports: Imports) -> list[str]:
    return [
        f"{name} imports {one}"
        for name, imported in imports.items()
        if any(within(name, pure) for pure in PURE)
        for one in sorted(imported)
        if any(within(one, other) for other in UNCERTAIN)
    ]


def foreign_to_model(imports: Imports) -> list[str]:
    return [
        f"lab.model imports {one}"
        for one in sorted(imports.get("lab.model", ()))
        if one.partition(".")[0] not in sys.stdlib_module_names
    ]


RULES = (upward, service_is_apart, addons_know_the_tap_side_only, impure, foreign_to_model)


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps(rule: object) -> None:
    assert callable(rule)
    assert rule(project()) == []


OFFENDERS = [
    (upward, "lab.detect.search", "from lab.matrix import judge; from lab.messenger import wire"),
    (upward, "lab.model", "import lab.detect"),
    (upward, "lab.capture", "def read():\n    from lab.stage.stage import Stage"),
    (upward, "lab.scenario.loader", "from .run import hold"),
    (upward, "lab.stage.stage", "from lab.scenario import director"),
    (upward, "lab.scenario.run", "from lab import cli"),
    (service_is_apart, "lab.service.api", "from lab.model import Secret"),
    (service_is_apart, "lab.service.api", "from .. import detect"),
    (service_is_apart, "lab.stage.stage", "import lab.service.app"),
    (service_is_apart, "lab.messenger.wire", "if True:\n    from lab.service import schemas"),
    (addons_know_the_tap_side_only, "addons.network_observer", "from lab.scenario.run import hold"),
    (impure, "lab.detect.places", "import os.path"),
    (impure, "lab.detect.places", "from urllib import request"),
    (impure, "lab.matrix", "def now():\n    import time"),
    (impure, "lab.controls", "from pathlib import Path"),
    (foreign_to_model, "lab.model", "import pydantic"),
    (foreign_to_model, "lab.model", "from lab.detect import find"),
]


@pytest.mark.parametrize(("rule", "name", "source"), OFFENDERS)
def test_a_module_that_breaks_it_is_named(rule: object, name: str, source: str) -> None:
    assert callable(rule)
    found = rule({name: imports_of(source, name)})
    assert found != []
    assert all(one.startswith(f"{name} imports ") for one in found)
    assert rule({name: imports_of("from dataclasses import dataclass", name)}) == []


def test_every_module_has_its_place() -> None:
    known = {name for name, _ in modules()}
    assert {"lab.model", "lab.detect.search", "addons.server_observer", "lab.service.__main__"} <= known
    unplaced = [name for name in known if name != "lab" and layer(name) == LAYERS["lab"] and name not in LAYERS]
    assert unplaced == []


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\nfrom c import d as e\nfrom . import f\nfrom ..g import h\ndef i():\n    import j"
    assert imports_of(source, "p.q.r") == {"a.b", "c", "c.d", "p.q", "p.q.f", "p.g", "p.g.h", "j"}
    assert imports_of("from . import f", "p.q", is_package=True) == {"p.q", "p.q.f"}


# The text of the project


@functools.cache
def texts() -> list[tuple[str, str]]:
    """Every file of the project, without what tools left behind."""
    found: list[tuple[str, str]] = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        kept = not any(part in ("__pycache__", "dist", "build") or part.startswith(".") for part in parts[:-1])
        if kept and path.is_file() and path.suffix in (".py", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ""):
            found.append(("/".join(parts), path.read_text("utf-8", errors="replace")))
    return found


def found_in(pattern: str, *folders: str) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts()
        if not folders or name.startswith(folders)
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line)
    ]


# Written so that the patterns do not find themselves.
SLEEP = r"\bsleep" + r"\("
LISTENS = (
    r"(bind|create_server|HTTPServer|run_simple|serve)\(.*, ?[1-9]\d{1,4}\)"
    r"|listen[-_]port[=\", ]+[1-9]|@(127\.0\.0\.1|localhost):[1-9]\d"
)
MACHINE = r"(?<![\w.])/(work|root|home/\w+)/"
REGISTRY = r"index-" + r"url|pythonhosted" + r"\.org|/simple" + r"/|registry\.(?!r-)[\w-]+\.\w+"


def test_nothing_sleeps() -> None:
    # The janitor waits for processes that are not its children, so nobody tells it when they end.
    found = [one for one in found_in(SLEEP, "tests/", "lab/", "addons/") if not one.startswith("lab/stage/janitor.py:")]
    assert found == []


def test_tests_listen_where_the_system_lets_them() -> None:
    assert found_in(LISTENS, "tests/") == []


def test_no_path_of_one_machine() -> None:
    assert found_in(MACHINE) == []


def test_no_registry() -> None:
    assert found_in(REGISTRY) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (SLEEP, "time.sleep" + "(1)"),
        (SLEEP, "await asyncio.sleep" + "(0)"),
        (LISTENS, "listener.bind" + '(("127.0.0.1", 8080))'),
        (LISTENS, "HTTPServer" + '(("", 80), Handler)'),
        (LISTENS, '"--listen-port' + '", "8080"'),
        (LISTENS, "reverse:tcp://127.0.0.1:1@127.0.0.1" + ":8080"),
        (MACHINE, "see /" + "work/main"),
        (MACHINE, "/" + "home/me/lab"),
        (REGISTRY, "--index-" + "url https://packages.example"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: str, line: str) -> None:
    assert re.search(pattern, line)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (LISTENS, 'listener.bind(("127.0.0.1", 0))'),
        (LISTENS, "reverse:tcp://127.0.0.1:1@127.0.0.1:0"),
        (MACHINE, "https://example.org/work/shop"),
        (SLEEP, "tests do not sleep (they wait for events)"),
    ],
)
def test_and_nothing_else(pattern: str, line: str) -> None:
    assert not re.search(pattern, line)
