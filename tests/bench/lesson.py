"""How long a further lesson takes on a stage that is up: `python -m tests.bench.lesson`."""

from __future__ import annotations

import argparse
import statistics
import time

from lab import resources, scenario
from lab.scenario.run import Session, perform
from lab.stage.stage import Stage, open_stage
from tests.bench import measure

TARGET_SECONDS = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(
        description="A further lesson on a stage that is up: played, recorded, judged (target: under 0.5 s)"
    )
    parser.add_argument("--rounds", type=int, default=9)
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    tour = scenario.load(resources.folder("scenarios") / "tour.feature.md")
    taken: dict[str, list[measure.Taken]] = {}
    with open_stage() as stage:
        for number in range(options.rounds + 1):
            for one in tour.scenarios:
                session = Session(tour, one, number)
                processor, before = _processor(stage), time.perf_counter()
                perform(session, stage, stage.directory / session.file_name, lambda _: None)
                seconds = time.perf_counter() - before
                if number:  # the first round pays for imports and caches
                    taken.setdefault(one.mode, []).append(measure.Taken(seconds, _processor(stage) - processor))
    for mode, times in taken.items():
        measure.say(f"  {mode:<24} {measure.times(times)}")
    slowest = max(statistics.median(one.seconds for one in times) for times in taken.values())
    measure.say(f"  {slowest / TARGET_SECONDS:.0%} of what it may take, in the slowest mode")


def _processor(stage: Stage) -> float:
    """Processor time so far: this process, which plays and judges, and those of the stage."""
    return time.process_time() + sum(measure.processor_seconds(child.pid) or 0.0 for child in stage.children)


if __name__ == "__main__":
    raise SystemExit(main())
