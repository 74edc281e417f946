"""All cases of the corpus."""

from __future__ import annotations

import random

from tests.corpus import digests, forms, fresh, innocents, mixed, places
from tests.corpus.case import Case, draw
from tests.corpus.leaks import Leaks

SEED = 1
"""Of the values in the corpus that is always the same."""

LEAKS = (
    *(places.in_http, places.in_headers, places.in_bodies, places.in_other_protocols, places.in_storage),
    *(forms.text_forms, forms.binary_to_text, forms.compressions),
    *(digests.digests, digests.salted, digests.checksums),
    *(mixed.compositions, mixed.splits, mixed.xored, mixed.partial),
)


def known(seed: int = SEED) -> list[Case]:
    """Every leak and every innocent; values are drawn by `seed`."""
    chance = random.Random(f"corpus {seed}")  # noqa: S311 - the same seed has to give the same cases
    leaks = Leaks(draw(chance), chance)
    for add in LEAKS:
        add(leaks)
    return [*leaks.cases, *innocents.build(leaks.kit, chance)]


def compositions(seed: int, count: int = 100, deepest: int = 6) -> list[Case]:
    """`count` random compositions, two to `deepest` layers deep."""
    chance = random.Random(f"compositions {seed}")  # noqa: S311 - as above
    return fresh.build(draw(chance), chance, count, deepest)
