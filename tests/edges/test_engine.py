"""Opening the database: durable writes, stable reads, private files, and errors that tell nothing of a family."""

import os
import stat
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.errors import ConfigError, FatalError, RetriableError
from adapter.store.engine import begin, describe, make_engine, read
from adapter.store.tables import account, grant, lease, practice

NOW = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
CANARY = "canary.parent@example.org"


def _ids(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(sa.select(practice.c.id).order_by(practice.c.id)))


def _account(account_id: str) -> dict[str, object]:
    texts = {"practice": "p", "email_key": CANARY, "email": CANARY, "name": "Canary", "language": "en"}
    return {"id": account_id, **texts, "status": "pending", "reason": "granted", "since": NOW}


def test_what_was_written_is_read_back(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        connection.execute(sa.insert(lease), {"name": "p", "owner": "me", "until": NOW})
    with read(engine) as connection:
        assert connection.scalar(sa.select(lease.c.until)) == NOW


def test_an_exception_rolls_everything_back(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), begin(engine) as connection:
        connection.execute(sa.insert(practice), {"id": "p"})
        _ = 1 / 0
    with read(engine) as connection:
        assert _ids(connection) == []


def test_a_read_sees_one_moment(engine: sa.Engine) -> None:
    with read(engine) as reader:
        assert _ids(reader) == []
        with begin(engine) as writer:
            writer.execute(sa.insert(practice), {"id": "p"})
        assert _ids(reader) == []
    with read(engine) as reader:
        assert _ids(reader) == ["p"]


def test_a_read_cannot_write_and_the_next_transaction_can(engine: sa.Engine) -> None:
    with pytest.raises(FatalError, match="refused"), read(engine) as connection:
        connection.execute(sa.insert(practice), {"id": "p"})
    with begin(engine) as connection:
        connection.execute(sa.insert(practice), {"id": "p"})
    with read(engine) as connection:
        assert _ids(connection) == ["p"]


def test_a_second_writer_waits_for_the_first(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    inside, order = threading.Event(), []

    def second() -> None:
        inside.wait()
        with begin(engine) as connection:
            order.append("second")
            connection.execute(sa.update(practice).values(rules_hash="second"))

    thread = threading.Thread(target=second)
    thread.start()
    with begin(engine) as connection:
        connection.execute(sa.insert(practice), {"id": "p"})
        inside.set()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    with read(engine) as connection:
        assert connection.scalar(sa.select(practice.c.rules_hash)) == "second"
    assert order == ["first", "second"]


def test_a_writer_that_waited_too_long_may_try_again(sqlite_url: str) -> None:
    other = make_engine(sqlite_url + "?timeout=0.05")
    with begin(make_engine(sqlite_url)), pytest.raises(RetriableError, match="Busy"), begin(other):
        pass


def test_a_grant_needs_its_account(engine: sa.Engine) -> None:
    row = {"account_id": "nobody", "patient": "Patient/1", "contact": "RelatedPerson/1", "role": "mother"}
    rest = {"authority": "joint", "access": "full", "state": "active", "reason": "granted", "source": "RelatedPerson/1"}
    with pytest.raises(FatalError, match="refused"), begin(engine) as connection:
        connection.execute(sa.insert(grant), row | rest | {"is_self": False, "since": NOW})


def test_an_error_of_the_database_tells_no_address(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        connection.execute(sa.insert(account), _account("a"))
    with pytest.raises(FatalError) as caught, begin(engine) as connection:
        connection.execute(sa.insert(account), _account("b"))
    assert "canary" not in str(caught.value).lower()
    assert caught.value.__cause__ is None
    assert "UNIQUE" in str(caught.value).upper()


def test_sqlite_is_durable_and_checks_foreign_keys(sqlite_url: str) -> None:
    with read(make_engine(sqlite_url)) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_folder_and_file_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "adapter.db"
    engine = make_engine(f"sqlite:///{path}")
    with begin(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in [path.parent, *path.parent.iterdir()]}
    assert modes == {"var": 0o700, "adapter.db": 0o600, "adapter.db-wal": 0o600, "adapter.db-shm": 0o600}


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://root@localhost/x", "sqlite://", "sqlite:///:memory:", "postgresql+nope://x/y"]
)
def test_another_kind_of_address_is_a_configuration_fault(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        make_engine(url)


def test_an_unreachable_server_is_named_without_its_credentials() -> None:
    engine = make_engine("postgresql://canary-user:canary-password@127.0.0.1:1/practice")
    with pytest.raises(FatalError) as caught, begin(engine):
        pass
    assert "'practice' on 127.0.0.1:1" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "canary" not in describe(engine)


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FatalError, match=r"cannot be written"):
        make_engine(f"sqlite:///{tmp_path}/file/adapter.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter.db").write_bytes(os.urandom(4096))
    with pytest.raises(FatalError, match=r"adapter\.db"), begin(make_engine(f"sqlite:///{tmp_path}/adapter.db")):
        pass
