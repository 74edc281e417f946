"""Tables of expectations: read, compared, written anew."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.audit.table import differences, markdown, read_table, write_table
from lab.model import Cell, Exposure, LabError, LeakMatrix, Mode

TABLE = """\
# Leaks

Some prose.

## one

|       | network | server  |
| ----- | ------- | ------- |
| body  | hidden  | hidden  |
| alice | hidden  | exposed |

## two

Nothing yet.
"""


def matrix(**cells: str) -> LeakMatrix:
    """`body_server="hidden"` and so on."""
    found = [(*name.split("_"), Exposure(word)) for name, word in cells.items()]
    return LeakMatrix("one", "one", Mode.TLS, tuple(Cell(secret, at, exposure, "") for secret, at, exposure in found))


ONE = matrix(body_network="hidden", body_server="hidden", alice_network="hidden", alice_server="exposed")


def test_a_table_is_read_below_its_heading() -> None:
    expected = read_table(TABLE, "leaks.md", "one")
    assert expected == {(cell.secret, cell.observer): cell.exposure for cell in ONE.cells}
    assert read_table(TABLE, "leaks.md") == expected
    assert read_table(TABLE, "leaks.md", "two") is None
    assert read_table(TABLE, "leaks.md", "three") is None
    assert differences(expected, ONE) == []


def test_a_new_leak_and_one_that_is_gone_are_both_told() -> None:
    expected = read_table(TABLE, "leaks.md", "one") or {}
    other = matrix(body_network="hidden", body_server="exposed", alice_network="hidden", alice_server="hidden")
    assert differences(expected, other) == [
        "- NEW LEAK: body at server: the table says hidden, measured: exposed",
        "+ no longer: alice at server: the table says exposed, measured: hidden",
    ]


def test_cells_that_are_missing_on_either_side_are_told() -> None:
    expected = read_table(TABLE, "leaks.md", "one") or {}
    assert differences(expected, matrix(body_network="hidden", body_server="hidden", body_log="exposed")) == [
        "+ body at log: exposed, and the table has no such cell",
        "- alice at network: the table says hidden, and this was not measured",
        "- alice at server: the table says exposed, and this was not measured",
    ]


def test_a_table_is_written_in_its_place_and_the_prose_stays() -> None:
    assert write_table(TABLE, ONE, "one") == TABLE
    changed = write_table(TABLE, matrix(body_server="exposed"), "one")
    assert changed.startswith("# Leaks\n\nSome prose.\n\n## one\n\n|      | server  |\n")
    assert changed.endswith("## two\n\nNothing yet.\n")
    both = write_table(changed, ONE, "two")
    assert read_table(both, "leaks.md", "one") == {("body", "server"): Exposure.EXPOSED}
    assert read_table(both, "leaks.md", "two") == read_table(TABLE, "leaks.md", "one")
    assert "Nothing yet." in both
    new = write_table("", ONE, "new")
    assert new.startswith("## new\n\n|")
    assert read_table(new, "leaks.md", "new") == read_table(TABLE, "leaks.md", "one")


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        ("| body | hiden |", "leaks.md:3: 'hiden' is no verdict; write exposed, inferred or hidden"),
        ("| body | inconclusive |", "leaks.md:3: 'inconclusive' is no verdict"),
        ("| body |", "leaks.md:3: a row of 1 cells below a header of 2"),
        ("| body | hidden |\n| body | hidden |", "leaks.md:4: body at server stands there twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(row: str, mistake: str) -> None:
    with pytest.raises(LabError) as caught:
        read_table(f"| | server |\n|-|-|\n{row}\n", "leaks.md")
    assert str(caught.value).startswith(mistake)


NAMES = st.text("abc xyz-.é", min_size=1, max_size=12).map(str.strip).filter(lambda name: name.strip("-: "))
VERDICTS = st.sampled_from([Exposure.HIDDEN, Exposure.EXPOSED, Exposure.INFERRED])


@given(
    secrets=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    observers=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_what_is_written_is_read_back(secrets: list[str], observers: list[str], data: st.DataObject) -> None:
    cells = [Cell(secret, at, data.draw(VERDICTS), "") for secret in secrets for at in observers]
    some = LeakMatrix("x", "x", Mode.TLS, tuple(cells))
    assert differences(read_table("\n".join(markdown(some)), "x") or {}, some) == []


@given(st.text("|-: ahiden#\n", max_size=200))
def test_no_text_does_any_harm(text: str) -> None:
    with suppress(LabError):
        read_table(text, "x")
