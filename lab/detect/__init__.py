"""Finds planted secrets in observed bytes. Pure: the same input gives the same answer, without files, network, clock.

`find` and `Detector` are the way in; everything else in this package serves them. Secrets and observations go in,
findings come out, together with what could not be decoded. To teach it another encoding, add a function to
`decoders.DECODERS`.
"""

from __future__ import annotations

from lab.detect.budget import RECORD, Limits
from lab.detect.patterns import Wanted
from lab.detect.salted import Session
from lab.detect.search import Alike, Detector, Search, find
from lab.detect.walk import GaveUp

__all__ = ["RECORD", "Alike", "Detector", "GaveUp", "Limits", "Search", "Session", "Wanted", "find"]
