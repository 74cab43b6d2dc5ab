"""Writes docs/ehr-faults.md from the faults that the tests make happen, so that the two cannot disagree."""

import sys
from pathlib import Path

# The tests are no installed package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from adapter.http.retry import TRIES
from tests.hostile.fault import End, Fault
from tests.hostile.faults import GROUPS
from tests.hostile.moves import MOVES

TARGET = Path(__file__).with_name("ehr-faults.md")
PEERS = Path(__file__).parents[1] / "benchmarks" / "peers.md"
"""What ``python -m benchmarks.peers`` wrote when it was last run."""
INTRODUCTION = f"""# What an EHR can do wrong, and what a run does then

Written by `make docs` from the faults in `tests/hostile`, which `pytest tests/hostile` makes happen on a real server:
{sum(map(len, GROUPS.values())) + len(MOVES)} of them, on the first, a middle and the last page of a search where that
makes a difference.

- **incomplete**: the run stops there and says so. Nobody gets new access, nobody loses access for being missing, and
  the marks stay, so the next run reads the same again. What the EHR said outright before the fault (inactive, ended,
  Authority none) still takes effect.
- **complete**: everything was read; nobody needs to do anything.
- **put aside**: one record is damaged. It is kept out and becomes a finding; everything else is read, and the run is
  complete.

A passing trouble (no connection, 408, 425, 429, 5xx) is asked about {TRIES} times in all, with the wait that the EHR
asks for, at most a minute, before the run gives up. The token goes to the origin in `base_url` only, whatever a link, a
redirect or a header says. [The decision](adr/0012-hostile-ehr.md).
"""


def text() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for title, faults in GROUPS.items():
        rows = "\n".join(_row(fault) for fault in faults)
        parts.append(f"## {title}\n\n| The EHR … | The run is | The admin is told |\n|---|---|---|\n{rows}\n")
    rows = "\n".join(f"| {move.does} | {move.then} |" for move in MOVES)
    parts.append(f"## Over time\n\n| The EHR … | What follows |\n|---|---|\n{rows}\n")
    if PEERS.exists():
        parts.append(PEERS.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _row(fault: Fault) -> str:
    end = {End.INCOMPLETE: "incomplete", End.COMPLETE: "complete", End.ASIDE: "complete, record put aside"}[fault.end]
    return f"| {fault.does} | {end} | {f'… {fault.told}' if fault.told else '–'} |"


def main() -> None:
    """Writes the file anew."""
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
