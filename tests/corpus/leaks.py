"""The collector of leaks, and the places that many of them share."""

from __future__ import annotations

import random

from tests.corpus.case import Case, Data, Expect, Kit, Planted, observations_of

STREAM, BODY, HEADER, LINE = "tcp.stream", "http.body", "http.header", "http.request_line"


JSON_TYPE, FORM_TYPE = b"application/json", b"application/x-www-form-urlencoded"


class Leaks:
    """Collects cases over one kit of values."""

    def __init__(self, kit: Kit, chance: random.Random) -> None:
        self.kit = kit
        self.chance = chance
        self.secrets: tuple[Planted, ...] = kit.secrets()
        self.cases: list[Case] = []

    def noise(self, size: int) -> bytes:
        return self.chance.randbytes(size)

    def add(
        self,
        group: str,
        name: str,
        secret: str,
        data: Data,
        *,
        place: str = BODY,
        places: tuple[str, ...] = (),
        expect: Expect = Expect.WHOLE,
        digest: str = "",
        salts: tuple[bytes, ...] = (),
    ) -> None:
        """Bytes become observations at `place`."""
        observations = observations_of(data, place)
        self.cases.append(
            Case(name, group, self.secrets, observations, expect, secret, salts, places or (place,), digest)
        )
