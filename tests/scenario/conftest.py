from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.scenario import LessonErrors, parse

LESSON = """\
# Feature: A short lesson

```toml
minutes = { demo = 5, self_study = 15 }
misconceptions = ["https-hides-from-the-service"]
```

Alice writes to Bob.

## Scenario: The operator reads along

The service uses HTTPS.

* Given a message service in tls mode
* And the secrets body, size
* When alice sends bob "Meet me at 5pm"
* Then the observers can read

  |      | network  | server   | database |
  | ---- | -------- | -------- | -------- |
  | body | hidden   | exposed  | exposed  |
  | size | inferred | inferred | inferred |

### If you predicted body at server hidden

TLS ends at the service.
"""


@pytest.fixture(autouse=True)
def _lent(lend: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    lend(monkeypatch)


type Refused = Callable[..., list[str]]


@pytest.fixture
def lesson() -> str:
    """A short valid lesson."""
    return LESSON


@pytest.fixture
def refused() -> Refused:
    """Calls `parse`, which must refuse, and gives each problem as "line: message"."""

    def refused(text: str, file_name: str = "short.feature.md") -> list[str]:
        with pytest.raises(LessonErrors) as caught:
            parse(text, Path(file_name))
        return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]

    return refused


@pytest.fixture
def change(lesson: str) -> Callable[[str, str], str]:
    """The short lesson with one text in it replaced, which must be there exactly once."""

    def change(old: str, new: str) -> str:
        assert lesson.count(old) == 1, f"{lesson.count(old)} times in the lesson: {old!r}"
        return lesson.replace(old, new)

    return change
