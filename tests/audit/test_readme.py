"""The page "Test your own app": its test fails as it says, and passes once the leak is gone."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest

from lab.audit.taps import Taps

pytest_plugins = ["pytester"]

README = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
PAGE = README[README.index("<!-- leaklab -->") : README.index("<!-- /leaklab -->")]


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def alike(line: str) -> str:
    """What is the same in every run."""
    line = re.sub(r"body-[0-9a-f]{16}", "BODY", line)
    return re.sub(r"/\S*/(?=test_the|leaklab)|\d+–\d+|requests/[\d.]+|sealed\d", "#", line).strip()


def test_the_first_test_of_a_reader_fails_as_the_page_says(
    pytester: pytest.Pytester, taps: Taps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.audit.taps.open_taps", lambda: nullcontext(taps))
    pytester.makeini("[pytest]\naddopts = -p no:anyio -p no:schemathesis\n")
    pytester.makepyfile(test_leaks=block("python"))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    printed = [alike(line) for line in result.outlines if line.startswith("E ")]
    assert printed == [alike(line) for line in block("text").splitlines()]
    leak = 'headers = {"X-Debug": text}  # somebody forgot this'
    assert leak in block("python")
    pytester.makepyfile(test_leaks=block("python").replace(leak, "headers = {}"))
    pytester.runpytest_inprocess().assert_outcomes(passed=1)
