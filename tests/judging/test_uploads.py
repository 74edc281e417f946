"""Files are uploaded apart from the message that names them: what that does to the estimates of their size."""

from __future__ import annotations

from collections.abc import Iterable

from lab import inference
from lab.model import Capture, Direction, Mode, Observation, Observer, Story
from lab.record import Record

TO_SERVICE, TO_CLIENT = Direction.TO_SERVICE, Direction.TO_CLIENT
ALICE, BOB = "1", "2"


def seen(pieces: Iterable[tuple[str, Direction, int]]) -> list[int]:
    """The lengths of the messages that the network notices in `pieces`: connection, direction, bytes."""
    observations = tuple(
        Observation(Observer.NETWORK, "tcp.stream", connection, direction, float(moment), b"x" * size)
        for moment, (connection, direction, size) in enumerate(pieces)
    )
    story = Story("uploads", "Uploads", Mode.PLAINTEXT, (Observer.NETWORK,), 0.0)
    return [
        one.length
        for one in inference.network_events(Record(Capture(story, observations=observations), Observer.NETWORK))
    ]


LISTENING = [(BOB, TO_SERVICE, 200), (BOB, TO_CLIENT, 150)]


def message(size: int) -> list[tuple[str, Direction, int]]:
    return [(ALICE, TO_SERVICE, size), (BOB, TO_CLIENT, size + 100), (ALICE, TO_CLIENT, 150)]


def upload(size: int) -> list[tuple[str, Direction, int]]:
    return [(ALICE, TO_SERVICE, size), (ALICE, TO_CLIENT, 120)]


def test_an_upload_belongs_to_the_message_right_after_it() -> None:
    assert seen([*LISTENING, *upload(5000), *message(400)]) == [5400]


def test_a_short_question_to_the_service_does_not() -> None:
    assert seen([*LISTENING, *upload(inference.UPLOAD - 1), *message(400)]) == [400]


def test_nor_does_an_upload_that_something_else_follows() -> None:
    assert seen([*LISTENING, *upload(5000), *upload(300), *message(400)]) == [400]


def test_a_long_message_is_not_counted_for_the_next_one() -> None:
    assert seen([*LISTENING, *message(5000), *message(400)]) == [5000, 400]
