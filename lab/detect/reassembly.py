"""Puts the pieces of one byte stream together again, so that nothing hides on the border of two pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.model import Direction, Observation, Observer

STREAM = "tcp.stream"
"""The place of observations that are consecutive pieces of one direction of a connection."""

BODY = "http.body"
"""The place of observations that are consecutive pieces of the body of one message."""


def reassemble(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """Join the pieces of each direction of a connection, and of each HTTP body; the rest passes through unchanged.

    The bytes are joined in the recorded order. The joined observation stands where its first piece stood and keeps
    that piece's time and exchange.
    """
    pieces: dict[_Stream, list[bytes]] = {}
    for piece in observations:
        if (stream := _stream(piece)) is not None:
            pieces.setdefault(stream, []).append(piece.data)
    joined: list[Observation] = []
    for observation in observations:
        if (stream := _stream(observation)) is None:
            joined.append(observation)
        elif data := pieces.pop(stream, None):
            joined.append(observation if len(data) == 1 else replace(observation, data=b"".join(data)))
    return tuple(joined)


_Stream = tuple[str, Observer, str, Direction, int]


def _stream(piece: Observation) -> _Stream | None:
    """What `piece` is a piece of; None for what is whole. A stream goes on over exchanges, a body does not."""
    if piece.place not in (STREAM, BODY):
        return None
    exchange = piece.exchange if piece.place == BODY else 0
    return piece.place, piece.observer, piece.connection, piece.direction, exchange
