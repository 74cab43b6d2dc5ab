"""``adapter backup``, and what ``adapter restore`` refuses: a file that is not whole, a database that is in use."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.adapter_cli import Adapter, practice
from tests.acceptance.backups import ask, call, change, contents, database
from tests.acceptance.test_service import serving


def test_a_backup_is_the_whole_database_in_one_file_of_the_owners(site: Adapter) -> None:
    done = call(site, "backup", "copy.db")
    assert "The copy is sound." in done.stdout
    assert str(site.folder / "var" / "adapter.key") in done.stderr.replace("\n", "")
    file = site.folder / "copy.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert contents(file) == contents(database(site))
    assert [path.name for path in site.folder.iterdir() if "copy" in path.name] == ["copy.db"]


def test_a_backup_never_overwrites(site: Adapter) -> None:
    file = site.folder / "copy.db"
    file.write_text("mine")
    done = call(site, "backup", "copy.db", code=1)
    assert "exists already" in done.stderr
    assert file.read_text() == "mine"


def test_a_backup_of_a_damaged_database_is_not_kept(site: Adapter) -> None:
    whole = database(site).read_bytes()
    page = 4096
    database(site).write_bytes(whole[: 8 * page] + b"\xff" * 8 * page + whole[16 * page :])
    done = call(site, "backup", "copy.db", code=1)
    assert "damaged" in done.stderr
    assert not (site.folder / "copy.db").exists()


def test_a_backup_with_a_broken_trail_is_kept_and_told(site: Adapter) -> None:
    change(database(site), "UPDATE audit SET reason = 'so' WHERE seq = 3")
    done = call(site, "backup", "copy.db", code=1)
    assert "entry 3" in done.stderr
    assert (site.folder / "copy.db").exists()
    refused = call(site, "restore", "copy.db", "--yes", code=1)
    assert "audit trail in copy.db is broken" in refused.stderr


def test_there_must_be_something_to_back_up(adapter: Adapter) -> None:
    done = call(adapter, "backup", "copy.db", code=1)
    assert "There is no database" in done.stderr
    assert not database(adapter).exists()


def test_a_backup_made_during_a_sync_is_one_moment(site: Adapter) -> None:
    """Somebody writes all the time; the copy is sound, and its trail is a beginning of the whole one."""
    with closing(sqlite3.connect(database(site), timeout=30)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE account SET name = 'halfway'")
        call(site, "backup", "during.db")
        writer.execute("COMMIT")
    assert ask(site.folder / "during.db", "SELECT count(*) FROM account WHERE name = 'halfway'") == [(0,)]


def test_the_old_database_is_kept_aside_whole(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    call(site, "deliver")
    before = contents(database(site))
    call(site, "restore", "copy.db", "--yes")
    (aside,) = database(site).parent.glob("adapter.db.before-restore-*")
    assert contents(aside) == before
    assert [path for path in database(site).parent.iterdir() if "restore-" in path.name and path != aside] == []


def test_a_restore_asks_and_no_changes_nothing(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    call(site, "deliver")
    before = contents(database(site))
    with site.start("restore", "copy.db", shell="<<< n") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "entries of the audit trail" in out
    assert "has grown by" in err and "Nothing was changed." in err
    assert contents(database(site)) == before
    assert list(database(site).parent.glob("*restore*")) == []


def test_a_restore_is_refused_while_anybody_has_the_database_open(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    before = contents(database(site))
    with serving(site) as service:
        service.wait(lambda: service.count("service-started") == 1)
        done = call(site, "restore", "copy.db", "--yes", code=1)
        service.stop()
    assert "is in use. Stop `adapter run`" in done.stderr
    assert len(contents(database(site))) >= len(before)
    assert list(database(site).parent.glob("*restore*")) == []


def test_a_restore_is_refused_while_a_run_holds_its_lease(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    change(database(site), "INSERT INTO lease VALUES ('run:main-street', 'x', '2999-01-01T10:30:00.000000Z')")
    done = call(site, "restore", "copy.db", "--yes", code=1)
    assert "run:main-street holds a lease until 10:30 UTC" in done.stderr
    assert list(database(site).parent.glob("*restore*")) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM account", "rows point to rows that are missing"),
        ("UPDATE audit SET reason = 'so' WHERE seq = 3", "audit trail in copy.db is broken"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer version"),
        ("DROP TABLE alembic_version", "no database of the adapter"),
    ],
)
def test_a_backup_that_is_not_whole_replaces_nothing(site: Adapter, damage: str, words: str) -> None:
    call(site, "backup", "copy.db")
    change(site.folder / "copy.db", damage)
    before = contents(database(site))
    done = call(site, "restore", "copy.db", "--yes", code=1)
    assert words in done.stderr
    assert contents(database(site)) == before
    assert list(database(site).parent.glob("*restore*")) == []


@pytest.mark.parametrize("cut", [0, 100, 5000, -1])
def test_a_backup_file_that_was_cut_off_replaces_nothing(site: Adapter, cut: int) -> None:
    call(site, "backup", "copy.db")
    file = site.folder / "copy.db"
    file.write_bytes(file.read_bytes()[:cut] if cut >= 0 else b"something else")
    before = contents(database(site))
    done = call(site, "restore", "copy.db", "--yes", code=1)
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) <= 2
    assert contents(database(site)) == before


def test_wrong_words_are_told_in_a_line(site: Adapter) -> None:
    assert "Name the file" in call(site, "restore", code=2).stderr
    assert "There is no file nowhere.db" in call(site, "restore", "nowhere.db", code=1).stderr
    assert "This is a SQLite database" in call(site, "restore", "--after-pg-restore", code=1).stderr


def test_postgresql_is_left_to_its_own_programs(postgres_url: str, tmp_path: Path) -> None:
    site = Adapter(tmp_path / "site")
    site.config.write_text(f'[store]\nurl = "{postgres_url}"\n{practice("main-street", site.ehr)}')
    (site.folder / "copy.db").write_text("")
    for command in (["backup", "new.db"], ["restore", "copy.db", "--yes"]):
        assert "docs/postgresql.md" in call(site, *command, code=1).stderr
