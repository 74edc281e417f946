"""The OpenAPI 3.1 description: what APIFlask cannot know of the interface by itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from apiflask import APIFlask

from lab.service.fields import MAX_DEVICE
from lab.service.problems import MEDIA_TYPE

SECURITY = "bearer"

_DEVICE = {"type": "integer", "minimum": 1, "maximum": MAX_DEVICE}
_ADDRESS = {
    "type": "object",
    "properties": {"account": {"type": "string"}, "device": {"anyOf": [_DEVICE, {"type": "null"}]}},
    "required": ["account", "device"],
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "missing": {"type": "array", "items": _ADDRESS, "description": "Whom an envelope should be for, and is not."},
        "stale": {"type": "array", "items": _ADDRESS, "description": "Whom no envelope should be for."},
    },
    "required": ["type", "title", "status", "detail"],
}
# What any operation with a body answers to one that is malformed, too large or not JSON, besides 422.
_BODY_ERRORS = (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def configure_openapi(app: APIFlask) -> None:
    """Let `app` describe itself at /openapi.json."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        DESCRIPTION="Accounts, profiles, devices, conversations, messages, receipts, reports, blobs, an event stream.",
        # The scheme and host a client sees depend on what stands in between.
        AUTO_SERVERS=False,
        AUTO_OPERATION_ID=True,
        # Shapes as dictionaries: a model class makes APIFlask fail here.
        HTTP_ERROR_SCHEMA=_PROBLEM,
        VALIDATION_ERROR_SCHEMA=_PROBLEM,
    )
    app.security_schemes = {SECURITY: {"type": "http", "scheme": "bearer"}}
    app.spec_processor(_complete)


def _complete(spec: dict[str, Any] | str) -> dict[str, Any]:
    """Add the errors of bodies and the range of device numbers; give every error the media type of problems."""
    assert isinstance(spec, dict)  # noqa: S101 - text is what it would be in YAML
    schemas: dict[str, Any] = spec.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in spec["paths"].values():
        for operation in (part for part in path.values() if isinstance(part, dict)):
            responses = operation["responses"]
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
                for status in _BODY_ERRORS:
                    responses[str(status.value)] = {"description": status.phrase}
            for parameter in operation["parameters"]:
                if (parameter["in"], parameter["name"]) == ("path", "device"):
                    parameter["schema"] = _DEVICE
            for status, response in responses.items():
                if status.startswith(("4", "5")):
                    response["content"] = problem
    for name in ("HTTPError", "ValidationError"):
        schemas.pop(name, None)
    return spec
