"""The page with both phones. Whatever was typed is text here; scripts and styles come from the files beside this one.

The page is for browsers of this machine alone. A page of another site must not be able to type, or to read what was
typed, through its visitor's browser: so the Host header must name this very address (a name that leads back here is
DNS rebinding), and a request that a browser attributes to another site is refused.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from lab.model import LabError
from lab.phones.phones import IN_WORDS, LONGEST, Message, Phones, TypingError
from lab.report.as_html import to_html

MOST_BYTES = 16 * 1024
"""Of a request: the longest message in JSON, and room."""

_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; {_NOTHING_ELSE}"
)
# The report brings a policy of its own, which admits exactly its own style sheet; a browser keeps to both.
_REPORT_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; {_NOTHING_ELSE}"


def create_app(phones: Phones, port: int) -> Flask:
    """The page of `phones`, to be served on 127.0.0.1 at `port`."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    @app.before_request
    def only_from_here() -> None:
        if request.host not in hosts:
            abort(421, "This page is only served under the address that lab up printed.")
        if request.endpoint != "page" and request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            abort(403, "This request comes from another site.")

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[str, int, dict[str, str]]:
        # Flask's own sentence for a body that is too long speaks of "the data value transmitted".
        too_long = f"This is too long; {LONGEST} characters are the most that can be sent here."
        return (
            f"{too_long if error.code == 413 else error.description}\n",
            error.code or 500,
            {"Content-Type": "text/plain; charset=utf-8"},
        )

    @app.get("/")
    def page() -> str:
        return render_template(
            "phones.html", mode=phones.mode, mode_in_words=IN_WORDS[phones.mode], people=phones.people
        )

    @app.get("/messages")
    def messages() -> Response:
        after = request.args.get("after", 0, int)
        return jsonify(messages=[_fields(one) for one in phones.messages if one.number > after])

    @app.post("/send")
    def send() -> tuple[Response, int]:
        _must_be_ours()
        typed = request.get_json()
        if not isinstance(typed, dict):
            abort(400, "A message is a JSON object with who and text.")
        try:
            return jsonify(_fields(phones.send(typed.get("who"), typed.get("text")))), 201
        except TypingError as error:
            return jsonify(error=str(error)), 422
        except LabError as error:
            return jsonify(error=_sentence(error)), 502

    @app.get("/matrix")
    def matrix() -> Response:
        try:
            response = make_response(to_html([phones.matrix()]))
        except TypingError as error:
            return make_response(render_template("nothing.html", why=str(error)), 409)
        response.headers["Content-Security-Policy"] = _REPORT_POLICY
        return response

    return app


def _must_be_ours() -> None:
    """Other sites can post forms and plain text through a browser, but neither JSON nor with our origin."""
    if request.mimetype != "application/json":
        abort(415, "Send JSON.")
    origin = urlsplit(request.headers.get("Origin", ""))
    if (origin.scheme, origin.netloc) != ("http", request.host):
        abort(403, "This request comes from another site.")


def _fields(message: Message) -> dict[str, Any]:
    return {"number": message.number, "who": message.who, "sender": message.sender, "text": message.text}


def _sentence(error: LabError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
