"""Many random histories, compared with the oracle: ``python -m tests.oracle --steps 1000000 --seed 1``."""

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.oracle.history import begin_history, random_round
from tests.oracle.judge import Disagreement
from tests.oracle.known import KNOWN
from tests.oracle.site import make_template

SIZES = ((40, 20), (40, 20), (40, 20), (12, 30), (4, 40))
"""Families and rounds of a history: large ones for volume, small ones in which the product acts more often."""
REPORT_EVERY = 50_000


def run(
    steps: int,
    seed: int,
    folder: Path,
    *,
    sizes: Sequence[tuple[int, int]] = SIZES,
    done: Counter[str] | None = None,
    beyond: bool = False,
) -> Counter[str]:
    """Histories until so many steps are done; what was done and judged, kept up to date in ``done`` meanwhile.

    Raises Disagreement, naming the history.
    """
    template = make_template(folder)
    done = Counter() if done is None else done
    number = 0
    while done["steps"] < steps:
        random = Random(f"{seed}/{number}")
        families, rounds = random.choice(sizes)
        history = begin_history(
            folder / str(number), template, random.choice, families=families, known=KNOWN, beyond=beyond
        )
        try:
            for _ in range(rounds):
                random_round(history, random)
        except Disagreement as error:
            trail = "\n  ".join(history.trail[-60:])
            error.add_note(f"in history {seed}/{number} of {families} families, after\n  {trail}")
            raise
        finally:
            history.site.close()
        before = done["steps"]
        done["steps"] += history.steps.total()
        done["histories"] += 1
        done.update(history.steps | history.judge.tally)
        done.update({f"known disagreement: {kind}": count for kind, count in history.judge.excused.items()})
        number += 1
        if done["steps"] // REPORT_EVERY > before // REPORT_EVERY:
            print(f"{done['steps']:,} steps, {done['histories']:,} histories", file=sys.stderr, flush=True)
        for left in (folder / str(number - 1)).iterdir():
            left.unlink()
    return done


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", type=int, help="in each practice; different ones when left out")
    parser.add_argument("--beyond", action="store_true", help="also take runs back, and with tight brakes")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background, where a shell ignores it
    began = time.monotonic()
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            sizes = ((options.families, 40),) if options.families else SIZES
            run(options.steps, options.seed, Path(folder), sizes=sizes, done=done, beyond=options.beyond)
        except Disagreement as error:
            print(error, *error.__notes__, sep="\n")
            return 1
        except KeyboardInterrupt:
            print("Stopped early; this is what was done.")
    seconds = time.monotonic() - began
    for what, count in sorted(done.items(), key=lambda item: -item[1]):
        print(f"{count:>12,}  {what}")
    print(f"No disagreement with the oracle in {done['steps']:,} steps; {seconds:.0f} s, seed {options.seed}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
