"""The matrix as JSON, format 1: for programs, and for keeping. Its JSON Schema is `FORMAT_1` beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.model import Cell, Control, Evidence, Inference, LeakMatrix

FORMAT = 1
"""1: first format."""

SCHEMA = Path(__file__).with_name("format_1.schema.json")


def to_json(matrices: Sequence[LeakMatrix]) -> str:
    """One JSON document, indented, with a line end."""
    document = {"format": FORMAT, "sessions": [_session(matrix) for matrix in matrices]}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _session(matrix: LeakMatrix) -> dict[str, Any]:
    return {
        "scenario": matrix.scenario,
        "title": matrix.title,
        "mode": matrix.mode,
        "broken_off": matrix.broken_off or None,
        "cells": [_cell(cell) for cell in matrix.cells],
        "inferences": [_inference(one) for one in matrix.inferences],
        "controls": [_control(one) for one in matrix.controls],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "secret": cell.secret,
        "observer": cell.observer,
        "exposure": cell.exposure,
        "claimed": cell.claimed,
        "reason": cell.reason,
        "evidence": [_evidence(one) for one in cell.evidence],
    }


def _evidence(one: Evidence) -> dict[str, Any]:
    return {
        "place": one.place,
        "connection": one.connection,
        "direction": one.direction,
        "spans": [list(span) for span in one.spans],
        "decoders": list(one.decoders),
        "excerpt": one.excerpt,
        "partial": one.partial,
    }


def _inference(one: Inference) -> dict[str, Any]:
    return {
        "observer": one.observer,
        "secret": one.secret,
        "estimate": one.estimate,
        "truth": one.truth,
        "tolerance": one.tolerance,
        "alike": None if one.alike is None else list(one.alike),
    }


def _control(one: Control) -> dict[str, Any]:
    about = f"{one.secret}: {one.detail}" if one.secret else one.detail
    return {"name": one.name, "observer": one.observer, "passed": one.passed, "detail": about}
