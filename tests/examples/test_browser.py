"""A real browser (Chromium, headless) opens a page through the taps, and the page sends a message.

The text stands in the fragment of the address, which browsers keep to themselves: what the service gets of it is what
the script in the page sends.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, request

from lab.audit.window import Audit, LeakError
from tests.examples.conftest import serving
from tests.report import chromium

PAGE = """
<!doctype html><title>chat</title><p id="state">not sent</p>
<script type="module">
const [key, text] = location.hash.slice(1).split("/").map(decodeURIComponent)
const bytes = hex => new Uint8Array(hex.match(/../g).map(byte => parseInt(byte, 16)))
const hex = buffer => [...new Uint8Array(buffer)].map(byte => byte.toString(16).padStart(2, "0")).join("")
let message = {text}
if (location.pathname === "/sealed") {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealing = await crypto.subtle.importKey("raw", bytes(key), "AES-GCM", false, ["encrypt"])
  const sealed = await crypto.subtle.encrypt({name: "AES-GCM", iv}, sealing, new TextEncoder().encode(text))
  message = {iv: hex(iv), sealed: hex(sealed)}
}
const answer = await fetch("/messages", {method: "POST", body: JSON.stringify(message)})
document.getElementById("state").textContent = answer.ok ? "it was sent" : "it failed"
</script>
"""


@pytest.fixture
def got() -> list[bytes]:
    """The messages that the service has got."""
    return []


@pytest.fixture
def chat(got: list[bytes]) -> Iterator[str]:
    app = Flask("chat")

    @app.get("/<page>")
    def page(page: str) -> str:
        return PAGE

    @app.post("/messages")
    def message() -> dict[str, str]:
        got.append(request.get_data())
        return {}

    with serving(app) as url:
        yield url


@pytest.mark.parametrize("page", ["sealed", "open"])
def test_a_page_in_a_browser_is_observed(audit: Audit, chat: str, got: list[bytes], tmp_path: Path, page: str) -> None:
    browser = chromium.find() or pytest.skip("no Chromium is installed")
    body, key = audit.secret("body"), secrets.token_bytes(16)
    options = [one for one in chromium.OPTIONS if "pipe" not in one]
    with audit.observe(chat) as lab:
        address = f"{lab.url}/{page}#{key.hex()}/{body}"
        done = subprocess.run(
            [browser, *options, f"--user-data-dir={tmp_path}", "--virtual-time-budget=20000", "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "it was sent" in done.stdout, done.stderr
        (message,) = map(json.loads, got)
        if page == "sealed":
            sealed = AESGCM(key).decrypt(bytes.fromhex(message["iv"]), bytes.fromhex(message["sealed"]), None)
            assert sealed.decode() == body
        else:
            assert message["text"] == body
        lab.confirm(body)
    for view in (lab.network, lab.server):
        if page == "sealed":
            view.hides(body)
        else:
            with pytest.raises(LeakError, match=r"request: +POST /messages"):
                view.hides(body)
