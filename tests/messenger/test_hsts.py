"""What an app remembers of services that want to be reached with TLS only (RFC 6797)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.messenger.hsts import Hsts

HOST = "chat.example"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "header",
    ["max-age=60", "max-age=60; includeSubDomains", ' includeSubDomains ; MAX-AGE="60";', "max-age=60; preload=1;;"],
)
def test_it_remembers_for_as_long_as_the_service_said(header: str) -> None:
    hsts = Hsts(clock := Clock())
    assert not hsts.knows(HOST)
    hsts.hear(HOST, header)
    assert hsts.knows(HOST)
    assert hsts.knows("CHAT.example")
    assert not hsts.knows("other.example")
    clock.now = 1059.9
    assert hsts.knows(HOST)
    clock.now = 1060.0
    assert not hsts.knows(HOST)


@pytest.mark.parametrize(
    "header", ["", "max-age", "max-age=", "max-age=-1", "max-age=1e9", "max-age=٣", "max-age=60;max-age=60", "60"]
)
def test_what_is_not_of_the_form_says_nothing(header: str) -> None:
    hsts = Hsts(Clock())
    hsts.hear(HOST, header)
    assert not hsts.knows(HOST)
    hsts.hear(HOST, "max-age=60")
    hsts.hear(HOST, header)
    assert hsts.knows(HOST)


def test_a_service_can_take_it_back() -> None:
    hsts = Hsts(Clock())
    hsts.hear(HOST, "max-age=60")
    hsts.hear(HOST, "max-age=0")
    assert not hsts.knows(HOST)


def test_an_address_is_no_host() -> None:
    hsts = Hsts(Clock())
    for host in ("127.0.0.1", "::1"):
        hsts.hear(host, "max-age=60")
        assert not hsts.knows(host)


@given(st.text())
def test_no_header_makes_it_stumble(header: str) -> None:
    Hsts(Clock()).hear(HOST, header)
