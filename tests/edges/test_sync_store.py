"""A sync and its database, SQLite and PostgreSQL: a plan is kept whole or not at all, the audit trail is unbroken."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.bootstrap import build
from adapter.core.audit import GENESIS, AuditEntry, chain_hash
from adapter.errors import RetriableError
from adapter.jobs.practice import Practice
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.charts import Resource, authority_extension
from adapter.sandbox.families import story
from adapter.settings import load_settings
from adapter.store import tables as t
from adapter.store import views
from adapter.store.engine import begin, read
from tests.acceptance.adapter_cli import opens
from tests.acceptance.adapter_cli import practice as practice_table
from tests.acceptance.story_decided import ACCOUNTS, FINDINGS, WELCOMED
from tests.edges.tampering import edit

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
DECIDED = (t.account, t.grant, t.effect, t.welcome, t.finding, t.audit)
Report = dict[str, Any]


class Site:
    """One practice that reads a folder, on one database."""

    def __init__(self, engine: sa.Engine, folder: Path, id: str = "main-street") -> None:
        self.engine = engine
        self.export = folder / "ehr" / "all.ndjson"
        self.export.parent.mkdir(parents=True)
        ehr, policy = 'kind = "files"\npath = "ehr"', "hold_first_welcome = false"
        (folder / "config.toml").write_text(practice_table(id, ehr, policy=policy))
        self.practice: Practice = build(load_settings(folder / "config.toml"), folder).practices[id]
        self.resources = {f"{one['resourceType']}/{one['id']}": one for one in _story()}
        self.write()

    def write(self) -> None:
        self.export.write_text("".join(json.dumps(one) + "\n" for one in self.resources.values()))

    def withdraw(self, ref: str) -> None:
        """Sets a contact's Authority to None."""
        self.resources[ref] = self.resources[ref] | {"extension": [authority_extension("none")]}
        self.write()

    def sync(self, *, days: int = 0, full: bool = False, meanwhile: Callable[[], object] | None = None) -> Report:
        """One sync; ``meanwhile`` is called once while it is reading."""
        waiting = [meanwhile] if meanwhile else []

        def progress(what: str, _done: int, _total: int | None) -> None:
            if what == "records" and waiting:
                waiting.pop()()

        at = NOW + timedelta(days=days)
        return sync(self.engine, self.practice, Request(full=full), clock=lambda: at, progress=progress)

    def accounts(self) -> list[dict[str, Any]]:
        with read(self.engine) as connection:
            return views.accounts(connection, [self.practice.id])

    def decided(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that a plan writes, table by table."""
        with read(self.engine) as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
                for table in DECIDED
            }

    def state(self) -> Any:
        """Where the practice stands: its row, without the run that decided it last."""
        with read(self.engine) as connection:
            return connection.execute(sa.select(t.practice.c.rules_hash, t.practice.c.released_at)).all()


@pytest.fixture
def site(engine: sa.Engine, tmp_path: Path) -> Site:
    return Site(engine, tmp_path / "site")


def test_the_story_is_decided_alike_on_every_database(site: Site) -> None:
    report = site.sync()
    accounts = site.accounts()
    assert {account["email"]: opens(account) for account in accounts} == ACCOUNTS
    assert {account["email"] for account in accounts if account["welcome"]["status"] == "queued"} == WELCOMED
    assert sum(report["findings"].values()) == len(FINDINGS)
    assert report["read"]["resources"] == len(site.resources)


def test_a_second_sync_changes_no_row(site: Site) -> None:
    site.sync()
    before = site.decided()
    for full in (False, True):
        report = site.sync(days=1, full=full)
        assert (report["changes"], report["read"]["changed"]) == ({}, 0)
    assert site.decided() == before


def test_a_plan_that_fails_half_way_leaves_nothing_and_the_next_run_completes_it(site: Site) -> None:
    with _audit_refuses(site.engine, after=10):
        report = site.sync()
    assert (report["status"], report["changes"]) == ("failed", {})
    assert "Nothing of it was kept" in report["problems"][0]
    assert all(not rows for rows in site.decided().values())
    assert site.state() == []
    again = site.sync()
    assert again["read"]["changed"] == 0 and again["changes"]["open-account"] == len(ACCOUNTS)
    assert {account["email"]: opens(account) for account in site.accounts()} == ACCOUNTS
    _verify_chain(site)


def test_a_change_that_fails_half_way_leaves_what_was(site: Site) -> None:
    site.sync()
    before = site.decided()
    site.withdraw("RelatedPerson/lindgren-elsa-father")
    site.withdraw("RelatedPerson/lindgren-elsa-mother")
    with _audit_refuses(site.engine, after=len(before["audit"]) + 4):
        assert site.sync(days=1)["status"] == "failed"
    assert site.decided() == before
    assert site.sync(days=2)["changes"] == {"cancel-welcome": 2, "close-account": 2, "end-grant": 2}
    _verify_chain(site)


def test_two_syncs_of_one_practice_at_once_are_one(site: Site) -> None:
    refused = []

    def another() -> None:
        with pytest.raises(RetriableError, match="under way"):
            site.sync()
        refused.append(True)

    report = site.sync(meanwhile=another)
    assert refused and report["status"] == "held"
    with read(site.engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.run)) == 1
        assert connection.scalar(sa.select(sa.func.count()).select_from(t.lease)) == 0
    assert site.sync()["changes"] == {}


def test_two_practices_may_sync_at_the_same_time(site: Site, tmp_path: Path) -> None:
    other = Site(site.engine, tmp_path / "other", id="hillside")
    inner: list[Report] = []
    outer = site.sync(meanwhile=lambda: inner.append(other.sync()))
    assert outer["changes"] == inner[0]["changes"]
    assert [opens(account) for account in site.accounts()] == [opens(account) for account in other.accounts()]
    _verify_chain(site)
    _verify_chain(other)


def test_a_run_that_lost_its_lease_writes_nothing_more(site: Site) -> None:
    def taken_over() -> None:
        with begin(site.engine) as connection:
            connection.execute(sa.update(t.lease).values(owner="somebody else"))

    report = site.sync(meanwhile=taken_over)
    assert (report["status"], report["changes"]) == ("failed", {})
    assert "lost its lease" in report["problems"][0]
    assert site.accounts() == []
    with pytest.raises(RetriableError):
        site.sync()
    assert site.sync(days=1)["changes"]["open-account"] == len(ACCOUNTS)


def test_every_change_stands_in_an_audit_trail_that_shows_tampering(site: Site) -> None:
    report = site.sync()
    site.withdraw("RelatedPerson/okafor-ada-mother")
    later = site.sync(days=1)
    rows = _verify_chain(site)
    assert len(rows) == sum(report["changes"].values()) + sum(later["changes"].values())
    ended = next(row for row in rows if row.action == "end-grant")
    assert (ended.patient, ended.reason, ended.run) == ("Patient/okafor-ada", "authority-none", later["run"])
    assert ended.source == "RelatedPerson/okafor-ada-mother"
    edit(site.engine, 3, reason="eligible, really")
    with pytest.raises(AssertionError):
        _verify_chain(site)


def test_each_account_that_changed_has_one_effect_and_each_welcome_its_own(site: Site) -> None:
    site.sync()
    with read(site.engine) as connection:
        kinds: dict[str, int] = dict(
            connection.execute(sa.select(t.effect.c.kind, sa.func.count()).group_by(t.effect.c.kind)).all()
        )
        orphans = connection.scalar(
            sa.select(sa.func.count())
            .select_from(t.welcome.outerjoin(t.effect, t.effect.c.id == t.welcome.c.effect_id))
            .where(t.effect.c.id.is_(None))
        )
    assert kinds == {"account": len(WELCOMED), "welcome": len(WELCOMED)}
    assert orphans == 0


@contextmanager
def _audit_refuses(engine: sa.Engine, *, after: int) -> Iterator[None]:
    """Has the database refuse every audit row behind number ``after``, in the middle of a transaction."""
    if engine.dialect.name == "sqlite":
        raising = f"BEFORE INSERT ON audit WHEN NEW.seq > {after} BEGIN SELECT RAISE(ABORT, 'refused'); END"
        make, drop = [f"CREATE TRIGGER refuse {raising}"], ["DROP TRIGGER refuse"]
    else:
        body = f"BEGIN IF NEW.seq > {after} THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END"
        make = [
            f"CREATE FUNCTION refuse() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql",
            "CREATE TRIGGER refuse BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION refuse()",
        ]
        drop = ["DROP TRIGGER refuse ON audit", "DROP FUNCTION refuse"]
    _do(engine, make)
    try:
        yield
    finally:
        _do(engine, drop)


def _do(engine: sa.Engine, statements: list[str]) -> None:
    with begin(engine) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _story() -> list[Resource]:
    return [resource for family in story(NOW.date()) for resource in family.resources]


def _verify_chain(site: Site) -> list[Any]:
    """Computes every hash of the trail again; gives its rows."""
    with read(site.engine) as connection:
        mine = sa.select(t.audit).where(t.audit.c.practice == site.practice.id).order_by(t.audit.c.seq)
        rows = list(connection.execute(mine))
    previous = GENESIS
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        entry = AuditEntry(
            action=row.action,
            account=row.account,
            patient=row.patient,
            reason=row.reason,
            source=row.source,
            detail=row.detail,
            actor=row.actor,
            run=row.run,
        )
        previous = chain_hash(previous, practice=row.practice, seq=row.seq, at=row.at, entry=entry)
        assert row.hash == previous
    return rows


def test_a_clock_that_goes_back_opens_nothing_until_somebody_trusts_it(site: Site) -> None:
    site.withdraw(GIVEN_BACK := next(ref for ref in site.resources if ref.startswith("RelatedPerson/")))
    site.sync(days=3)
    before = site.accounts()
    site.resources[GIVEN_BACK] |= {"extension": [authority_extension("joint")]}
    site.write()
    report = site.sync()
    assert report["status"] == "incomplete" and "--trust-clock" in report["problems"][0]
    assert site.accounts() == before
    trusted = sync(site.engine, site.practice, Request(trust_clock=True), clock=lambda: NOW, progress=lambda *_: None)
    assert trusted["status"] == "complete" and site.accounts() != before
    assert site.sync()["status"] == "complete"


def test_a_small_correction_of_the_clock_is_made_up_for(site: Site) -> None:
    site.sync(days=1)
    at = NOW + timedelta(days=1, minutes=-20)
    report = sync(site.engine, site.practice, Request(), clock=lambda: at, progress=lambda *_: None)
    assert report["status"] == "complete" and report["changes"] == {}
