"""Taps for all audits of a run, a service under test, and an audit for each test."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from lab.audit.taps import Taps, open_taps
from lab.audit.window import Audit
from lab.stage.certificates import make_authority, write_private
from lab.stage.starting import Starter
from tests.audit.services import LOOPBACK, chat
from tests.conftest import Lent

type Post = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def taps(_starter: Starter) -> Iterator[Taps]:
    with open_taps(Lent(_starter)) as taps:
        yield taps


@pytest.fixture
def audit(taps: Taps, tmp_path: Path) -> Audit:
    return Audit(lambda: taps, tmp_path / "captures", "a test", tmp_path)


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    with chat() as url:
        yield url


@pytest.fixture(scope="session")
def tls_context(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A certificate of a service's own, for use, and the file with its authority."""
    folder = tmp_path_factory.mktemp("service")
    authority = make_authority("the service's own")
    (folder / "authority.pem").write_bytes(authority.pem)
    leaf = write_private(folder / "leaf.pem", authority.issue(LOOPBACK, "localhost"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf)
    return context, str(folder / "authority.pem")


@pytest.fixture(scope="session")
def tls_service(tls_context: tuple[ssl.SSLContext, str]) -> Iterator[tuple[str, str]]:
    """A service with TLS and a certificate of its own: its URL, and the file with its authority."""
    context, authority = tls_context
    with chat(context) as url:
        yield url, authority


@pytest.fixture
def client() -> Iterator[requests.Session]:
    """A client that asks nobody but us for proxies and authorities."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
