"""One sync of one practice: gather what the EHR says, decide, plan the difference, apply it in one transaction.

Every fact is stored as it is read but acted upon only here; a run that breaks off leaves nothing half-done.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any

import sqlalchemy as sa

from adapter.core.plan import Action
from adapter.ehr import Progress
from adapter.errors import AdapterError
from adapter.jobs.practice import Clock, Practice
from adapter.jobs.run import Request, Run, close_run, fail_run, open_run, read_counts
from adapter.jobs.steps import apply, decide, gather, interruptible
from adapter.store import leases, runs
from adapter.store.engine import begin
from adapter.store.turns import turn


def sync(
    engine: sa.Engine, practice: Practice, request: Request, *, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """Runs one sync and returns its report in the shape of ``adapter sync --json``.

    Raises RetriableError when another run of the practice is under way.
    """
    practice = practice.for_a_run(clock().astimezone(practice.zone), reading=not request.review)
    name = f"run:{practice.id}"
    progress = interruptible(progress)

    def transaction() -> Any:
        return begin(engine)

    with leases.lease(engine, name, clock()) as owner:
        with begin(engine) as connection:
            runs.close_killed(connection, practice.id, clock())
            run = open_run(connection, practice, request, clock().astimezone(practice.zone))

        def alive(connection: sa.Connection) -> None:
            leases.renew(connection, name, owner, clock())

        try:
            gather(run, transaction, progress, alive)
            with turn(engine, practice.id) as connection, ExitStack() as open_files:
                alive(connection)
                planned = decide(connection, run, open_files, progress)
                apply(connection, run, planned, progress)
                return close_run(connection, run, planned.spool, clock())
        except BaseException as error:
            fail_run(engine, run, error, clock())
            if isinstance(error, AdapterError):
                with begin(engine) as connection:
                    row = runs.get(connection, run.number)
                    assert row is not None
                    return runs.shape(row)
            raise


def plan(
    engine: sa.Engine,
    practice: Practice,
    request: Request,
    *,
    clock: Clock,
    progress: Progress,
    take: Callable[[list[Action]], None],
    within: Callable[[sa.Connection, Run], None] | None = None,
) -> dict[str, Any]:
    """Does all of a sync except keeping it: gives every action to ``take`` and returns hash, practice, counts and read.

    It is the same transaction, rolled back: what it shows is what a sync at this moment would do. ``within`` is called
    in it when everything is planned and nothing applied.
    """
    shown: dict[str, Any] = {}
    progress = interruptible(progress)
    practice = practice.for_a_run(clock().astimezone(practice.zone), reading=not request.review)
    with _discarded(engine) as connection, ExitStack() as open_files:
        run = open_run(connection, practice, request, clock().astimezone(practice.zone))
        gather(run, lambda: nullcontext(connection), progress, lambda _: None)
        planned = decide(connection, run, open_files, progress)
        for batch in planned.spool.batches():
            take(batch)
        if within is not None:
            within(connection, run)
        if planned.tripped:  # what would be held shows only once the rest is done
            apply(connection, run, planned, progress)
        shown = {
            "hash": planned.spool.hash(),
            "practice": practice.id,
            "complete": run.complete,
            "read": read_counts(run.gathered),
        }
        shown["changes"] = dict(sorted(planned.spool.counts.items()))
        shown["held"] = planned.held.counts() if planned.held else {}
        shown["problems"] = run.gathered.result.problems
    return shown


class _Discard(Exception):
    """Ends a transaction that must not be kept."""


@contextmanager
def _discarded(engine: sa.Engine) -> Iterator[sa.Connection]:
    with suppress(_Discard), begin(engine) as connection:
        yield connection
        raise _Discard
