"""``adapter restore``: nothing is lost, nothing leaves twice, nothing opens again."""

import stat

from adapter.sandbox.charts import Resource, authority_extension
from tests.acceptance.adapter_cli import GRACE, Adapter
from tests.acceptance.backups import ask, call, change, database, mails, opened


def test_restoring_brings_back_what_the_backup_had(site: Adapter) -> None:
    before = site.process("accounts", "--json").stdout
    call(site, "backup", "copy.db")
    database(site).unlink()
    for ending in ("-wal", "-shm"):
        database(site).with_name(f"adapter.db{ending}").unlink(missing_ok=True)
    done = call(site, "restore", "copy.db", "--yes", code=3)
    assert "There is no database that could be compared" in done.stderr
    assert stat.S_IMODE(database(site).stat().st_mode) == 0o600
    assert opened(site.process("accounts", "--json").stdout) == opened(before)
    assert call(site, "audit", "verify").returncode == 0


def test_no_mail_leaves_by_itself_after_a_restore(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    call(site, "deliver")
    once = mails(site)
    assert once
    call(site, "restore", "copy.db", "--yes")
    call(site, "deliver")
    call(site, "sync")
    call(site, "deliver")
    assert mails(site) == once
    assert {row[0] for row in ask(database(site), "SELECT state FROM effect WHERE kind = 'welcome'")} == {"sent"}


def test_mail_of_which_nothing_is_known_is_held_until_a_human_releases_it(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    database(site).write_bytes(b"not a database any more" * 1000)
    for ending in ("-wal", "-shm"):
        database(site).with_name(f"adapter.db{ending}").unlink(missing_ok=True)
    done = call(site, "restore", "copy.db", "--yes", code=3)
    assert "Welcome emails are held" in done.stderr
    call(site, "deliver")
    assert mails(site) == []
    states = ask(database(site), "SELECT DISTINCT state FROM effect WHERE kind = 'welcome'")
    assert states == [("held",)]
    (run,) = ask(database(site), "SELECT max(id) FROM run")[0]
    call(site, "release", str(run))
    call(site, "deliver")
    assert GRACE in mails(site)


def test_a_welcome_that_somebody_asked_for_can_be_released_too(site: Adapter) -> None:
    call(site, "deliver")
    call(site, "register", GRACE, "--yes")
    call(site, "backup", "copy.db")
    call(site, "restore", "copy.db", "--yes", code=3)
    assert ask(database(site), "SELECT count(*) FROM effect WHERE state = 'held' AND run IS NULL") == [(0,)]
    (run,) = ask(database(site), "SELECT max(id) FROM run")[0]
    call(site, "release", str(run))
    call(site, "deliver")
    assert mails(site).count(GRACE) == 2


def test_mail_that_was_being_sent_is_unknown_and_never_sent_again(site: Adapter) -> None:
    call(site, "backup", "copy.db")
    change(
        site.folder / "copy.db",
        "UPDATE effect SET state = 'sending', lease_owner = 'x', lease_until = '2000-01-01T00:00:00.000000Z' "
        "WHERE kind = 'welcome'",
    )
    change(database(site), "DELETE FROM welcome")
    change(database(site), "DELETE FROM effect WHERE kind = 'welcome'")
    call(site, "restore", "copy.db", "--yes", code=3)
    assert ask(database(site), "SELECT DISTINCT state FROM effect WHERE kind = 'welcome'") == [("unknown",)]
    call(site, "deliver")
    assert mails(site) == []


def test_what_was_taken_away_since_the_backup_is_not_opened_again(site: Adapter, families: list[Resource]) -> None:
    call(site, "deliver")
    call(site, "backup", "copy.db")
    mother = next(one for one in families if one["id"] == "okafor-ada-mother")
    mother["extension"] = [authority_extension("none")]
    site.export(families)
    call(site, "sync", "--full")
    call(site, "deliver")
    done = call(site, "restore", "copy.db", "--yes")
    assert "1 chart is closed that the backup had open" in done.stderr
    accounts = opened(site.process("accounts", GRACE, "--json").stdout)
    assert accounts[GRACE]["okafor-ada"] == "suspended restored"
    assert accounts[GRACE]["okafor-ben"] == "active"
    assert ask(database(site), "SELECT count(*) FROM audit WHERE reason = 'restored'") == [(2,)]
    call(site, "sync")
    accounts = opened(site.process("accounts", GRACE, "--json").stdout)
    assert accounts[GRACE]["okafor-ada"] == "ended authority-none"
    assert call(site, "audit", "verify").returncode == 0


def test_the_sync_after_a_restore_opens_again_what_the_ehr_still_allows(
    site: Adapter, families: list[Resource]
) -> None:
    call(site, "deliver")
    before = opened(site.process("accounts", "--json").stdout)
    call(site, "backup", "copy.db")
    change(database(site), "UPDATE \"grant\" SET state = 'suspended' WHERE patient = 'Patient/okafor-ada'")
    call(site, "restore", "copy.db", "--yes")
    assert opened(site.process("accounts", "--json").stdout) != before
    call(site, "sync")
    assert opened(site.process("accounts", "--json").stdout) == before


def test_used_links_stay_used_and_links_of_an_unknown_past_are_closed(site: Adapter) -> None:
    call(site, "deliver")
    call(site, "backup", "copy.db")
    change(database(site), "UPDATE welcome SET link_closed_at = '2030-01-01T00:00:00.000000Z' WHERE rowid = 1")
    call(site, "restore", "copy.db", "--yes")
    links = "SELECT count(*) FROM welcome WHERE token_hash IS NOT NULL AND link_closed_at IS "
    assert ask(database(site), f"{links} NOT NULL") == [(1,)]
    assert ask(database(site), f"{links} NULL")[0][0] > 0
    database(site).unlink()
    call(site, "restore", "copy.db", "--yes")
    assert ask(database(site), f"{links} NULL") == [(0,)]
