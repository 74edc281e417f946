"""JSON, format 1: what it says is what was judged, and its schema knows every word and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from lab.model import (
    INFERRED_ONLY,
    Cell,
    Control,
    Direction,
    Exposure,
    Inference,
    LeakMatrix,
    Mode,
    Observer,
    SecretName,
)
from lab.report.as_json import FORMAT, SCHEMA, to_json


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(read)
    return read


@pytest.fixture
def document(matrices: Mapping[Mode, LeakMatrix]) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(to_json(list(matrices.values())))
    return written


def validate(document: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(document)


def test_real_matrices_fit_the_schema(document: dict[str, Any], schema: dict[str, Any]) -> None:
    validate(document, schema)
    assert document["format"] == FORMAT
    assert [session["mode"] for session in document["sessions"]] == list(Mode)


def test_a_run_without_any_session_fits_too(schema: dict[str, Any]) -> None:
    validate(json.loads(to_json([])), schema)


def test_every_verdict_and_every_control_has_its_words(schema: dict[str, Any]) -> None:
    cells = [Cell(SecretName.BODY, Observer.NETWORK, one, "“why”", (), None) for one in Exposure]
    names = ("travelled", "recorded", "searched", "detects", "decoys", "estimate")
    controls = [Control(name, None, None, passed=False, detail="") for name in names]
    text = to_json([LeakMatrix("ü", "", Mode.TLS, tuple(cells), (), tuple(controls))])
    assert "“why”" in text
    assert text.endswith("}\n")
    validate(json.loads(text), schema)


def test_sizes_that_look_the_same_are_told_from_the_least_to_the_greatest(schema: dict[str, Any]) -> None:
    padded = Inference(Observer.SERVER, SecretName.SIZE, 53, 21, 16, 41, "bytes", "a guess", (16, 90))
    document = json.loads(to_json([LeakMatrix("", "", Mode.E2EE, (), (padded,))]))
    validate(document, schema)
    assert document["sessions"][0]["inferences"][0]["alike"] == [16, 90]


def test_it_says_what_the_matrix_says(document: dict[str, Any], matrices: Mapping[Mode, LeakMatrix]) -> None:
    for session, matrix in zip(document["sessions"], matrices.values(), strict=True):
        assert (session["scenario"], session["title"]) == (matrix.scenario, matrix.title)
        for said, cell in zip(session["cells"], matrix.cells, strict=True):
            assert (said["secret"], said["observer"]) == (cell.secret, cell.observer)
            assert (said["exposure"], said["claimed"], said["reason"]) == (cell.exposure, cell.claimed, cell.reason)
            assert [tuple(map(tuple, one["spans"])) for one in said["evidence"]] == [one.spans for one in cell.evidence]
        assert [one["estimate"] for one in session["inferences"]] == [one.estimate for one in matrix.inferences]
        assert [one["alike"] for one in session["inferences"]] == [None] * len(matrix.inferences)
        assert [one["passed"] for one in session["controls"]] == [one.passed for one in matrix.controls]


def test_a_control_about_a_secret_names_it(matrices: Mapping[Mode, LeakMatrix]) -> None:
    control = Control("detects", Observer.SERVER, SecretName.BODY, passed=True, detail="found")
    (session,) = json.loads(to_json([replace(matrices[Mode.TLS], controls=(control,))]))["sessions"]
    assert session["controls"][0]["detail"] == "body: found"


def _enumerations(schema: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], list[str | None]]:
    found: dict[tuple[str, ...], list[str | None]] = {}
    if isinstance(schema, dict):
        if "enum" in schema:
            found[path] = schema["enum"]
        for key, part in schema.items():
            found |= _enumerations(part, (*path, key) if key not in ("properties", "items") else path)
    return found


def test_the_schema_has_the_words_of_the_model(schema: dict[str, Any]) -> None:
    claimable = [*(one for one in Exposure if one is not Exposure.INCONCLUSIVE), None]
    assert _enumerations(schema) == {
        ("sessions", "mode"): list(Mode),
        ("sessions", "cells", "secret"): list(SecretName),
        ("sessions", "cells", "observer"): list(Observer),
        ("sessions", "cells", "exposure"): list(Exposure),
        ("sessions", "cells", "claimed"): claimable,
        ("sessions", "cells", "evidence", "direction"): list(Direction),
        ("sessions", "inferences", "observer"): list(Observer),
        ("sessions", "inferences", "secret"): [one for one in SecretName if one in INFERRED_ONLY],
        ("sessions", "controls", "name"): ["travelled", "recorded", "searched", "detects", "decoys", "estimate"],
        ("sessions", "controls", "observer"): [*Observer, None],
    }


type Tamper = Callable[[dict[str, Any]], object]

TAMPERED: dict[str, Tamper] = {
    "another format": lambda it: it.update(format=2),
    "no format": lambda it: it.pop("format"),
    "no sessions": lambda it: it.pop("sessions"),
    "something more": lambda it: it.update(verdict="secure"),
    "an unknown mode": lambda it: it["sessions"][0].update(mode="quantum"),
    "a cell that says secure": lambda it: it["sessions"][0]["cells"][0].update(exposure="secure"),
    "an unknown secret": lambda it: it["sessions"][0]["cells"][0].update(secret="shoe size"),
    "an unknown observer": lambda it: it["sessions"][0]["cells"][0].update(observer="neighbour"),
    "a claim to know nothing": lambda it: it["sessions"][0]["cells"][0].update(claimed="inconclusive"),
    "a cell without a reason": lambda it: it["sessions"][0]["cells"][0].pop("reason"),
    "a cell without evidence": lambda it: it["sessions"][0]["cells"][0].pop("evidence"),
    "a span with one end": lambda it: it["sessions"][0]["cells"][0]["evidence"][0].update(spans=[[1]]),
    "a span before the start": lambda it: it["sessions"][0]["cells"][0]["evidence"][0].update(spans=[[-1, 2]]),
    "an estimate in words": lambda it: it["sessions"][0]["inferences"][0].update(estimate="about ten"),
    "sizes alike from nowhere": lambda it: it["sessions"][0]["inferences"][0].update(alike=[16]),
    "an estimate of a body": lambda it: it["sessions"][0]["inferences"][0].update(secret="body"),
    "a control of another name": lambda it: it["sessions"][0]["controls"][0].update(name="hope"),
    "a control that passed perhaps": lambda it: it["sessions"][0]["controls"][0].update(passed="perhaps"),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=list(TAMPERED))
def test_the_schema_refuses(document: dict[str, Any], schema: dict[str, Any], tamper: Tamper) -> None:
    tampered = copy.deepcopy(document)
    tamper(tampered)
    validate(document, schema)
    with pytest.raises(ValidationError):
        validate(tampered, schema)
