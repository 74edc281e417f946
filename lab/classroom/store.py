"""What a class keeps, in one SQLite file that only its owner can read: every change is in it before the call returns.

With a write-ahead log and synchronous=NORMAL, no death of the process can undo a change; a machine that loses power may
lose the last ones. Of the token that a learner's browser shows, the file has the SHA-256 alone. One process at a time
can have it open, with one connection, which threads use one after the other.

The key of the teacher and the code to join stand in it as they are: the command prints them again when it is started
again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any, Self

from lab import private
from lab.classroom.model import (
    Answer,
    Learner,
    Moment,
    Phase,
    Question,
    Running,
    added,
)
from lab.model import Cell, Exposure, LabError
from lab.scenario.predictions import Place, named, place_named

APPLICATION = 0x4C616243
"""What SQLite's application_id says in a file of ours ("LabC")."""
VERSION = 1
"""Of the tables. A newer file is refused, never guessed at."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE learners (id INTEGER PRIMARY KEY AUTOINCREMENT, nickname TEXT NOT NULL, token BLOB NOT NULL UNIQUE);
CREATE TABLE questions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, lesson TEXT NOT NULL, scenario INTEGER NOT NULL, cells TEXT NOT NULL,
  measured TEXT, evidence TEXT, revealed INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE predictions (
  question INTEGER NOT NULL REFERENCES questions, learner INTEGER NOT NULL REFERENCES learners ON DELETE CASCADE,
  round INTEGER NOT NULL, cell TEXT NOT NULL, exposure TEXT NOT NULL,
  PRIMARY KEY (question, learner, round, cell)
) WITHOUT ROWID;
CREATE TABLE reasons (
  question INTEGER NOT NULL REFERENCES questions, learner INTEGER NOT NULL REFERENCES learners ON DELETE CASCADE,
  round INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (question, learner, round)
) WITHOUT ROWID;
CREATE INDEX predictions_of_learner ON predictions (learner);
CREATE INDEX reasons_of_learner ON reasons (learner);
"""

type Evidence = Mapping[str, Mapping[str, Any]]
"""What each cell's evidence is, by its name, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is in the file: `tokens` by learner; `answers` by question, learner and round; `starts` counts how often
    it was opened, this time included."""

    moment: Moment
    learners: tuple[Learner, ...]
    tokens: Mapping[int, bytes]
    questions: tuple[Question, ...]
    answers: Mapping[int, Mapping[int, Mapping[int, Answer]]]
    starts: int


