"""What a class keeps: as it was, whoever was killed when, and in nobody else's hands."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from guide.lessons import BODY_AT_NETWORK, BODY_AT_SERVER, lesson, measured

from classroom.people import state_file
from lab.classroom.model import Moment, Phase, Running
from lab.classroom.store import APPLICATION, VERSION, Kept, Store
from lab.model import Exposure, LabError

ROOT = Path(__file__).resolve().parents[2]


def kept(path: Path) -> Kept:
    with Store(path) as store:
        return store.load()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Store(state_file(tmp_path)) as store:
            store.keep(Moment())
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    finally:
        os.umask(before)


def test_everything_comes_back(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    cells = tuple(measured(lesson().scenarios[0]).cells)
    with Store(path) as store:
        kim, lee = store.add_learner("Kim", b"k" * 32), store.add_learner("Lee", b"l" * 32)
        question = store.add_question("short", 0, (BODY_AT_SERVER, BODY_AT_NETWORK))
        store.answer(question.id, kim.id, 1, {BODY_AT_SERVER: Exposure.HIDDEN}, "TLS")
        store.answer(question.id, kim.id, 1, {BODY_AT_NETWORK: Exposure.HIDDEN}, None)
        store.answer(question.id, kim.id, 2, {BODY_AT_SERVER: Exposure.EXPOSED}, None)
        store.measured(question.id, cells, {"body@server": {"layers": [], "end": "It ends here."}})
        store.revealed(question.id)
        moment = Moment(Phase.REVEAL, True, question.id, 2, Running(2, 2, 2, measured=True), None, BODY_AT_SERVER)
        store.keep(moment)
        assert store.evidence(question.id)["body@server"]["end"] == "It ends here."
    found = kept(path)
    assert found.moment == moment
    assert found.learners == (kim, lee)
    assert found.tokens == {kim.id: b"k" * 32, lee.id: b"l" * 32}
    assert [(one.number, one.revealed, one.cells) for one in found.questions] == [
        (1, True, (BODY_AT_SERVER, BODY_AT_NETWORK))
    ]
    back = found.questions[0].measured
    assert back is not None
    assert [(one.secret, one.exposure, one.reason, one.claimed) for one in back] == [
        (one.secret, one.exposure, one.reason, one.claimed) for one in cells
    ]
    rounds = found.answers[question.id][kim.id]
    assert rounds[1].predictions == {BODY_AT_SERVER: Exposure.HIDDEN, BODY_AT_NETWORK: Exposure.HIDDEN}
    assert (rounds[1].reason, rounds[2].reason) == ("TLS", "")
    assert kept(path).starts == found.starts + 1


def test_the_same_answer_twice_is_one(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        kim, question = store.add_learner("Kim", b"k"), store.add_question("short", 0, (BODY_AT_SERVER,))
        for exposure in (Exposure.HIDDEN, Exposure.HIDDEN, Exposure.EXPOSED):
            store.answer(question.id, kim.id, 1, {BODY_AT_SERVER: exposure}, "because")
        answers = store.load().answers[question.id][kim.id]
        assert answers[1].predictions == {BODY_AT_SERVER: Exposure.EXPOSED}


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        kim, lee = store.add_learner("Kim", b"k"), store.add_learner("Lee", b"l")
        question = store.add_question("short", 0, (BODY_AT_SERVER,))
        for one in (kim, lee):
            store.answer(question.id, one.id, 1, {BODY_AT_SERVER: Exposure.HIDDEN}, "because")
        store.forget(question.id, kim.id)
        assert set(store.load().answers[question.id]) == {lee.id}
        store.remove_learner(lee.id)
        assert store.load().answers == {}
        assert store.load().learners == (kim,)
        again = store.add_learner("Lee", b"l")
        assert again.id != lee.id


def add_twice(store: Store) -> None:
    for _ in range(2):
        store.add_learner("Kim", b"the same token")


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with Store(state_file(tmp_path)) as store:
        with pytest.raises(LabError, match="nothing more can be kept"), store.together():
            add_twice(store)
        with pytest.raises(LabError, match="nothing more can be kept"):
            store.add_question("short", None, ())  # type: ignore[arg-type]
        assert store.load().learners == ()
        assert store.load().questions == ()


def test_drawn_once(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        assert store.once("code", lambda: "FIRST") == "FIRST"
    with Store(path) as store:
        assert store.once("code", lambda: "SECOND") == "FIRST"


def test_threads_take_turns(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        question = store.add_question("short", 0, (BODY_AT_SERVER, BODY_AT_NETWORK))

        def take_part(number: int) -> None:
            one = store.add_learner(f"Kim {number}", bytes([number]))
            for place in (BODY_AT_SERVER, BODY_AT_NETWORK):
                store.answer(question.id, one.id, 1, {place: Exposure.HIDDEN}, None)

        threads = [threading.Thread(target=take_part, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    answers = kept(path).answers[question.id]
    assert len(answers) == 8
    assert all(len(rounds[1].predictions) == 2 for rounds in answers.values())


# Files that are not ours to read


def refusal(path: Path) -> str:
    with pytest.raises(LabError) as refused:
        Store(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    path.write_bytes(b"Dear diary, " * 100)
    assert "no state of a class" in refusal(path)
    assert path.read_bytes() == b"Dear diary, " * 100


def test_a_database_of_another_program_stays_as_it_is(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE diary (day TEXT)")
    database.close()
    before = path.read_bytes()
    assert "another program" in refusal(path)
    assert path.read_bytes() == before


def test_a_newer_file(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    Store(path).close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.commit()
    database.close()
    assert "newer version" in refusal(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    Store(path).close()
    database = sqlite3.connect(path)
    database.execute("INSERT INTO meta VALUES ('moment', '{\"phase\": \"dancing\"}')")
    database.commit()
    database.close()
    with Store(path) as store, pytest.raises(LabError, match="is damaged"):
        store.load()


def test_a_file_that_is_open_elsewhere(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path):
        assert "another process" in refusal(path)


def test_no_place_for_a_file(tmp_path: Path) -> None:
    refusal(tmp_path / "nowhere" / "class.sqlite")
    refusal(tmp_path)


def test_an_empty_file_is_a_new_class(tmp_path: Path) -> None:
    # As it is when the command was killed between making the file and filling it.
    path = state_file(tmp_path)
    path.touch()
    assert kept(path).learners == ()


# Killed in the middle

KILLED = """
import sys
from pathlib import Path
from lab.classroom.store import Store
from lab.model import Exposure, Observer, SecretName

