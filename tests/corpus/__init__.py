"""Leaks and innocents to measure the detector with: `python -m tests.bench.corpus` prints the table.

Everything here is encoded by code that shares nothing with the detector: the standard library, other people's
packages and a few lines of our own. Only `run` knows the detector. `build(seed)` in `cases` gives all cases; the same
seed gives the same ones.
"""
