"""Watching over the runs themselves: a finding for one that is not as usual, and a call to whoever waits for runs."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter import alerts
from adapter.core.findings import Finding
from adapter.core.ordinary import RUNS, RunSize, unusual
from adapter.core.reasons import REASONS, RUN_SUSPICIOUS
from adapter.errors import AdapterError, RetriableError
from adapter.logs import Event, get_logger
from adapter.store import findings, runs

SCOPE = "run-size"
GOOD = ("complete", "held")


def look_at_size(connection: sa.Connection, practice: str, run: int, records: int, now: datetime) -> None:
    """Opens or closes the finding about a full, complete run that is ending now."""
    started = runs.started_at(connection, run)
    before = [RunSize(*one) for one in runs.full_sizes(connection, practice, before=run, limit=RUNS)]
    odd = unusual(RunSize(records, (now - started).total_seconds()), before)
    found = []
    if odd is not None:
        reason = REASONS[RUN_SUSPICIOUS]
        found.append(Finding(code=reason.code, message=odd, scope=SCOPE, severity=reason.finding, remedy=reason.remedy))
    findings.settle(connection, practice, [SCOPE], found, now)


class Watcher:
    """Who waits for one practice's runs; without an address nobody does.

    A call that fails is logged and otherwise ignored: a watcher must not stop the work it watches. While runs keep
    failing, the first alone is told, so that an incident is one alarm.
    """

    def __init__(self, practice: str, url: str | None) -> None:
        self._practice, self._url = practice, url
        self._failing = False

    def told(self, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Does a run and tells how it went; returns its report.

        A run that another one keeps out (RetriableError) is none. Raises what the run raises.
        """
        if not self._failing:
            self._call("start")
        try:
            report = run()
        except RetriableError:
            raise
        except Exception:
            self._ended(well=False)
            raise
        self._ended(well=report["status"] in GOOD and not report["findings"].get(RUN_SUSPICIOUS))
        return report

    def _ended(self, *, well: bool) -> None:
        if well:
            self._call("")
        elif not self._failing:
            self._call("fail")
        self._failing = not well

    def _call(self, step: str) -> None:
        if self._url is None:
            return
        try:
            alerts.call(self._url, step)
        except AdapterError as error:
            get_logger().warning(Event.PING_FAILED, practice=self._practice, error=error)
