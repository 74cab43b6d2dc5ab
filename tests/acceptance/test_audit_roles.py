"""On PostgreSQL the service runs as a role that can add to the audit trail and nothing else."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.errors import FatalError
from adapter.jobs.audit import verify
from adapter.sandbox.charts import Resource
from adapter.store import audit
from adapter.store.engine import begin, make_engine
from adapter.store.roles import grant_to
from tests.acceptance.adapter_cli import Adapter, practice
from tests.edges.effects import NOW, PRACTICE

ROLE = 'the "service"'
FILES = 'kind = "files"\npath = "ehr"'


@pytest.fixture
def owner(postgres_url: str) -> Iterator[sa.Engine]:
    """The database as the owner of its tables sees it; the role exists and has nothing yet."""
    engine = make_engine(postgres_url)
    with begin(engine) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {_quoted(engine)} LOGIN")
    yield engine
    with begin(engine) as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {_quoted(engine)}")
        connection.exec_driver_sql(f"DROP ROLE {_quoted(engine)}")
    engine.dispose()


def _quoted(engine: sa.Engine) -> str:
    return engine.dialect.identifier_preparer.quote_identifier(ROLE)


def _as_role(owner: sa.Engine) -> str:
    return owner.url.set(username=ROLE).render_as_string(hide_password=False)


@pytest.fixture
def service(owner: sa.Engine) -> Iterator[sa.Engine]:
    """The database as the service's role sees it, after the grant; the trail has three entries."""
    grant_to(owner, ROLE)
    engine = make_engine(_as_role(owner))
    with begin(engine) as connection:
        audit.append(connection, PRACTICE, [AuditEntry(action="grant", reason="eligible")] * 3, NOW)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'so'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_only_grows ON audit",
        "CREATE OR REPLACE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "SET session_replication_role = replica",
        "DROP TABLE audit",
        "ALTER TABLE audit RENAME TO old",
        "UPDATE alembic_version SET version_num = '0'",
    ],
)
def test_the_services_role_cannot_touch_what_stands_in_the_trail(service: sa.Engine, statement: str) -> None:
    with pytest.raises(FatalError, match="refused"), begin(service) as connection:
        connection.exec_driver_sql(statement)


def test_it_is_the_rights_that_keep_the_role_out_and_not_the_trigger_alone(
    owner: sa.Engine, service: sa.Engine
) -> None:
    with begin(owner) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_only_grows ON audit")
    for statement in ("UPDATE audit SET reason = 'so'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(FatalError, match="InsufficientPrivilege"), begin(service) as connection:
            connection.exec_driver_sql(statement)
    verdict = verify(service, None, against=None, progress=lambda *_: None)
    assert (verdict.whole, verdict.entries) == (True, {PRACTICE: 3})


def test_the_role_can_do_everything_that_the_service_does(
    owner: sa.Engine, adapter: Adapter, families: list[Resource]
) -> None:
    def configure(url: str) -> None:
        url = url.replace("\\", "\\\\").replace('"', '\\"')
        adapter.config.write_text(f'[store]\nurl = "{url}"\n{practice("main-street", FILES)}')

    configure(owner.url.render_as_string(hide_password=False))
    granted = adapter.run("migrate", "--grant", ROLE)
    assert (granted.code, granted.err) == (0, "")
    assert "can only add to the audit trail" in " ".join(granted.out.split())
    configure(_as_role(owner))
    adapter.export(families)
    run = adapter.sync()
    assert adapter.run("release", str(run["run"])).code == 0
    assert adapter.json("deliver")["problems"] == []
    assert adapter.json("widgets") is not None
    assert adapter.run("audit", "verify").code == 0
    assert adapter.run("migrate").code == 0


def test_the_owner_an_unknown_role_and_sqlite_are_refused(owner: sa.Engine, sqlite_url: str) -> None:
    with pytest.raises(FatalError, match="owns the tables"):
        grant_to(owner, "adapter")
    with pytest.raises(FatalError, match="no such role"):
        grant_to(owner, "nobody; DROP TABLE audit")
    with pytest.raises(FatalError, match="Only PostgreSQL"):
        grant_to(make_engine(sqlite_url), "adapter")
