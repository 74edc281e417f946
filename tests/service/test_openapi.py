"""The description of the interface, and the interface held against it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lab.service.app import ServiceApp

from .conftest import Person, envelope

WITH_BODY = {"400", "413", "415", "422"}
EXPECTED = {
    ("post", "/v1/accounts"): {"201", "409", *WITH_BODY},
    ("post", "/v1/login"): {"200", "401", "429", *WITH_BODY},
    ("delete", "/v1/login"): {"204", "401"},
    ("put", "/v1/keys"): {"200", "401", *WITH_BODY},
    ("get", "/v1/accounts/{name}/keys"): {"200", "401", "404"},
    ("put", "/v1/device-list"): {"200", "401", *WITH_BODY},
    ("get", "/v1/accounts/{name}/device-list"): {"200", "401", "404"},
    ("get", "/v1/accounts/{name}/log-entry"): {"200", "401", "404"},
    ("get", "/v1/log/head"): {"200", "401"},
    ("get", "/v1/log/consistency"): {"200", "401", "404", "422"},
    ("get", "/v1/log/entries"): {"200", "401", "422"},
    ("get", "/v1/log/own-entries"): {"200", "401"},
    ("put", "/v1/devices/{device}/keys"): {"200", "401", "404", "409", *WITH_BODY},
    ("get", "/v1/devices/{device}/keys"): {"200", "401", "404"},
    ("post", "/v1/accounts/{name}/handouts"): {"200", "401", "404", *WITH_BODY},
    ("post", "/v1/conversations"): {"201", "401", *WITH_BODY},
    ("get", "/v1/conversations"): {"200", "401"},
    ("post", "/v1/conversations/{conversation}/members"): {"200", "401", "404", "409", *WITH_BODY},
    ("delete", "/v1/conversations/{conversation}/members/{account}"): {"204", "401", "404"},
    ("get", "/v1/conversations/{conversation}/encryption"): {"200", "401", "404"},
    ("post", "/v1/conversations/{conversation}/encryption"): {"200", "401", "404", "409"},
    ("put", "/v1/conversations/{conversation}/lifetime"): {"200", "401", "404", *WITH_BODY},
    ("post", "/v1/conversations/{conversation}/messages"): {"201", "401", "404", "409", *WITH_BODY},
    ("get", "/v1/conversations/{conversation}/messages"): {"200", "401", "404", "422"},
    ("get", "/v1/messages/{message}"): {"200", "401", "404", "422"},
    ("post", "/v1/messages/{message}/receipts"): {"200", "401", "403", "404", *WITH_BODY},
    ("put", "/v1/profile"): {"200", "401", *WITH_BODY},
    ("get", "/v1/accounts/{name}/profile"): {"200", "401", "404"},
    ("post", "/v1/reports"): {"201", "401", "403", "404", *WITH_BODY},
    ("get", "/v1/events"): {"200", "401", "422", "503"},
    ("post", "/v1/blobs"): {"201", "400", "401", "413", "415"},
    ("get", "/v1/blobs/{blob}"): {"200", "401", "404"},
}


def description(app: ServiceApp) -> Any:
    response = app.test_client().get("/openapi.json")
    assert response.status_code == 200
    return response.json


def test_every_operation_and_answer_is_described(app: ServiceApp) -> None:
    spec = description(app)
    assert spec["openapi"] == "3.1.0"
    found = {
        (method, path): set(operation["responses"])
        for path, operations in spec["paths"].items()
        for method, operation in operations.items()
    }
    assert found == EXPECTED


def test_errors_are_problems_and_tokens_are_asked_for(app: ServiceApp) -> None:
    spec = description(app)
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]
            public = (method, path) in {("post", "/v1/accounts"), ("post", "/v1/login")}
            assert operation.get("security", []) == ([] if public else [{"bearer": []}])


@pytest.fixture
def api(app: ServiceApp) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


# The event stream is left out: its answer does not end.
@pytest.mark.parametrize(("method", "path"), [each for each in EXPECTED if each[1] != "/v1/events"])
def test_made_up_requests_are_answered_as_described(api: Any, alice: Person, method: str, path: str) -> None:
    @seed(0)
    @settings(max_examples=10, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method.upper()].as_strategy())
    def answers_as_described(case: schemathesis.Case[Any]) -> None:
        # Named, as others would fail where a valid request is refused: most made-up names are of nobody.
        case.call_and_validate(
            headers=alice.headers,
            checks=[
                not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )

    answers_as_described()


def test_real_requests_are_answered_as_described(api: Any, alice: Person, bob: Person) -> None:
    """Made-up identifiers never hit: what is found is held against the description here."""
    conversation = alice.converse(bob)
    message = alice.say(conversation, "hello")["id"]
    identifier = conversation.rsplit("/", 1)[1]
    bob.post(f"/v1/messages/{message}/receipts", {"state": "read"})
    alice.put("/v1/keys", {"bundle": "AAAA"})
    alice.put("/v1/profile", {"display_name": "Alice", "status": "At the lake"})
    alice.has_devices(1)
    one_time = [{"id": 1, "data": "AAAA"}]
    keys = {"signed": "AAAA", "one_time": one_time, "one_time_kem": one_time}
    assert alice.put("/v1/devices/1/keys", keys).status_code == 200
    stale = {"device": 1, "envelopes": [envelope("carol")]}
    posts: list[tuple[str, dict[str, Any], object, int]] = [
        ("/v1/accounts/{name}/handouts", {"name": "alice"}, {}, 200),
        ("/v1/accounts/{name}/handouts", {"name": "alice"}, {"devices": [1]}, 200),
        ("/v1/conversations/{conversation}/messages", {"conversation": identifier}, stale, 409),
        ("/v1/reports", {}, {"message": message, "text": "hello"}, 403),
        ("/v1/conversations/{conversation}/members", {"conversation": identifier}, {"account": "bob"}, 200),
    ]
    found: list[tuple[str, dict[str, Any]]] = [
        ("/v1/conversations", {}),
        ("/v1/conversations/{conversation}/messages", {"conversation": identifier}),
        ("/v1/messages/{message}", {"message": message}),
        ("/v1/accounts/{name}/keys", {"name": "alice"}),
        ("/v1/accounts/{name}/profile", {"name": "alice"}),
        ("/v1/accounts/{name}/device-list", {"name": "alice"}),
        ("/v1/accounts/{name}/log-entry", {"name": "alice"}),
        ("/v1/log/head", {}),
        ("/v1/log/own-entries", {}),
        ("/v1/devices/{device}/keys", {"device": 1}),
    ]
    for path, parameters in found:
        case = api[path]["GET"].Case(path_parameters=parameters)
        assert case.call_and_validate(headers=alice.headers).status_code == 200
    queries: list[tuple[str, dict[str, Any]]] = [
        ("/v1/log/consistency", {"first": 1, "second": 1}),
        ("/v1/log/entries", {"start": 0, "end": 1}),
    ]
    for path, query in queries:
        case = api[path]["GET"].Case(query=query)
        assert case.call_and_validate(headers=alice.headers).status_code == 200
    for path, parameters, body, status in posts:
        case = api[path]["POST"].Case(path_parameters=parameters, body=body, media_type="application/json")
        assert case.call_and_validate(headers=alice.headers).status_code == status
    reported = api["/v1/reports"]["POST"].Case(
        body={"message": message, "text": "hello"}, media_type="application/json"
    )
    assert reported.call_and_validate(headers=bob.headers).status_code == 201
