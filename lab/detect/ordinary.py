"""How much of a value is its own: which of its bytes nobody could have guessed, in bits.

A crude model, and on the careful side: it is used to refuse values that stand in any text by chance, and to decide
how long a piece of a value must be to count as that value's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MIN_VALUE = 8
"""Bytes. Among a gigabyte of noise and a hundred thousand forms, a given eight bytes turn up with a probability of
2^30 · 2^17 / 2^64 = 2^-17."""

MIN_BITS = 18.0
"""A value that holds less is refused: a word or two, a row of equal or consecutive characters."""

PIECE_BITS = 40.0
"""So much of a piece of a value must be unpredictable for the piece to count as a partial finding. Between a million
other values of the same kind, one shares such a piece with a probability of 2^20 / 2^40 = 2^-20."""

_BYTE, _RANDOM, _DIGIT, _LETTER, _MARK, _NEXT, _WORD = 8.0, 4.0, 3.3, 3.0, 1.0, 0.1, 6.0
"""Bits: a byte that is no text; a character among letters and digits that are mixed, as in a random token; a digit
among digits; a letter among letters; a mark; a repeated or consecutive character; a whole word that everybody uses."""

_WORDS = frozenset(
    re.findall(
        r"[a-z]+",
        """
        about access account address admin after again alice all also and answer any application april august back
        because been before best between bob body but call can change chat city class client come company
        conversation could country data date day december default device did does done down each email end error
        even every example false february file find first five for four friday from get give good group hallo has
        have head hello help here high his home host hour house how html http https image index information into
        july june just key kind know last left less letter life like line list localhost long look love made mail
        make man many march may meet member message method monday month more morning most mother much must name need
        never new next night nine none not november now null number october off old once one only open order other
        our out over own page part password people person phone place please post present private public qwerty read
        ready recipient request response right room same saturday school search second secret see send sender sent
        september server service session set seven should show side since six size small some start state status
        still story street such sunday system take telephone tell ten test text than thank that the their them then
        there these they thing think this those three thursday time title today token tomorrow too true tuesday two
        type under until upon use user value very want was water way wednesday week welcome well went were what when
        where which while who why will with word work world would write year yes yesterday you young your
        """,
    )
)
_TOKEN = re.compile(r"[0-9A-Za-z_-]{6,}")
_DIGITS, _CAPITALS_AND_SMALL = re.compile(r"[0-9]"), re.compile(r"[A-Za-z]")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_HOST = re.compile(r"(?<=@)[^@\s]+$|^[a-z]+://[^/\s]+/?")
_DIALLING = re.compile(r"^(?:\+|00)[0-9]{2}(?=[0-9 ()./-]{6,}$)")
_ONE_OF_A_KIND = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|(?:\+|00)[0-9 ()./-]{8,}")
"""Addresses and telephone numbers belong to one person, however ordinary their parts."""


def bits(value: bytes, decoys: Sequence[bytes] = ()) -> tuple[float, ...]:
    """What each byte of `value` adds that could not be guessed, in bits.

    Where `decoys` were drawn like the value, what they have in common with it at either end is no surprise at all: the
    words of a text that only its random tag tells from others. Otherwise words, the host of an address, a dialling
    code, repeated and consecutive characters count little.
    """
    own = [0.0] * len(value)
    if decoys:
        front = min(_in_common(value, decoy) for decoy in decoys)
        back = min(_in_common(value[::-1], decoy[::-1]) for decoy in decoys)
        for at in range(front, max(front, len(value) - back)):
            own[at] = _NEXT if at > front and value[at] == value[at - 1] else _RANDOM
        return tuple(own)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return tuple(_NEXT if at and value[at] == value[at - 1] else _BYTE for at in range(len(value)))
    of_characters = _of_characters(text)
    at = 0
    for character, amount in zip(text, of_characters, strict=True):
        own[at] = amount
        at += len(character.encode())
    return tuple(own)


def _in_common(some: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(some, other, strict=False))
    return next((at for at, (one, another) in pairs if one != another), min(len(some), len(other)))


def _of_characters(text: str) -> list[float]:
    own: list[float] = []
    for at, character in enumerate(text):
        step = abs(ord(character) - ord(text[at - 1])) if at else 2
        kind = _DIGIT if character.isdigit() else _LETTER if character.isalpha() else _MARK
        own.append(_NEXT if step == 0 or (step == 1 and character.isalnum()) else kind)
    for run in _TOKEN.finditer(text):
        if len(_DIGITS.findall(run[0])) >= 2 and len(_CAPITALS_AND_SMALL.findall(run[0])) >= 2:
            start, end = run.span()
            own[start:end] = [max(amount, _RANDOM) if amount > _NEXT else amount for amount in own[start:end]]
    for word in _LETTERS.finditer(text):
        if word[0].lower() in _WORDS:
            own[slice(*word.span())] = [_WORD / len(word[0])] * len(word[0])
    for known in (_HOST, _DIALLING):
        for found in known.finditer(text.lower()):
            start, end = found.span()
            own[start:end] = [0.0] * (end - start)
    return own


def refusal(value: bytes) -> str:
    """Why `value` cannot be searched for, "" if it can."""
    if len(value) < MIN_VALUE:
        return f"a value of {len(value)} bytes would stand in noise by chance; take at least {MIN_VALUE}"
    if sum(bits(value)) < MIN_BITS and not _ONE_OF_A_KIND.fullmatch(value.decode(errors="replace")):
        return "the value is too ordinary: others write the same; add something that nobody guesses, such as a number"
    return ""
