"""Somebody outside hears of each run: that it began, that it was complete, and, once, that it was not."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapter.jobs.watching import SCOPE, look_at_size
from adapter.jobs.work import run_job
from adapter.sandbox.charts import Resource
from adapter.schedule_files import JobName
from adapter.store import findings, runs
from adapter.store.engine import begin, read
from tests.acceptance.adapter_cli import Adapter
from tests.acceptance.watched import Switch, switch

NOW = datetime(2026, 6, 1, 3, tzinfo=UTC)


@pytest.fixture
def watch() -> Iterator[Switch]:
    with switch() as found:
        yield found


def test_each_run_is_told_and_an_incident_once(adapter: Adapter, families: list[Resource], watch: Switch) -> None:
    adapter.configure(more=f"[practice.alerts]\nping_url = '{watch.url}'\n")
    export = adapter.export(families)
    app = adapter.app()

    def job(name: JobName) -> list[str]:
        run_job(app, "main-street", name)
        return watch.taken()

    assert job(JobName.RECONCILE) == ["/start", ""]
    assert job(JobName.SYNC) == ["/start", ""]
    assert job(JobName.REVIEW) == [] and job(JobName.DELIVER) == []
    whole = export.read_text()
    export.write_text(whole + '{"resourceType": "Patient", "id": ')
    assert job(JobName.RECONCILE) == ["/start", "/fail"]
    assert job(JobName.RECONCILE) == [], "still the same incident"
    export.write_text(whole)
    assert job(JobName.RECONCILE) == [""]
    assert job(JobName.SYNC) == ["/start", ""]
    assert set(watch.sent) == {b""}, "nothing but the call"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_watcher_in_trouble_does_not_stop_the_work(
    adapter: Adapter, families: list[Resource], watch: Switch, status: int, log_lines: io.StringIO
) -> None:
    watch.status = status
    adapter.configure(more=f"[practice.alerts]\nping_url = '{watch.url}'\n")
    adapter.export(families)
    run_job(adapter.app(), "main-street", JobName.RECONCILE)
    assert watch.taken() == ["/start", ""], "no redirect is followed"
    assert "ping-failed" in log_lines.getvalue() and watch.url not in log_lines.getvalue()
    assert adapter.json("runs")[0]["status"] in ("complete", "held")


def test_nobody_there_does_not_stop_the_work_either(adapter: Adapter, families: list[Resource]) -> None:
    adapter.configure(more="[practice.alerts]\nping_url = 'http://127.0.0.1:9/ping'\n")
    adapter.export(families)
    run_job(adapter.app(), "main-street", JobName.RECONCILE)
    assert adapter.json("runs")[0]["status"] in ("complete", "held")


def test_a_run_that_breaks_is_told_too(adapter: Adapter, families: list[Resource], watch: Switch) -> None:
    adapter.configure(more=f"[practice.alerts]\nping_url = '{watch.url}'\n")
    adapter.export(families)
    app = adapter.app()
    with begin(app.engine) as connection:
        connection.execute(sa.text("ALTER TABLE watermark RENAME TO gone"))
    try:
        run_job(app, "main-street", JobName.RECONCILE)
    finally:
        assert watch.taken() == ["/start", "/fail"]


def _full_run(connection: sa.Connection, records: int, minutes: float, status: str = "complete") -> None:
    number = runs.start(connection, "main-street", "full", NOW)
    ended = NOW + timedelta(minutes=minutes)
    if status == "complete":
        look_at_size(connection, "main-street", number, records, ended)
    report = {"read": {"patients": records // 2, "contacts": records - records // 2}}
    runs.finish(connection, number, status=status, plan_hash=None, report=report, now=ended)


def _open(engine: sa.Engine) -> list[str]:
    with read(engine) as connection:
        return [one["code"] for one in findings.listing(connection, ["main-street"])]


def test_a_read_of_less_than_half_opens_a_finding_and_a_usual_one_closes_it(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        for _ in range(3):
            _full_run(connection, 4000, 10)
        _full_run(connection, 10, 10, status="incomplete")
    assert _open(engine) == []
    with begin(engine) as connection:
        _full_run(connection, 1500, 10)
    with read(engine) as connection:
        (finding,) = findings.listing(connection, ["main-street"])
        assert findings.open_scopes(connection, "main-street", [SCOPE]) == [SCOPE]
    assert finding["code"] == "run-suspicious" and "usually it is about 4,000" in finding["message"]
    assert "sync --full" in finding["remedy"]
    with begin(engine) as connection:
        _full_run(connection, 3900, 10)
    assert _open(engine) == []


def test_a_read_that_takes_no_time_opens_it_too(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        for _ in range(3):
            _full_run(connection, 4000, 10)
        _full_run(connection, 4000, 0.5)
    assert _open(engine) == ["run-suspicious"]
