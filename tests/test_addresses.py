"""Which names and addresses lead back to this machine."""

from __future__ import annotations

import pytest

from lab.addresses import is_here, is_loopback


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("192.0.2.7", False), ("", False), (None, False)],
)
def test_loopback(address: str | None, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ("host", "expected"), [("localhost", True), ("::1", True), ("192.0.2.7", False), ("there", False)]
)
def test_here(host: str, expected: bool) -> None:
    assert is_here(host) is expected
