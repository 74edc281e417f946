"""What is wrong with a lesson file: one `LessonError` per problem, all of them together as `LessonErrors`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.model import LabError


class LessonError(LabError):
    """One problem of a lesson file. `line` is 1-based; `str()` is `path:line: message`."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


class LessonErrors(LabError):  # noqa: N818 - there are several in it
    """All problems of one lesson file: `problems` is never empty and sorted by line. `str()` has a line for each."""

    def __init__(self, problems: Iterable[LessonError]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(map(str, self.problems)))


class Problems:
    """Collects the problems of one file while it is read, so that an author sees all of them at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[LessonError] = []

    def add(self, line: int, message: str) -> None:
        """Note a problem of this line (1-based); the message is one sentence, without a full stop."""
        self._found.append(LessonError(self._path, line, message))

    def any_between(self, first: int, last: int) -> bool:
        """Whether a problem stands in lines `first` to `last`, both included."""
        return any(first <= problem.line <= last for problem in self._found)

    @property
    def found(self) -> bool:
        """Whether there is any problem."""
        return bool(self._found)

    def error(self) -> LessonErrors:
        """What to raise once something was found."""
        return LessonErrors(self._found)
