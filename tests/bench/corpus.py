"""How much of a corpus of leaks is found, and what is found that is none: `python -m tests.bench.corpus`.

Values and compositions are fresh at every run; `--seed` repeats one.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable

from tests.bench import measure
from tests.corpus import cases
from tests.corpus.case import Expect
from tests.corpus.run import SECONDS, Outcome, run

TARGET = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Leaks that are found and innocents that are not (target: 95 % of the leaks, no false alarm)"
    )
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of all values drawn")
    parser.add_argument("--class", dest="group", help="only the cases of this class")
    parser.add_argument("--case", help="only the cases with this in their names; shows what was found")
    parser.add_argument("--fresh", type=int, default=200, help="random compositions (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for one case (default: %(default)s)")
    parser.add_argument("--misses", action="store_true", help="name every case that was not as expected")
    return measure.run(_measure, parser)


def _measure(options: argparse.Namespace) -> None:
    measure.say(f"  seed {options.seed}")
    wanted = [
        case
        for case in [*cases.known(options.seed), *cases.compositions(options.seed, options.fresh)]
        if options.group in (None, case.group) and (options.case or "") in case.name
    ]
    outcomes = list(run(wanted, options.seconds))
    measure.say(
        f"\n  {'class':<20} {'cases':>6} {'found':>6} {'%':>6} {'elsewhere':>10} {'false':>6} {'gave up':>8} "
        f"{'replay':>7} {'ms each':>8}"
    )
    leaks = [one for one in outcomes if leaky(one)]
    for some in (leaks, [one for one in outcomes if not leaky(one)]):
        for group in dict.fromkeys(one.case.group for one in some):
            measure.say(row(group, [one for one in some if one.case.group == group]))
    if leaks:
        found = sum(one.found for one in leaks)
        measure.say(
            f"\n  {found} of {len(leaks)} leaks found: {found / len(leaks):.1%} (target {TARGET:.0%}); "
            f"{sum(bool(one.false_alarms) for one in outcomes)} false alarms in {len(outcomes)} cases"
        )
    if options.misses or options.case:
        for line in wrong(outcomes):
            measure.say(f"  {line}")
    if options.case:
        for one in outcomes:
            measure.say(f"  {one.case.group} / {one.case.name}: {' → '.join(one.chain) or '-'} {one.gave_up or ''}")


def leaky(outcome: Outcome) -> bool:
    return outcome.case.expect in (Expect.WHOLE, Expect.PARTIAL, Expect.DIGEST)


def row(group: str, outcomes: list[Outcome]) -> str:
    found = sum(one.found for one in outcomes)
    return (
        f"  {group:<20} {len(outcomes):6} {found:6} {found / len(outcomes):6.1%} "
        f"{sum(bool(one.place) for one in outcomes):10} {sum(bool(one.false_alarms) for one in outcomes):6} "
        f"{sum(bool(one.gave_up) for one in outcomes):8} {sum(one.replayed is False for one in outcomes):7} "
        f"{1000 * sum(one.seconds for one in outcomes) / len(outcomes):8.1f}"
    )


def wrong(outcomes: Iterable[Outcome]) -> list[str]:
    """A line for everything that is not as expected."""
    lines: list[str] = []
    for one in outcomes:
        name = f"{one.case.group} / {one.case.name}"
        if not one.found and leaky(one):
            lines.append(f"missed      {name}{f' ({one.note})' if one.note else ''}")
        elif not one.found and one.case.expect is Expect.GAVE_UP:
            lines.append(f"not said    {name}: it cannot be looked into")
        if one.place:
            lines.append(f"elsewhere   {name}: at {one.place}, expected {' or '.join(one.case.places)}")
        if one.replayed is False:
            lines.append(f"not again   {name}: {' → '.join(one.chain)}")
        lines += (
            f"false alarm {name}: {'decoy of ' if alarm.decoy else ''}{alarm.secret} by {alarm.decoders}, "
            f"partial {alarm.partial}, {alarm.excerpt!r}"
            for alarm in one.false_alarms[:3]
        )
        if one.gave_up and one.case.expect is not Expect.GAVE_UP:
            lines.append(f"gave up     {name}: {one.gave_up[0]}")
        if one.seconds > 1:
            lines.append(f"slow        {name}: {one.seconds:.1f} s")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
