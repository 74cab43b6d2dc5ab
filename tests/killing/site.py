"""A practice about to do a run of every kind of change; the run itself; and every row that it leaves, comparable."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapter.jobs.frozen import apply_frozen, freeze
from adapter.jobs.plan_file import read_plan, write_plan
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.store.engine import make_engine, read
from adapter.store.tables import metadata
from tests.edges.small_practice import SmallPractice

PLAN = "plan.json"
UNLIKE = {"run", "changed_run", "seen_run", "decided_run", "plan_hash", "changed_at", "lease_owner", "lease_until"}
"""Columns that number or time a run: a killed one has had a number as well."""
_RUN = re.compile(r"(held:|release |Run )\d+")


def prepare(engine: sa.Engine, folder: Path) -> SmallPractice:
    """Forty families after their first sync; in the EHR much has changed since, and a plan for that is in a file."""
    practice = SmallPractice(engine, folder, 40)
    practice.sync()
    for number in range(1, 9):
        del practice.contacts[practice.mother(number)]  # too many: these wait
    for number in (9, 10):
        practice.authority(practice.mother(number), "none")
    practice.new_email(practice.mother(11), "another11@mail.example")
    practice.change("Patient/p12", active=False)
    for number in range(41, 49):
        practice.add_family(number)
    practice.authority(practice.add_contact(13, role="Father"), "exclusive")
    practice.export()
    practice.now = practice.now.replace(day=practice.now.day + 1)
    shown, frozen, _ = freeze(
        engine, practice.practice, Request(), clock=lambda: practice.now, progress=lambda *_: None
    )
    assert shown["held"] and shown["changes"]["move-account"] == 1
    write_plan(folder / PLAN, {"actions": []}, frozen)
    return practice


def do(practice: SmallPractice, engine: sa.Engine, job: str) -> str:
    """Does the job on this database; how it ended."""
    if job == "sync":
        said = sync(engine, practice.practice, Request(), clock=lambda: practice.now, progress=lambda *_: None)
        return str(said["status"])
    done = apply_frozen(
        engine,
        practice.app.practices,
        read_plan(practice.folder / PLAN),
        actor="schedule",
        clock=lambda: practice.now,
        progress=lambda *_: None,
    )
    return str(done.report["status"]) if done.report else "stale"


def killed_after(seconds: float, job: Callable[[], object]) -> bool:
    """Runs the job in a process of its own that is killed after so long; whether it was still alive then."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            job()
        finally:
            os._exit(0)
    signal.sigtimedwait({signal.SIGCHLD}, seconds)  # until it has ended, or the time is over
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return os.WIFSIGNALED(status)


def rows(url: str) -> dict[str, list[str]]:
    """Every row of every table that says something, whatever the random names in it are."""
    engine = make_engine(url)
    try:
        with read(engine) as connection:
            names = _names(connection)
            return {
                table.name: sorted(_plain(row, names, table) for row in connection.execute(sa.select(table)).mappings())
                for table in metadata.sorted_tables
                if table.name not in ("run", "lease")
            }
    finally:
        engine.dispose()


def _names(connection: sa.Connection) -> dict[str, str]:
    tables = metadata.tables
    found = {str(row.id): row.email_key for row in connection.execute(sa.select(tables["account"]))}
    for row in connection.execute(sa.select(tables["welcome"])):
        found[row.id] = f"welcome {row.generation} of {found[row.account_id]}"
        found[row.effect_id] = f"effect of {found[row.id]}"
    return found


def _plain(row: Any, names: dict[str, str], table: sa.Table) -> str:
    random = {"effect": "id", "finding": "id", "audit": "hash"}.get(table.name)
    known = {name: value for name, value in row.items() if name not in UNLIKE and name != random}
    text = _RUN.sub(r"\1N", str(known))
    for id_, name in names.items():
        text = text.replace(id_, name)
    return text
