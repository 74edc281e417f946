"""Pages and API of the classroom. What is decided is decided in the class; here stands who may ask for what.

Whatever is typed is text: it goes into templates through Jinja's escaping and into pages as JSON. Requests come through
`push`, which has looked at their Host header and at the length of their bodies.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import segno
from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from lab.addresses import is_loopback
from lab.classroom import guard
from lab.classroom.catalogue import Catalogue
from lab.classroom.classroom import Classroom, Face, RefusedError
from lab.classroom.model import Learner
from lab.model import LabError

_PAGES = ("home", "page", "static")
_READING = ("GET", "HEAD", "OPTIONS")
_DAYS = 24 * 60 * 60
_COOKIE_SECONDS = 180 * _DAYS
"""A term: who studies alone comes back to what was done."""
_EXPORTS = {
    "answers.csv": "text/csv; charset=utf-8",
    "cells.csv": "text/csv; charset=utf-8",
    "class.json": "application/json",
    "questions.gift": "text/plain; charset=utf-8",
}
_SENTENCES = {404: "no_such_page", 405: "wrong_method", 413: "too_long"}


def create_app(room: Classroom, limits: guard.Limits, words: Catalogue, language: str) -> Flask:
    """The pages of the class `room`, with the words of its language."""
    app = Flask(__name__)
    _protect(app, words)
    _add_pages(app, room, limits, words, language)
    _add_learners(app, room, limits, words)
    _add_teachers(app, room, words)
    return app


def _protect(app: Flask, words: Catalogue) -> None:
    @app.before_request
    def only_ours() -> None:
        fetched = request.headers.get("Sec-Fetch-Site"), request.headers.get("Sec-Fetch-Mode")
        if guard.is_foreign_read(*fetched, page=request.endpoint in _PAGES):
            abort(403, words.say("errors.other_site"))
        if request.method not in _READING:
            # Other sites can post forms and plain text through a browser, but neither JSON nor with our origin.
            if guard.is_foreign_write(request.headers.get("Origin"), request.host):
                abort(403, words.say("errors.other_site"))
            if request.get_data() and request.mimetype != "application/json":
                abort(415, words.say("errors.send_json"))

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.update(guard.HEADERS)
        return response

    @app.errorhandler(HTTPException)
    def wrong(error: HTTPException) -> Response:
        code = error.code or 500
        known = _SENTENCES.get(code) or ("broken" if code == 500 else "")
        sentence = words.say(f"errors.{known}") if known else str(error.description)
        response = _error(code, sentence)
        if isinstance(error, _TooOftenError):
            response.headers["Retry-After"] = str(error.seconds)
        return response

    @app.errorhandler(RefusedError)
    def refused(error: RefusedError) -> Response:
        return _error(error.kind.status, str(error))

    @app.errorhandler(LabError)
    def failed(error: LabError) -> Response:
        text = str(error)
        return _error(502, f"{text[:1].upper()}{text[1:]}.")


def _add_pages(app: Flask, room: Classroom, limits: guard.Limits, words: Catalogue, language: str) -> None:
    def shown(template: str, face: Face) -> str:
        return render_template(template, language=language, face=face.value, say=words.say, words=words.page(face))

    @app.get("/")
    def home() -> str:
        return shown("join.html" if _known(room) is None else "learner.html", Face.LEARNER)

    @app.get("/<any(teacher, stage):name>")
    def page(name: str) -> str | Response:
        _must_be_here(words)
        given = request.args.get("key")
        if given is None:
            _must_have_key(room, words)
            return shown(f"{name}.html", Face(name))
        _within(limits.keys.take(), words, "too_many_keys")
        if not guard.same(given, room.key):
            abort(403, words.say("errors.no_key"))
        limits.keys.give_back()
        response = _as_response(redirect(url_for("page", name=name), 303))
        response.set_cookie(guard.teacher_cookie(room.id), room.key, httponly=True, samesite="Strict")
        return response

    @app.get("/qr.svg")
    def qr() -> Response:
        # The code is for those who are in the room, where the stage view shows it; behind # it travels nowhere.
        drawn = io.BytesIO()
        address = f"{room.url}#code={room.code}" if _has_key(room) else room.url
        segno.make_qr(address).save(drawn, kind="svg", border=4, scale=8, light="#fff", dark="#000", xmldecl=False)
        return Response(drawn.getvalue(), mimetype="image/svg+xml")


def _add_learners(app: Flask, room: Classroom, limits: guard.Limits, words: Catalogue) -> None:
    @app.post("/api/join")
    def join() -> Response:
        typed = _typed(words)
        code, nickname = _text(typed, "code", words), _text(typed, "nickname", words)
        address = request.remote_addr
        # Taken before it is looked at, so that many at once are not more guesses than one after the other.
        _within(limits.wrong_codes.take(address), words, "too_many_codes")
        if not guard.same(_plain(code), room.code):
            abort(403, words.say("errors.code"))
        limits.wrong_codes.give_back(address)
        _within(limits.joins.take(), words, "too_many_joins")
        token, shown = room.join(room.code, nickname)
        response = jsonify(nickname=shown)
        response.status_code = 201
        response.set_cookie(
            guard.learner_cookie(room.id), token, max_age=_COOKIE_SECONDS, path="/", httponly=True, samesite="Strict"
        )
        return response

    @app.post("/api/leave")
    def leave() -> Response:
        _must_be_in(room, words)
        response = jsonify({})
        response.delete_cookie(guard.learner_cookie(room.id), path="/", httponly=True, samesite="Strict")
        return response

    @app.get("/api/me")
    def me() -> Response:
        return jsonify(room.me(_must_be_in(room, words)))

    @app.put("/api/answers")
    def answers() -> Response:
        learner = _must_be_in(room, words)
        _within(limits.answers.take(learner.id), words, "too_many_answers")
        typed = _typed(words)
        predictions = typed.get("predictions", {})
        if not isinstance(predictions, dict) or not all(isinstance(one, str) for one in predictions.values()):
            abort(422, words.say("errors.wrong_shape"))
        reason = None if typed.get("reason") is None else _text(typed, "reason", words)
        question, number = _number(typed, "question", words), _number(typed, "round", words)
        return jsonify(room.answer(learner, question, number, predictions, reason))

    @app.post("/api/own")
    def own() -> tuple[Response, int]:
        learner = _must_be_in(room, words)
        _within(limits.messages.take(learner.id), words, "too_many_messages")
        room.own(learner, _text(_typed(words), "text", words))
        return jsonify({}), 202

    @app.get("/api/evidence/<int:question>/<cell>")
    def evidence(question: int, cell: str) -> Response:
        teacher = _has_key(room)
        if not teacher:
            _must_be_in(room, words)
        return jsonify(room.evidence(question, cell, teacher=teacher))


def _add_teachers(app: Flask, room: Classroom, words: Catalogue) -> None:
    def must_lead() -> bool:
        """Whoever has the key leads the class; True: it is a learner, who studies alone."""
        if _has_key(room):
            return False
        if room.alone:
            _must_be_in(room, words)
            return True
        _must_be_here(words)
        _must_have_key(room, words)
        return False

    @app.post("/api/act")
    def act() -> Response:
        by_learner = must_lead()
        typed = _typed(words)
        action = _text(typed, "action", words)
        room.act(action, {name: one for name, one in typed.items() if name != "action"}, alone=by_learner)
        return jsonify({})

    @app.post("/api/play")
    def play() -> tuple[Response, int]:
        _must_be_here(words)
        _must_have_key(room, words)
        typed = _typed(words)
        room.play(_text(typed, "who", words), _text(typed, "text", words))
        return jsonify({}), 202

    @app.get("/api/lessons")
    def lessons() -> Response:
        must_lead()
        return jsonify(room.lessons())

    @app.get("/export/<name>")
    def export(name: str) -> Response:
        _must_be_here(words)
        _must_have_key(room, words)
        if name not in _EXPORTS:
            abort(404)
        response = Response(room.export(name), content_type=_EXPORTS[name])
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


# Who asks


def _known(room: Classroom) -> Learner | None:
    token = request.cookies.get(guard.learner_cookie(room.id))
    return room.learner(token) if token else None


def _must_be_in(room: Classroom, words: Catalogue) -> Learner:
    learner = _known(room)
    if learner is None:
        abort(401, words.say("errors.not_joined"))
    return learner


def _has_key(room: Classroom) -> bool:
    here = is_loopback(request.remote_addr)
    return here and guard.same(request.cookies.get(guard.teacher_cookie(room.id), ""), room.key)


def _must_be_here(words: Catalogue) -> None:
    if not is_loopback(request.remote_addr):
        abort(403, words.say("errors.only_here"))


def _must_have_key(room: Classroom, words: Catalogue) -> None:
    if not _has_key(room):
        abort(403, words.say("errors.no_key"))


class _TooOftenError(HTTPException):
    code = 429

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


def _within(wait: float, words: Catalogue, key: str) -> None:
    if wait:
        seconds = int(wait) + 1
        raise _TooOftenError(words.say(f"errors.{key}", seconds=seconds), seconds)


# What was sent


def _typed(words: Catalogue) -> dict[str, Any]:
    """The JSON object of the request, in which every text can be written as UTF-8."""
    try:
        typed = json.loads(request.get_data().decode(), parse_constant=_no_constant)
        json.dumps(typed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        abort(400, words.say("errors.not_json"))
    if not isinstance(typed, dict):
        abort(400, words.say("errors.not_json"))
    return typed


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _text(typed: Mapping[str, Any], name: str, words: Catalogue) -> str:
    return _of_kind(typed, name, str, words)


def _number(typed: Mapping[str, Any], name: str, words: Catalogue) -> int:
    return _of_kind(typed, name, int, words)


def _of_kind[Value](typed: Mapping[str, Any], name: str, kind: type[Value], words: Catalogue) -> Value:
    value = typed.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):  # which is an int, too
        abort(422, words.say("errors.wrong_shape"))
    return value


def _plain(code: str) -> str:
    """A code as it was drawn, however it was typed."""
    return "".join(code.upper().replace("-", "").split())


def _error(status: int, sentence: str) -> Response:
    if request.path.startswith("/api/"):
        response = jsonify(error=sentence)
    else:
        response = Response(f"{sentence}\n", content_type="text/plain; charset=utf-8")
    response.status_code = status
    return response


def _as_response(response: Any) -> Response:
    """Flask's redirect() promises werkzeug's response only, and makes one of the app's."""
    if not isinstance(response, Response):
        raise TypeError("a redirect of this app is one of its responses")
    return response