with Store(Path(sys.argv[1])) as store:
    question = int(sys.argv[2])
    for line in sys.stdin:
        learner, word = line.split()
        store.answer(question, int(learner), 1, {(SecretName.BODY, Observer.SERVER): Exposure(word)}, "because")
        print(line, end="", flush=True)
"""


def test_no_vote_is_lost_or_doubled_when_the_process_is_killed(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        question = store.add_question("short", 0, (BODY_AT_SERVER,))
        learners = [store.add_learner(f"Kim {number}", bytes([number])) for number in range(40)]
    words = ["hidden", "exposed"]
    said = {one.id: words[one.id % 2] for one in learners}
    acknowledged: set[int] = set()
    for stop_after in (0, 7, 13, len(learners)):  # each time everybody who knows of no answer sends again
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(question.id)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        with child:
            assert child.stdin is not None
            assert child.stdout is not None
            waiting = [one.id for one in learners if one.id not in acknowledged]
            # Some more than are waited for, so that it is killed while it works.
            child.stdin.write("".join(f"{one} {said[one]}\n" for one in waiting))
            child.stdin.flush()
            for _ in range(min(stop_after, len(waiting))):
                acknowledged.add(int(child.stdout.readline().split()[0]))
            child.send_signal(signal.SIGKILL)
        found = kept(path).answers.get(question.id, {})
        assert acknowledged <= set(found)
        assert all(one[1].predictions == {BODY_AT_SERVER: said[learner]} for learner, one in found.items())
    assert acknowledged == set(said)
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM predictions").fetchone() == (len(learners),)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_there_is_a_write_ahead_log(tmp_path: Path) -> None:
    path = state_file(tmp_path)
    with Store(path) as store:
        store.keep(Moment())
        assert path.with_name(f"{path.name}-wal").exists()
    assert not path.with_name(f"{path.name}-wal").exists()