class Store:
    """An open state file; a new one is made where there is none. Use it as a context manager, or close it.

    LabError: the file is no class of ours, is one of a newer version, is damaged, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        try:
            with suppress(FileExistsError):
                os.close(private.create(path))
        except OSError as error:
            raise LabError(f"{path}: no state of a class can be kept here: {error.strerror}") from None
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        except sqlite3.Error as error:
            raise LabError(self._why_not(error)) from None
        try:
            self._open()
        except BaseException as error:
            self._database.close()
            if isinstance(error, sqlite3.Error):
                raise LabError(self._why_not(error)) from None
            raise

    def _open(self) -> None:
        # Exclusive before WAL: then SQLite needs no shared memory, and keeps everybody else out.
        self._run("PRAGMA locking_mode = EXCLUSIVE")
        application = self._one("PRAGMA application_id")[0]
        version = self._one("PRAGMA user_version")[0]
        empty = self._one("SELECT count(*) FROM sqlite_master")[0] == 0
        if application != APPLICATION and not (empty and application == version == 0):
            raise LabError(f"{self._path}: this is a file of another program; give another one for the class")
        if version > VERSION:
            raise LabError(
                f"{self._path}: this class was kept by a newer version of the lab; update, or give another file"
            )
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        self._run("PRAGMA foreign_keys = ON")
        with self.together():
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    self._run(statement)
                self._run(f"PRAGMA application_id = {APPLICATION}")
                self._run(f"PRAGMA user_version = {VERSION}")
            self._put("starts", str(int(self._get("starts") or "0") + 1))

    def _why_not(self, error: sqlite3.Error) -> str:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_NOTADB:
            return f"{self._path}: this is no state of a class; give another file"
        if code == sqlite3.SQLITE_BUSY:
            return f"{self._path}: another process has this class open; end it first"
        return f"{self._path}: the state of the class cannot be read: {error}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing can be kept after that."""
        with self._lock:
            self._database.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What happens within is kept as a whole, or not at all. LabError: it cannot be kept, the disk is full."""
        with self._lock:
            if self._is_within():
                yield  # as a part of what is kept already
                return
            try:
                self._run("BEGIN IMMEDIATE")
                yield
                self._run("COMMIT")
            except BaseException as error:
                if self._is_within():  # else SQLite has done it itself
                    self._run("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise LabError(f"{self._path}: nothing more can be kept here: {error}") from error
                raise

    def load(self) -> Kept:
        """Everything. LabError: the file is damaged."""
        with self._lock:
            try:
                return self._load()
            except (sqlite3.Error, ValueError, KeyError, TypeError, LabError) as error:
                raise LabError(f"{self._path}: the state of the class is damaged: {error}; give another file") from None

    def once(self, name: str, draw: Callable[[], str]) -> str:
        """What is kept under this name; the first time, what `draw` gives."""
        with self.together():
            value = self._get(name)
            if value is None:
                value = draw()
                self._put(name, value)
            return value

    def keep(self, moment: Moment) -> None:
        """Where the class is."""
        with self.together():
            self._put("moment", json.dumps(_moment_fields(moment)))

    def add_learner(self, nickname: str, token: bytes) -> Learner:
        """Somebody new; `token` is the hash of one."""
        with self.together():
            rows = self._run("INSERT INTO learners (nickname, token) VALUES (?, ?) RETURNING id", nickname, token)
            return Learner(rows[0][0], nickname)

    def change_learner(self, learner: Learner, token: bytes) -> None:
        """The same learner by another token, and perhaps another name."""
        with self.together():
            self._run("UPDATE learners SET nickname = ?, token = ? WHERE id = ?", learner.nickname, token, learner.id)

    def remove_learner(self, learner: int) -> None:
        """With everything that they have sent."""
        with self.together():
            self._run("DELETE FROM learners WHERE id = ?", learner)

    def add_question(self, lesson: str, scenario: int, cells: Sequence[Place]) -> Question:
        """The next one."""
        with self.together():
            rows = self._run(
                "INSERT INTO questions (lesson, scenario, cells) VALUES (?, ?, ?) RETURNING id",
                *(lesson, scenario, json.dumps([named(one) for one in cells])),
            )
            number = self._one("SELECT count(*) FROM questions")[0]
            return Question(rows[0][0], number, lesson, scenario, tuple(cells))

    def measured(self, question: int, cells: Sequence[Cell], evidence: Evidence) -> None:
        """What came out of the run."""
        with self.together():
            self._run(
                "UPDATE questions SET measured = ?, evidence = ? WHERE id = ?",
                *(json.dumps([_cell_fields(one) for one in cells]), json.dumps(evidence), question),
            )

    def revealed(self, question: int) -> None:
        """From now on learners may know."""
        with self.together():
            self._run("UPDATE questions SET revealed = 1 WHERE id = ?", question)

    def evidence(self, question: int) -> Evidence:
        """For each cell; {} if it was not measured."""
        with self._lock:
            rows = self._run("SELECT evidence FROM questions WHERE id = ?", question)
        found = json.loads(rows[0][0]) if rows and rows[0][0] else {}
        return found if isinstance(found, dict) else {}

    def answer(
        self, question: int, learner: int, number: int, predictions: Mapping[Place, Exposure], reason: str | None
    ) -> None:
        """What was sent in round `number`; to send the same again changes nothing."""
        with self.together():
            self._database.executemany(
                "INSERT INTO predictions VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET exposure = excluded.exposure",
                [(question, learner, number, named(place), exposure) for place, exposure in predictions.items()],
            )
            if reason is not None:
                self._run(
                    "INSERT INTO reasons VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason",
                    *(question, learner, number, reason),
                )

    def forget(self, question: int, learner: int | None) -> None:
        """The answers of one learner to one question, or everybody's."""
        with self.together():
            for table in ("predictions", "reasons"):
                self._run(
                    f"DELETE FROM {table} WHERE question = ? AND learner = coalesce(?, learner)",  # noqa: S608
                    *(question, learner),
                )

    def _load(self) -> Kept:
        learners = self._run("SELECT id, nickname, token FROM learners ORDER BY id")
        questions = self._run("SELECT id, lesson, scenario, cells, measured, revealed FROM questions ORDER BY id")
        answers: dict[int, dict[int, dict[int, Answer]]] = {}

        def add(question: int, learner: int, number: int, said: Mapping[Place, Exposure], reason: str | None) -> None:
            rounds = answers.setdefault(question, {}).setdefault(learner, {})
            rounds[number] = added(rounds.get(number, Answer()), said, reason)

        for question, learner, number, cell, exposure in self._run("SELECT * FROM predictions"):
            add(question, learner, number, {place_named(cell): Exposure(exposure)}, None)
        for question, learner, number, reason in self._run("SELECT * FROM reasons"):
            add(question, learner, number, {}, reason)
        return Kept(
            _moment(json.loads(self._get("moment") or "{}")),
            tuple(Learner(number, nickname) for number, nickname, _ in learners),
            MappingProxyType({number: token for number, _, token in learners}),
            tuple(
                Question(
                    row[0],
                    number,
                    row[1],
                    row[2],
                    tuple(map(place_named, json.loads(row[3]))),
                    None if row[4] is None else tuple(map(_cell, json.loads(row[4]))),
                    revealed=bool(row[5]),
                )
                for number, row in enumerate(questions, start=1)
            ),
            answers,
            int(self._get("starts") or "0"),
        )

    def _run(self, statement: str, *values: object) -> list[Any]:
        return self._database.execute(statement, values).fetchall()

    def _one(self, statement: str) -> Any:
        return self._run(statement)[0]

    def _is_within(self) -> bool:
        return self._database.in_transaction

    def _get(self, name: str) -> str | None:
        rows = self._run("SELECT value FROM meta WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def _put(self, name: str, value: str) -> None:
        self._run("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value)


def _moment_fields(moment: Moment) -> dict[str, Any]:
    """What a restart can go on from: of what runs, only that it was measured; of free play nothing."""
    run = moment.run
    return {
        "phase": moment.phase,
        "paused": moment.paused,
        "question": moment.question,
        "round": moment.round,
        "run": None if run is None else {"of": run.of, "measured": run.measured},
        "selected": None if moment.selected is None else named(moment.selected),
    }


def _moment(fields: Mapping[str, Any]) -> Moment:
    if not fields:
        return Moment()
    run = fields["run"]
    return Moment(
        Phase(fields["phase"]),
        bool(fields["paused"]),
        fields["question"],
        int(fields["round"]),
        None if run is None else Running(run["of"], run["of"], run["of"], measured=bool(run["measured"])),
        None,
        None if fields["selected"] is None else place_named(fields["selected"]),
    )


def _cell_fields(cell: Cell) -> list[str | None]:
    return [cell.secret, cell.observer, cell.exposure, cell.reason, cell.claimed]


def _cell(fields: Sequence[Any]) -> Cell:
    secret, observer, exposure, reason, claimed = fields
    place = place_named(f"{secret}@{observer}")
    return Cell(*place, Exposure(exposure), reason, claimed=None if claimed is None else Exposure(claimed))
