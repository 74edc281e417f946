"""Who acts in a session, besides those who only read: each an addon of its own, in a process of its own.

participants ═▶ network tap ═▶ [on the path] ═▶ server tap (ends TLS) ═▶ [behind it] ═▶ service
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lab.stage.certificates import Flaw

INTERCEPTOR, DOWNGRADE, MEDDLER, KEY_SUBSTITUTION, GHOST = (
    "interceptor",
    "downgrade",
    "meddler",
    "key_substitution",
    "ghost_device",
)
"""Files in addons/."""

RECORD_WHAT_THEY_OPEN = frozenset({KEY_SUBSTITUTION, GHOST})
"""Those with keys that open something. Others behind the front end get nothing that it does not record itself."""

ATTACKERS_OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType({DOWNGRADE: ("connection_strategy=lazy",)})
"""Options with which an addon has to start."""


def on_the_path(addon: str) -> str:
    """What the process with this addon on the path is called; one behind the front end has the addon's own name."""
    return f"{addon} on the path"


@dataclass(frozen=True, slots=True)
class Attackers:
    """The attackers of one session; nobody, unless said otherwise.

    `on_path` is the addon that all participants have to pass, "" for none; an interceptor shows a certificate with this
    `flaw`, None for one that devices accept where its authority is installed. `behind` are those between front end and
    service, which let everything through until they are told to act (`Stage.act`).
    """

    on_path: str = ""
    flaw: Flaw | None = None
    behind: tuple[str, ...] = ()


NOBODY = Attackers()
