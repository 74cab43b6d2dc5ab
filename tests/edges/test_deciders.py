"""Deciding in a process beside the sync gives what deciding in this one gives, and a sync outlives neither's end."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil
import pytest
import sqlalchemy as sa

from adapter.bootstrap import App, build
from adapter.core.policy import Access, Band, Policy
from adapter.errors import FatalError
from adapter.jobs import deciders as module
from adapter.jobs.deciders import Addresses, Beside, Here, deciders
from adapter.jobs.decisions import Terms
from adapter.jobs.run import Request
from adapter.jobs.sync import plan, sync
from adapter.sandbox.families import population, story, write_ndjson
from adapter.settings import load_settings
from adapter.store import facts
from adapter.store import tables as t
from adapter.store.engine import read
from adapter.store.stored import StoredAddress
from tests.acceptance.adapter_cli import practice as practice_table

NOW = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A practice with the story's families and 60 others to read."""
    today = date(2026, 3, 2)
    told = [resource for family in story(today) for resource in family.resources]
    write_ndjson(tmp_path / "ehr", [*told, *population(60, today=today)])
    (tmp_path / "config.toml").write_text(practice_table("main-street", 'kind = "files"\npath = "ehr"'))
    return build(load_settings(tmp_path / "config.toml"), tmp_path)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is large enough for another process."""
    monkeypatch.setattr(module, "WORTHWHILE", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def terms(*, policy: Policy | None = None) -> Terms:
    return Terms(
        policy=policy or Policy(), now=NOW.astimezone(ZONE), hold_welcome=True, only_restrict=False, first=True
    )


def first_sync(app: App) -> dict[str, object]:
    practice = app.practices["main-street"]
    return sync(app.engine, practice, Request(), clock=lambda: NOW, progress=lambda *_: None)


def what_was_decided(app: App) -> dict[str, list[tuple[object, ...]]]:
    """Everything but the identifiers, which are new each time."""
    columns = {
        t.contact: (t.contact.c.ref, t.contact.c.outcome),
        t.patient: (t.patient.c.ref, t.patient.c.review_on),
        t.account: (t.account.c.email_key, t.account.c.status, t.account.c.reason),
        t.grant: (t.grant.c.patient, t.grant.c.contact, t.grant.c.state, t.grant.c.reason),
        t.finding: (t.finding.c.id, t.finding.c.message),
        t.audit: (t.audit.c.seq, t.audit.c.action, t.audit.c.reason, t.audit.c.source),
    }
    with read(app.engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(*wanted).order_by(*wanted))]
            for table, wanted in columns.items()
        }


def test_a_run_decided_beside_is_the_run_decided_here(app: App, tmp_path: Path, beside: None) -> None:
    report = first_sync(app)
    decided = what_was_decided(app)
    app.engine.dispose()
    (tmp_path / "var").rename(tmp_path / "var-beside")
    module.WORTHWHILE = 10**9
    again = first_sync(other := build(app.settings, tmp_path))
    assert what_was_decided(other) == decided and len(decided["account"]) > 60
    assert again["changes"] == report["changes"] and again["findings"] == report["findings"]


def test_the_same_plan_has_the_same_hash_wherever_it_was_decided(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def planned() -> str:
        shown = plan(
            app.engine,
            app.practices["main-street"],
            Request(),
            clock=lambda: NOW,
            progress=lambda *_: None,
            take=lambda _: None,
        )
        return str(shown["hash"])

    here = planned()
    monkeypatch.setattr(module, "WORTHWHILE", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert planned() == here


def test_policy_and_time_zone_travel_to_the_other_process(app: App) -> None:
    first_sync(app)
    strict = Policy(bands=(Band(0, Access.LIMITED), Band(3, Access.NONE)))
    with app.engine.connect() as connection:
        refs = list(connection.scalars(sa.select(t.patient.c.ref).order_by(t.patient.c.ref)))
        charts = facts.stored_charts(connection, "main-street", refs)
        keys = sorted(set(connection.scalars(sa.select(t.contact.c.email_key).where(t.contact.c.email_key != ""))))
        members = facts.stored_members(connection, "main-street", keys)
    addresses = Addresses([StoredAddress(key, members[key], None) for key in keys], [])
    with Beside(terms(policy=strict)) as there, Here(terms(policy=strict)) as here:
        assert list(there.charts([charts] * 7)) == list(here.charts([charts] * 7))
        assert list(there.accounts([addresses] * 7)) == list(here.accounts([addresses] * 7))
    with Here(terms()) as lenient:
        assert list(lenient.charts([charts])) != list(here.charts([charts]))


def test_a_deciding_process_that_dies_ends_the_run_and_changes_nothing(app: App, beside: None) -> None:
    def kill(what: str, _done: int, _total: int | None) -> None:
        if what == "charts":
            for child in psutil.Process().children():
                os.kill(child.pid, signal.SIGKILL)

    report = sync(app.engine, app.practices["main-street"], Request(), clock=lambda: NOW, progress=kill)
    assert report["status"] == "failed" and "stopped early" in report["problems"][-1]
    with read(app.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.account)) == 0
    assert not psutil.Process().children()
    assert first_sync(app)["status"] == "held"


def test_an_error_in_the_other_process_names_its_class_alone() -> None:
    with Beside(terms()) as there, pytest.raises(FatalError, match=r"stopped with \w+Error") as caught:
        list(there.accounts([Addresses([StoredAddress("canary@mail.example", [("canary", None)], None)], [])]))  # type: ignore[list-item]
    assert "canary" not in str(caught.value)


def test_a_small_run_is_decided_here() -> None:
    with deciders(terms(), module.WORTHWHILE - 1) as small:
        assert isinstance(small, Here)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    threshold = module.WORTHWHILE
    yield
    module.WORTHWHILE = threshold
    assert not psutil.Process().children()
