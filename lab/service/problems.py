"""Errors as problem details (RFC 9457): one exception, one response format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apiflask import APIFlask, HTTPError
from flask import Response, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

MEDIA_TYPE = "application/problem+json"

type FieldErrors = dict[str, list[str]]


class ProblemError(Exception):
    """A request that is refused: a 4xx or 5xx status, one sentence for the client and further response headers."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, errors: FieldErrors | None = None
) -> Response:
    """A response whose body is a problem; `errors` maps the path of a field to what is wrong with it."""
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
    }
    if errors:
        problem["errors"] = errors
    return Response(current_app.json.dumps(problem), status, headers, content_type=MEDIA_TYPE)


def register_problem_handlers(app: APIFlask, log_exception: Callable[[BaseException], None]) -> None:
    """Answer every error of `app` with a problem; unexpected ones go to `log_exception` and answer 500."""

    def refused(error: ProblemError) -> Response:
        return problem_response(error.status, error.detail, error.headers)

    def invalid(error: HTTPError) -> Response:
        # APIFlask nests the messages of each field below the place they were found in ("json", "query").
        errors = {field: messages for found in error.detail.values() for field, messages in found.items()}
        return problem_response(error.status_code, "The request does not match its schema.", errors=errors)

    def http_error(error: HTTPException) -> Response:
        headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
        return problem_response(error.code or 500, error.description or "", headers)

    def unexpected(error: Exception) -> Response:
        log_exception(error)
        return problem_response(500, "The service failed; the error is in its log.")

    app.register_error_handler(ProblemError, refused)
    app.register_error_handler(HTTPError, invalid)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)
