"""The attackers of a scenario: which addons they take on the stage, and what steps of the story tell them to do."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lab.attack.bitflip import place
from lab.e2ee.static_x3dh import HEADER
from lab.model import Encryption
from lab.scenario.lesson import (
    AddGhost,
    AddGhostDevice,
    Certificate,
    DenyKeys,
    ForkLog,
    Intercept,
    Meddling,
    RefuseToConnect,
    Scenario,
    SendChanged,
    SendMeddled,
    SubstituteKeys,
    SubstituteNearKeys,
)
from lab.stage.attackers import DOWNGRADE, GHOST, INTERCEPTOR, KEY_SUBSTITUTION, MEDDLER, Attackers, on_the_path
from lab.stage.certificates import Flaw
from lab.stage.stage import Stage, Venue

FLAWS = {
    Certificate.TRUSTED: None,
    Certificate.UNTRUSTED: Flaw.UNKNOWN_AUTHORITY,
    Certificate.SELF_SIGNED: Flaw.SELF_SIGNED,
    Certificate.EXPIRED: Flaw.EXPIRED,
    Certificate.MISNAMED: Flaw.WRONG_NAME,
}

_DEEDS = {
    Meddling.CHANGES: "flip",
    Meddling.REPEATS: "replay",
    Meddling.REORDERS: "reorder",
    Meddling.DROPS: "drop",
    Meddling.TRUNCATES: "truncate",
    Meddling.MISDELIVERS: "cross-deliver",
}

_BEHIND = {
    DenyKeys: DOWNGRADE,
    SendMeddled: MEDDLER,
    SendChanged: MEDDLER,
    SubstituteKeys: KEY_SUBSTITUTION,
    SubstituteNearKeys: KEY_SUBSTITUTION,
    ForkLog: KEY_SUBSTITUTION,
    AddGhost: GHOST,
    AddGhostDevice: GHOST,
}
"""For the steps that the operator acts in: what does that between front end and service."""

_IDLE: dict[str, dict[str, Any]] = {
    DOWNGRADE: {"take": "nothing"},
    KEY_SUBSTITUTION: {"stop": {}},
    GHOST: {"stop": {}},
}
"""What an attacker that was used in a session before is told first."""


def attackers_of(scenario: Scenario) -> Attackers:
    """Who acts in a session of `scenario`."""
    behind = dict.fromkeys(_BEHIND[type(step.action)] for step in scenario.steps if type(step.action) in _BEHIND)
    if scenario.interceptor is not None:
        return Attackers(INTERCEPTOR, FLAWS[scenario.interceptor], tuple(behind))
    return Attackers(DOWNGRADE if scenario.strips_tls else "", behind=tuple(behind))


def needs_installed_authority(scenario: Scenario) -> bool:
    """Whether there is an interceptor whose authority is on the devices."""
    shown = {step.action.certificate for step in scenario.steps if isinstance(step.action, Intercept | RefuseToConnect)}
    return Certificate.TRUSTED in shown


class OpponentError(Exception):
    """An attacker could not do what the story tells: one sentence."""


class Opponents:
    """What a story tells the attackers of a session to do. ChildError comes out of every method: it was not done."""

    def __init__(self, stage: Stage, venue: Venue, scenario: Scenario) -> None:
        self._stage = stage
        self._venue = venue
        self._encryption = scenario.encryption
        attackers = attackers_of(scenario)
        for addon in attackers.behind:
            if addon in _IDLE:
                stage.act(addon, _IDLE[addon])
        if attackers.on_path == DOWNGRADE:
            stage.act(on_the_path(DOWNGRADE), {"take": "tls"})

    def deny_keys(self) -> None:
        """From now on nobody has keys, as far as the apps are told."""
        self._stage.act(DOWNGRADE, {"take": "keys"})

    def substitute_keys(self) -> None:
        """From now on stand between each two accounts."""
        self._stage.act(KEY_SUBSTITUTION, {"substitute": "all", "encryption": self._encryption})

    def substitute_chosen(self, keys: Mapping[str, bytes]) -> None:
        """From now on stand between these accounts, in place of each with this account key (Ed25519, private)."""
        chosen = {account: base64.b64encode(key).decode("ascii") for account, key in keys.items()}
        orders = {"substitute": list(keys), "encryption": self._encryption, "account_keys": chosen}
        self._stage.act(KEY_SUBSTITUTION, orders)

    def fork_log(self, accounts: Sequence[str]) -> None:
        """From now on stand between these accounts, and keep a second log for each of them."""
        log = str(self._venue.behind.directory / "database.sqlite")
        orders = {"substitute": list(accounts), "encryption": self._encryption, "split": log}
        self._stage.act(KEY_SUBSTITUTION, orders)

    def haunt(self, ghost: str, conversation: str) -> None:
        """Make `ghost`, an account that nobody has, a member of `conversation`."""
        self._stage.act(GHOST, {"member": ghost, "conversations": [conversation], "encryption": self._encryption})

    def haunt_account(self, account: str) -> None:
        """From now on let `account` have one more device, in a list that is signed with another key than its own."""
        self._stage.act(GHOST, {"device": account, "encryption": self._encryption})

    def stand_in(self, certificate: Certificate) -> tuple[str, int]:
        """Where somebody answers in place of the service with such a certificate."""
        return self._stage.stand_in(self._venue, FLAWS[certificate])

    def meddle_with_tls(self, meddling: Meddling) -> tuple[str, int]:
        """Where somebody does that to the next thing that an app says under TLS."""
        return self._stage.meddle_with_tls(self._venue, {"do": _DEEDS[meddling]})

    @contextmanager
    def meddling(self) -> Iterator[None]:
        """Something is done to a message in here: OpponentError, if at the end it was not."""
        before = self._meddled()
        yield
        if self._meddled() == before:
            raise OpponentError("the operator had no chance to do to a message what it was to do")

    def meddle(self, meddling: Meddling) -> None:
        """Do that to the next message."""
        self._stage.act(MEDDLER, {"do": _DEEDS[meddling]})

    def change(self, conversation: str, text: str, old: str, new: str) -> None:
        """Make `new` of `old`, which has one other byte, in the next message, said to be `text` in `conversation`.

        The place is right for an envelope without authentication; in another one, some byte is changed.
        """
        before, was, becomes = text.partition(old)[0], old.encode(), new.encode()
        byte = next(at for at in range(len(was)) if was[at] != becomes[at])
        at = place(conversation, before) + byte
        if self._encryption is not Encryption.RSA:  # which has no header
            at += HEADER
        self._stage.act(MEDDLER, {"do": "flip", "at": at, "xor": was[byte] ^ becomes[byte]})

    def _meddled(self) -> int:
        return len(self._stage.act(MEDDLER, {"done": {}})["done"])
