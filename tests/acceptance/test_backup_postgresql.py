"""PostgreSQL is put back by its own programs; the adapter then makes what was put back safe."""

import os
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.sandbox.charts import Resource
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from tests import postgres
from tests.acceptance.adapter_cli import GRACE, Adapter, practice
from tests.edges.tampering import edit


@pytest.fixture
def site(postgres_url: str, tmp_path: Path, families: list[Resource]) -> Adapter:
    """The story after its first sync on PostgreSQL: Welcome emails are queued."""
    site = Adapter(tmp_path / "site", policy="hold_first_welcome = false")
    configured = practice("main-street", site.ehr, policy=site.policy)
    site.config.write_text(f'[store]\nurl = "{postgres_url}"\n{configured}')
    site.export(families)
    site.sync()
    return site


def _run(program: str, *arguments: str) -> None:
    programs = postgres.find_programs()
    assert programs is not None
    subprocess.run([programs / program, *arguments], check=True, capture_output=True, env=os.environ)


def test_a_dump_that_was_put_back_sends_nothing_by_itself(
    site: Adapter, postgres_url: str, blank_postgres_url: str, tmp_path: Path
) -> None:
    dump = tmp_path / "adapter.dump"
    libpq = [url.replace("postgresql+psycopg", "postgresql") for url in (postgres_url, blank_postgres_url)]
    _run("pg_dump", "--format=custom", f"--file={dump}", libpq[0])
    site.json("deliver")
    sent = len(site.mails())
    assert sent
    _run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={libpq[1]}", str(dump))
    site.config.write_text(site.config.read_text().replace(postgres_url, blank_postgres_url))
    assert "Nothing was changed" in site.run("restore", "--after-pg-restore", typed="n\n").err
    done = site.run("restore", "--after-pg-restore", "--yes")
    assert done.code == 3
    assert "Welcome emails are held" in done.err
    site.json("deliver")
    assert len(site.mails()) == sent
    assert site.run("audit", "verify").code == 0
    assert site.json("audit", "--limit", "1")[0]["action"] == "restore"
    engine = make_engine(blank_postgres_url)
    with pytest.raises(Exception, match="refused"), begin(engine) as connection:
        connection.execute(sa.delete(t.audit))
    (run, *_) = site.json("runs")
    assert site.run("release", str(run["run"])).code == 0
    assert site.json("deliver")["delivered"]["welcome"]["sent"] == sent
    assert site.account(GRACE)["welcome"]["sent_count"] == 1


def test_a_database_with_a_broken_trail_or_a_live_lease_is_left_alone(site: Adapter, postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with begin(engine) as connection:
        until = sa.text("INSERT INTO lease VALUES ('run:main-street', 'x', now() + interval '5 minutes')")
        connection.execute(until)
    done = site.run("restore", "--after-pg-restore", "--yes")
    assert done.code == 1
    assert "run:main-street holds a lease" in done.err
    edit(engine, 3, reason="so")
    done = site.run("restore", "--after-pg-restore", "--yes")
    assert done.code == 1
    assert "audit trail is broken" in done.err
    assert {effect["state"] for effect in site.json("outbox")} == {"queued"}
