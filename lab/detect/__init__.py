"""Finds planted secrets in observed bytes. Pure: the same input gives the same answer, without files, network, clock.

`find` is the way in; everything else in this package serves it. Secrets and observations go in, findings come out,
together with what could not be decoded. To teach it another encoding, add a function to `decoders.DECODERS`.
"""

from __future__ import annotations

from lab.detect.budget import Limits
from lab.detect.search import GaveUp, Search, find

__all__ = ["GaveUp", "Limits", "Search", "find"]
