"""The same value as other programs would write it: what a person means, not which bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"([^@\s+]+)(?:\+[^@\s]*)?@([^@\s]+\.[^@\s]+)")
_SAME_HOST = {"gmail.com": "googlemail.com", "googlemail.com": "gmail.com"}
NATIONAL, WITHOUT_CODE = "as a national number", "without its dialling code"
"""How a telephone number is written that many countries may have."""

_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{6,}[0-9]")


def text_of(value: bytes) -> str | None:
    """`value` as text; None where it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def normal_forms(value: bytes) -> dict[bytes, str]:
    """What people hash when they hash `value`, the value itself first → what was done to it, in words."""
    found = {value: ""}
    text = text_of(value)
    if text is None:
        found[value.hex().encode()] = "in hexadecimal"
        return found
    bare = text.strip()
    lower = bare.lower()
    made = [(bare, "without spaces around"), (lower, "in lower case"), (f"{text}\n", "with the end of a line")]
    if " " not in bare:
        made.append((bare.upper(), "in upper case"))
    if address := _ADDRESS.fullmatch(lower):
        name, host = address.groups()
        bare_name = name.replace(".", "")
        made += [(f"{name}@{host}", "without its tag"), (f"{bare_name}@{host}", "without dots and tag")]
        if host in _SAME_HOST:
            made += [(f"{one}@{_SAME_HOST[host]}", "at the host's other name") for one in (name, bare_name)]
    if UUID.fullmatch(lower):
        made.append((lower.replace("-", ""), "without dashes"))
    made += [(number, how) for number, how in numbers(text)]
    for normal, how in made:
        found.setdefault(normal.encode(), how)
    found.setdefault(text.encode("utf-16-le"), "in UTF-16")
    return found


def numbers(text: str) -> Iterator[tuple[str, str]]:
    """The ways of writing `text` if that is a telephone number: → the number, and how it is written, in words.

    How many digits the dialling code of the country has cannot be told without a list of them, so one to three are.
    """
    if not _NUMBER.fullmatch(text.strip()):
        return
    digits = re.sub(r"[^0-9]", "", text).removeprefix("00" if text.strip().startswith("00") else "")
    yield f"+{digits}", "as +digits"
    yield digits, "as digits"
    yield f"00{digits}", "as 00digits"
    if text.strip().startswith(("+", "00")):
        for code in (1, 2, 3):
            if len(digits) - code >= 8:
                yield f"0{digits[code:]}", NATIONAL
                yield digits[code:], WITHOUT_CODE
