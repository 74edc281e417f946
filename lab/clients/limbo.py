"""The cases of x509-limbo (https://x509-limbo.com), from a file of the user's: limbo.json.

Limbo gives validators a certificate, a name, a time and the trusted authorities. A live client has a clock and
settings of its own, so that some cases cannot be shown to it; they are listed with the reason. Each name that the cases
use gets a control: a valid certificate for it, made by the lab.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from lab.clients.builtin import VALID, built_in, control
from lab.clients.case import LOCALHOST, Case, Expectation, Material, NotServable
from lab.model import LabError

RULE = "x509-limbo"
PEDANTIC = "pedantic-"
"""Features that begin so mark what a careful issuer avoids and a client may let pass."""

CLIENTS_OWN = {
    "max-chain-depth": "needs a client with a limit on the length of chains",
    "has-crl": "needs a client with this list of revoked certificates",
}


class _PeerName(BaseModel):
    kind: str
    value: str


class _Testcase(BaseModel):
    """The members of limbo-schema.json that matter here."""

    id: str
    features: list[str]
    description: str
    validation_kind: str
    trusted_certs: list[str]
    untrusted_intermediates: list[str]
    peer_certificate: str
    peer_certificate_key: str | None
    validation_time: str | None
    expected_result: Literal["SUCCESS", "FAILURE"]
    expected_peer_name: _PeerName | None


class _Limbo(BaseModel):
    version: Literal[1]
    testcases: list[_Testcase]


def read(path: Path) -> tuple[Case, ...]:
    """All cases whose key is in the file, and the controls before them. LabError: this is not such a file."""
    try:
        limbo = _Limbo.model_validate_json(path.read_bytes())
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise LabError(f"{path}: no x509-limbo file of version 1: {where}: {first['msg']}") from None
    with_key = [one for one in limbo.testcases if one.peer_certificate_key is not None]
    if not with_key:
        raise LabError(f"{path}: no case in it has the server's key, so none can be served")
    names = dict.fromkeys(_host(one) for one in with_key if _obstacle(one) is None)
    return (*_controls(list(names)), *(_case(one) for one in with_key))


def _controls(names: Sequence[str]) -> list[Case]:
    simplest = next(case for case in built_in() if case.name == VALID)
    return [simplest, *(control(name, _control(name)) for name in names if name != LOCALHOST)]


def _control(host: str) -> str:
    return VALID if host == LOCALHOST else f"{VALID}::{host}"


def _host(one: _Testcase) -> str:
    return one.expected_peer_name.value if one.expected_peer_name else LOCALHOST


def _case(one: _Testcase) -> Case:
    host, obstacle = _host(one), _obstacle(one)
    if any(feature.startswith(PEDANTIC) for feature in one.features):
        expected = Expectation.EITHER
    else:
        expected = Expectation.ACCEPT if one.expected_result == "SUCCESS" else Expectation.REFUSE

    def make() -> Material:
        if obstacle is not None:
            raise NotServable(obstacle)
        return Material(
            "".join(one.trusted_certs).encode(),
            "".join((one.peer_certificate, *one.untrusted_intermediates)).encode(),
            (one.peer_certificate_key or "").encode(),
        )

    twin = _control(host) if obstacle is None else None
    return Case(one.id, _sentence(one.description), RULE, expected, make, twin, host)


def _obstacle(one: _Testcase) -> str | None:
    """Why a live client cannot be shown this case; None: it can."""
    if one.validation_kind != "SERVER":
        return "is about the certificate of a client"
    if one.validation_time is not None:
        return f"is about one moment ({one.validation_time}); a live client has its own clock"
    for feature in one.features:
        if feature in CLIENTS_OWN:
            return CLIENTS_OWN[feature]
    if one.expected_peer_name is None:
        return "names no server to ask for"
    if one.expected_peer_name.kind not in ("DNS", "IP"):
        return "the name to ask for is no host"
    return None


def _sentence(description: str) -> str:
    """The first sentence that says something about the case: before it there may be a drawing of the chain."""
    text = re.sub(r"```.*?```", " ", description, flags=re.DOTALL)
    sentences = re.split(r"(?<=[.:])\s+(?=[A-Z>])", re.sub(r"[*`]", "", text).strip())
    telling = (one for one in sentences if not one.startswith(("Produces the", "Produces an", "This is, ")))
    return " ".join(next(telling, sentences[0]).split())
