"""The schema: what the migrations make is what the tables say, and migrating is always safe to repeat."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from adapter.errors import FatalError
from adapter.store import migrations
from adapter.store.engine import begin, make_engine, read
from adapter.store.migrations import is_new, migrate, newest, pending
from adapter.store.tables import metadata


def test_the_migrated_schema_is_the_one_the_tables_describe(engine: sa.Engine) -> None:
    with read(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert set(sa.inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_primary_and_foreign_keys_are_the_ones_the_tables_describe(engine: sa.Engine) -> None:
    with read(engine) as connection:
        inspector = sa.inspect(connection)
        for table in metadata.sorted_tables:
            key = inspector.get_pk_constraint(table.name)
            assert key["constrained_columns"] == [column.name for column in table.primary_key.columns]
            links = {
                (tuple(link["constrained_columns"]), link["referred_table"])
                for link in inspector.get_foreign_keys(table.name)
            }
            assert links == {((link.parent.name,), link.column.table.name) for link in table.foreign_keys}


def test_a_new_database_is_pending_until_it_is_migrated(blank_engine: sa.Engine) -> None:
    assert is_new(blank_engine)
    assert pending(blank_engine)
    migrate(blank_engine)
    assert not is_new(blank_engine)
    assert not pending(blank_engine)


def test_the_files_names_tell_what_alembic_calls_the_newest_revision(engine: sa.Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent))
    config.set_main_option("path_separator", "os")
    with read(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    assert newest() == found == ScriptDirectory.from_config(config).get_current_head()


def test_a_database_behind_or_ahead_of_this_version_is_pending(engine: sa.Engine) -> None:
    for revision in ("0001", "9999"):
        with begin(engine) as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :one"), {"one": revision})
        assert pending(engine) and not is_new(engine)


def test_a_small_sync_loads_neither_alembic_nor_the_models_of_fhir() -> None:
    heavy = ("alembic", "fhir.resources")
    look = f"import sys, adapter.cli, adapter.bootstrap; print([one for one in {heavy} if one in sys.modules])"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    engine = make_engine("postgresql://canary:canary@127.0.0.1:1/practice")
    for look in (is_new, pending, migrate):
        with pytest.raises(FatalError, match="Cannot reach") as caught:
            look(engine)
        assert "canary" not in str(caught.value)


def test_migrating_again_keeps_what_is_there(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        connection.execute(sa.insert(metadata.tables["practice"]), {"id": "main-street"})
    migrate(engine)
    with read(engine) as connection:
        assert connection.scalar(sa.select(metadata.tables["practice"].c.id)) == "main-street"


def test_two_programs_may_migrate_at_the_same_moment(blank_engine: sa.Engine) -> None:
    url = blank_engine.url.render_as_string(hide_password=False)

    def from_another_program(_: int) -> None:
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(from_another_program, range(4)))
    assert not pending(blank_engine)


def test_a_database_of_a_newer_version_is_left_alone(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert pending(engine)
    with pytest.raises(FatalError, match="newer version"):
        migrate(engine)


def test_a_failed_migration_leaves_nothing_behind(blank_engine: sa.Engine) -> None:
    with begin(blank_engine) as connection:
        connection.exec_driver_sql("CREATE TABLE welcome (id INTEGER)")
    with pytest.raises(FatalError, match="refused"):
        migrate(blank_engine)
    with read(blank_engine) as connection:
        assert sa.inspect(connection).get_table_names() == ["welcome"]
