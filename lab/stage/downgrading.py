"""What is taken out of an answer so that a client goes on without TLS, or without end-to-end encryption."""

from __future__ import annotations

import json
import re

from mitmproxy import http

_KEYS = re.compile(r"/v1/accounts/[^/?]+/(device-list|handouts)(\?|$)")
_TEXT = ("text/", "application/json", "application/javascript", "application/xhtml+xml")

NO_KEYS = http.Headers(((b"Content-Type", b"application/problem+json"),))
_NO_KEYS_BODY = {"title": "Not Found", "status": 404, "detail": "No device list is published under this name."}


def asks_for_keys(request: http.Request) -> bool:
    """Whether this asks the lab's service for somebody's devices, or for keys to begin with them."""
    return _KEYS.match(request.path) is not None


def no_keys() -> http.Response:
    """What the service itself says of somebody who has none."""
    return http.Response.make(404, json.dumps(_NO_KEYS_BODY), NO_KEYS)


def empty(answer: http.Response) -> bool:
    """Take the keys out of what the service hands out, but not the list of devices. Whether there were any."""
    try:
        fields = json.loads(answer.content or b"")
    except ValueError:
        return False
    if not isinstance(fields, dict) or not isinstance(fields.get("devices"), list) or "name" not in fields:
        return False
    handed = [one for one in fields["devices"] if isinstance(one, dict)]
    if handed:
        answer.content = json.dumps(fields | {"devices": []}).encode()
    return bool(handed)


def strip_tls(answer: http.Response, host: str) -> bool:
    """Take out whatever would have a client of `host` (with its port, if one was named) use TLS. Whether that was any.

    That is: redirects and links to https://, HSTS (RFC 6797), the mark of cookies that are for TLS alone (RFC 6265,
    section 4.1.2.5), and the wish to have links upgraded (CSP: upgrade-insecure-requests).
    """
    before = answer.headers.copy()
    answer.headers.pop("strict-transport-security", None)
    secured, plain = f"https://{host}", f"http://{host}"
    if "location" in answer.headers:
        answer.headers["location"] = _unlinked(answer.headers["location"], secured, plain)
    if cookies := answer.headers.get_all("set-cookie"):
        answer.headers.set_all("set-cookie", [re.sub(r"(?i); *secure(?= *(;|$))", "", one) for one in cookies])
    if policies := answer.headers.get_all("content-security-policy"):
        wishes = [re.sub(r"(?i)upgrade-insecure-requests *;? *", "", one) for one in policies]
        answer.headers.set_all("content-security-policy", wishes)
    changed = answer.headers.fields != before.fields
    is_text = answer.headers.get("content-type", "").startswith(_TEXT)
    text = (answer.get_text(strict=False) or "") if is_text else ""
    if (unlinked := _unlinked(text, secured, plain)) != text:
        answer.text = unlinked
        changed = True
    return changed


def _unlinked(text: str, secured: str, plain: str) -> str:
    # Not where the name goes on: https://chat.example.org is somewhere else than https://chat.example.
    return re.sub(rf"(?i){re.escape(secured)}(?![\w-]|[.:]\w)", plain, text)
