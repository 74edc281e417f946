"""Errors as problem details (RFC 9457): one exception, one response format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apiflask import APIFlask, HTTPError
from flask import Response, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A request that is refused: a 4xx or 5xx status and one sentence for the client.

    `headers` are further headers of the response, `members` further members of the problem (RFC 9457, section 3.2).
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def problem_response(
    status: int, detail: str, headers: Mapping[str, str] | None = None, members: Mapping[str, object] | None = None
) -> Response:
    """A response whose body is a problem, with `members` in addition to those that every problem has."""
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
        **(members or {}),
    }
    return Response(current_app.json.dumps(problem), status, headers, content_type=MEDIA_TYPE)


def register_problem_handlers(app: APIFlask, log_exception: Callable[[BaseException], None]) -> None:
    """Answer every error of `app` with a problem; unexpected ones go to `log_exception` and answer 500."""

    def refused(error: ProblemError) -> Response:
        return problem_response(error.status, error.detail, error.headers, error.members)

    def invalid(error: HTTPError) -> Response:
        # APIFlask nests the messages of each field below the place they were found in ("json", "query").
        errors = {field: messages for found in error.detail.values() for field, messages in found.items()}
        detail = "The request does not match its schema."
        return problem_response(error.status_code, detail, members={"errors": errors})

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
