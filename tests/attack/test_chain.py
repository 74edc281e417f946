"""The whole way: apps, TLS, the front end's own observer, the malicious operator, the unchanged service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import detect
from lab.messenger.content import Content
from lab.messenger.wire import Route
from lab.model import Secret, SecretName
from lab.stage.certificates import Authority, write_private
from tests.messenger.conftest import HOST, Make

from .conftest import Operator

SECRET = Secret(SecretName.BODY, b"Meet me at 5pm")


@pytest.fixture(scope="module", params=["key_substitution", "ghost_device"])
def operator(request: pytest.FixtureRequest, start: Callable[..., Operator]) -> Operator:
    return start(request.param)


def test_behind_tls_the_operator_reads_what_its_own_front_end_cannot(
    operator: Operator,
    start: Callable[..., Operator],
    make: Make,
    authority: Authority,
    authority_file: Path,
    service_database: Path,
    tmp_path: Path,
) -> None:
    leaf = write_private(tmp_path / "front-end.pem", authority.issue(HOST))
    headers = ["|~q|X-Forwarded-Proto|https"]
    front_end = start("server_observer", before=operator.address[1], certs=[f"*={leaf}"], modify_headers=headers)
    route = Route(f"https://{HOST}", front_end.address, authority_file)
    for attacked, names in ((False, ("Alice", "Bob")), (True, ("Carol", "Dave"))):
        sender, reader = (make(name, route=route) for name in names)
        for someone in (sender, reader):
            someone.join()
        if attacked:
            is_ghost = operator.child.name == "ghost_device"
            operator.act(**({"device": reader.account} if is_ghost else {"substitute": "all"}))
        here = sender.self.start_conversation([reader.account])
        sender.self.send(here, [reader.account], Content(SECRET.value.decode()))
        assert reader.self.receive().text == SECRET.value.decode()
        read, passed = operator.recorded()[0], front_end.recorded()[0]
        assert bool(detect.find([SECRET], read).findings) is attacked
        assert len(passed) > 20
        assert detect.find([SECRET], passed).findings == ()
    at_rest = b"".join(path.read_bytes() for path in service_database.parent.iterdir())
    assert reader.account.encode() in at_rest
    assert SECRET.value not in at_rest
