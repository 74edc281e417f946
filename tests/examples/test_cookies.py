"""Flask's session cookie: signed, so nobody can change it, and readable for everybody who gets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from flask import Flask, session

from lab.audit.window import Audit, LeakError, Window
from tests.examples.conftest import serving

KEPT: dict[str, str] = {}
"""What the service keeps about a visitor, by its number, where it keeps it itself."""


@pytest.fixture
def shop(audit: Audit) -> Iterator[str]:
    """A service that remembers a note about its visitor: in the cookie, or behind a number that is in the cookie."""
    note = audit.secret("note")
    app = Flask("shop")
    app.secret_key = "for a test"

    @app.get("/in-the-cookie")
    def in_the_cookie() -> dict[str, str]:
        session["note"] = note
        return {}

    @app.get("/behind-a-number")
    def behind_a_number() -> dict[str, str]:
        session["number"] = "17"
        KEPT["17"] = note
        return {}

    with serving(app) as url:
        yield url


def visit(audit: Audit, service: str, page: str, *, tls: bool) -> Window:
    KEPT.clear()
    with audit.observe(service, tls=tls) as lab, requests.Session() as client:
        client.trust_env = False
        for _ in range(2):  # the cookie comes, and goes back
            client.get(f"{lab.url}/{page}", verify=lab.ca).raise_for_status()
        assert client.cookies["session"]
        lab.confirm("note")  # the service has made the note
    return lab


def test_what_is_in_the_cookie_is_readable(audit: Audit, shop: str) -> None:
    lab = visit(audit, shop, "in-the-cookie", tls=False)
    for view in (lab.network, lab.server):
        with pytest.raises(LeakError, match=r"decoders: +base64") as caught:
            view.hides("note")
        assert f"▶{audit.named('note')}◀" in str(caught.value)
    lab = visit(audit, shop, "in-the-cookie", tls=True)
    lab.network.hides("note")
    lab.server.exposes("note")


def test_what_is_behind_a_number_is_not(audit: Audit, shop: str) -> None:
    lab = visit(audit, shop, "behind-a-number", tls=False)
    lab.network.hides("note")
    lab.server.hides("note")
    assert KEPT["17"] == audit.named("note")
