"""Whether a full run was as large and as slow as such runs usually are.

An EHR that suddenly shows half of its patients, or answers a thousand questions in no time, may answer without an error
and still not have told everything. The middle of the last runs is what is usual: one odd run does not move it, and
what has really changed is usual after a few.
"""

from collections.abc import Sequence
from statistics import median

import msgspec

RUNS = 7
"""So many complete full runs before this one are compared with."""
FEWEST_RUNS = 3
FEWEST_RECORDS = 50
"""Below that, a family more or less is no sign of anything."""
FEWEST_SECONDS = 30.0
SMALL = 0.5
FAST = 0.1


class RunSize(msgspec.Struct, frozen=True):
    """What one full run has read, and how long it took."""

    records: int
    seconds: float


def unusual(run: RunSize, before: Sequence[RunSize]) -> str | None:
    """What is odd about a run beside those before it, as a sentence; None when nothing is, or too few are known."""
    if len(before) < FEWEST_RUNS:
        return None
    records = median(one.records for one in before)
    seconds = median(one.seconds for one in before)
    if records >= FEWEST_RECORDS and run.records < SMALL * records:
        return f"The last full read found {run.records:,} patients and contacts; usually it is about {records:,.0f}."
    if seconds >= FEWEST_SECONDS and run.seconds < FAST * seconds:
        return f"The last full read took {run.seconds:,.0f} seconds; usually it takes about {seconds:,.0f}."
    return None
