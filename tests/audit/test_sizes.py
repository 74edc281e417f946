"""Sizes that come out without reading a byte, and the padding that keeps them in."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import requests

from lab.audit.canary import Canary
from lab.audit.window import Audit, UndecidedError, Window
from lab.model import LabError

type Client = requests.Session

SIZES = (300, 40, 170, 700, 420)


def planted(audit: Audit, sizes: tuple[int, ...] = SIZES) -> list[Canary]:
    return [audit.secret(f"text {size}", draw=lambda size=size: os.urandom(size // 2).hex()) for size in sizes]


def observed(
    audit: Audit, service: str, client: Client, texts: list[Canary], seal: Callable[[int], bytes], *, tls: bool = True
) -> Window:
    """Each text is sent as so many random bytes."""
    with audit.observe(service, tls=tls) as lab:
        for text in texts:
            client.post(f"{lab.url}/messages", data=seal(len(text)), verify=lab.ca).raise_for_status()
            lab.confirm(text)
    return lab


@pytest.mark.parametrize("tls", [True, False])
def test_the_length_of_a_sealed_text_comes_out(audit: Audit, service: str, client: Client, *, tls: bool) -> None:
    texts = planted(audit)
    lab = observed(audit, service, client, texts, os.urandom, tls=tls)
    lab.network.hides(*texts)
    lab.network.infers("text 300", "text 170", "text 420")
    lab.server.infers("text 300", "text 170", "text 420")


def test_of_what_is_padded_it_does_not(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit)
    lab = observed(audit, service, client, texts, lambda _: os.urandom(1024))
    with pytest.raises(UndecidedError, match="text 300 cannot be worked out at network: control 'estimate'"):
        lab.network.infers("text 300")
    lab = observed(audit, service, client, texts, lambda size: os.urandom(size + int.from_bytes(os.urandom(2)) % 8000))
    with pytest.raises(UndecidedError):
        lab.network.infers("text 300")


def test_an_estimate_that_misses_says_so(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit)
    odd = iter(range(len(texts)))
    lab = observed(audit, service, client, texts, lambda size: os.urandom(size + (500 if next(odd) == 4 else 0)))
    with pytest.raises(UndecidedError, match="where 420 is true"):
        lab.network.infers("text 420")


def test_controls_apply(audit: Audit, service: str, client: Client) -> None:
    texts = planted(audit, (40, 170, 300))
    unsent = audit.secret("unsent")
    lab = observed(audit, service, client, texts, os.urandom)
    with pytest.raises(UndecidedError, match="needs 3 other texts that were confirmed, here are 2"):
        lab.network.infers(texts[0])
    with pytest.raises(UndecidedError, match="control 'travelled' failed"):
        lab.network.infers(unsent)
    with pytest.raises(LabError, match="name at least one secret"):
        lab.network.infers()
