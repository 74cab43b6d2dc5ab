"""kill -9 at random moments, two workers at once: no mail twice, none lost, and every doubtful one is ``unknown``."""

from tests.kills.driver import CONNECTIONS
from tests.kills.trial import trial

KILLS = 150
"""On each database; `python -m tests.kills --kills 10000` for more."""


def test_a_killed_worker_sends_nothing_twice_and_loses_nothing(store_url: str) -> None:
    found = trial(store_url, kills=KILLS, mails=7 * KILLS)
    assert (found.twice, found.lost, found.unsettled) == (0, 0, 0)
    assert found.sent + found.unknown == found.mails
    assert found.kills >= KILLS
    # The kills met mails that were under way, and no more of them than each worker has connections.
    assert 0 < found.unknown <= found.kills * CONNECTIONS
