"""From the outbox to the portal and the parent's mailbox, on both databases."""

import hashlib
import threading
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from adapter.core.state import AccountStatus, EffectKind, EffectState, GrantState
from adapter.errors import DeliveryError, RetriableError
from adapter.mail.folder import FolderMailer
from adapter.portal.embedded import EmbeddedPortal
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.outbox import LEASE
from tests.acceptance.delivery import Outbound, PickyPortal, ScriptedMailer
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, add_grant, add_welcome, row_of, states


@pytest.fixture
def outbound(engine: sa.Engine, tmp_path: Path) -> Outbound:
    return Outbound(engine, FolderMailer(tmp_path / "mail"))


def mails(folder: Path) -> list[EmailMessage]:
    found = []
    for file in sorted((folder / "mail").glob("*.eml")):
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


def link_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return next(line.strip() for line in text.splitlines() if line.startswith("  https://"))


def test_a_new_account_reaches_the_portal_and_its_parent_gets_one_welcome(outbound: Outbound, tmp_path: Path) -> None:
    engine = outbound.engine
    add_account(engine, "a1", charts=2)
    add_effect(engine, "e1", EffectKind.ACCOUNT, "a1")
    add_welcome(engine, "w1", "a1")
    assert outbound.deliver() == {"account": {"sent": 1}, "welcome": {"sent": 1}}
    account = outbound.portal.get_accounts(["a1"]).get("a1")
    assert account is not None
    assert (account.email, account.active) == ("a1@mail.example", True)
    assert [chart.patient for chart in account.dependents] == ["Patient/a1-0", "Patient/a1-1"]
    (mail,) = mails(tmp_path)
    token = parse_qs(urlsplit(link_of(mail)).query)["token"][0]
    welcome = row_of(engine, t.welcome, "w1")
    assert welcome["token_hash"] == hashlib.sha256(token.encode()).hexdigest()
    assert welcome["message_id"] == mail["Message-ID"] == "<welcome.w1@portal.example>"
    assert welcome["link_expires_at"] == NOW + timedelta(hours=48)
    assert row_of(engine, t.account, "a1")["status"] == AccountStatus.INVITED
    assert outbound.audit() == [("welcome-sent", "a1", "eligible")]
    assert outbound.deliver() == {}
    assert len(mails(tmp_path)) == 1


def test_nothing_about_the_family_is_in_any_mail(outbound: Outbound, tmp_path: Path) -> None:
    canaries = ["Zebedee", "2019-04-05", "MRN-4711", "Patient/", "RelatedPerson/"]
    facts = '{"names":["Zebedee Quill"],"birth_date":"2019-04-05","mrn":"MRN-4711"}'
    with begin(outbound.engine) as connection:
        row = {
            "practice": PRACTICE,
            "ref": "Patient/a1-0",
            "hash": "h",
            "facts": facts,
            "changed_run": 1,
            "seen_run": 1,
        }
        connection.execute(sa.insert(t.patient).values(row))
    for number, language in enumerate(("en", "es")):
        add_account(outbound.engine, f"a{number}", language=language)
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
        add_effect(outbound.engine, f"n{number}", EffectKind.NOTICE, f"a{number}", to="old@mail.example")
    assert outbound.deliver() == {"notice": {"sent": 2}, "welcome": {"sent": 2}}
    assert len(mails(tmp_path)) == 4
    for file in (tmp_path / "mail").glob("*.eml"):
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        text = file.read_text() + "".join(str(part.get_content()) for part in message.iter_parts())
        assert not [canary for canary in canaries if canary in text]


def test_what_the_portal_gets_is_the_account_as_it_is_now_however_many_effects_wait(outbound: Outbound) -> None:
    add_account(outbound.engine, "a1")
    for number in range(3):
        add_effect(outbound.engine, f"e{number}", EffectKind.ACCOUNT, "a1")
    with begin(outbound.engine) as connection:
        add_grant(connection, "a1", "Patient/held", GrantState.HELD)
        add_grant(connection, "a1", "Patient/ended", GrantState.ENDED)
        add_grant(connection, "a1", "Patient/new")
    assert outbound.deliver() == {"account": {"sent": 3}}
    account = outbound.portal.get_accounts(["a1"]).get("a1")
    assert account is not None
    assert [chart.patient for chart in account.dependents] == ["Patient/a1-0", "Patient/new"]


@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSED])
def test_a_suspended_or_closed_account_opens_nothing_in_the_portal(outbound: Outbound, status: AccountStatus) -> None:
    add_account(outbound.engine, "a1", status=status)
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    outbound.deliver()
    account = outbound.portal.get_accounts(["a1"]).get("a1")
    assert account is not None
    assert (account.active, account.status, account.dependents) == (False, status, ())


def test_a_family_that_changed_while_the_welcome_waited_gets_none(outbound: Outbound, tmp_path: Path) -> None:
    engine = outbound.engine
    add_account(engine, "suspended", status=AccountStatus.SUSPENDED)
    add_account(engine, "nothing-to-open", charts=0)
    with begin(engine) as connection:
        for state in (GrantState.HELD, GrantState.SUSPENDED, GrantState.ENDED):
            add_grant(connection, "nothing-to-open", f"Patient/{state}", state)
    add_account(engine, "moved", email="new@mail.example")
    add_account(engine, "killed")
    for account in ("suspended", "nothing-to-open"):
        add_welcome(engine, account, account)
    add_welcome(engine, "moved", "moved", email="old@mail.example")
    add_welcome(engine, "killed", "killed", link_closed_at=NOW)
    assert outbound.deliver() == {"welcome": {"cancelled": 4}}
    assert mails(tmp_path) == []
    assert sorted(outbound.audit()) == [
        ("welcome-cancelled", "killed", "welcome-link-closed"),
        ("welcome-cancelled", "moved", "welcome-address-changed"),
        ("welcome-cancelled", "nothing-to-open", "no-active-grant"),
        ("welcome-cancelled", "suspended", "account-suspended"),
    ]
    assert row_of(engine, t.effect, "suspended-mail")["last_error"] == "account-suspended"


def test_held_mail_does_not_leave(outbound: Outbound, tmp_path: Path) -> None:
    add_account(outbound.engine, "a1")
    add_welcome(outbound.engine, "w1", "a1", state=EffectState.HELD)
    assert outbound.deliver() == {}
    assert mails(tmp_path) == []


def test_a_limit_is_kept_and_the_rest_goes_next_time(outbound: Outbound) -> None:
    for number in range(3):
        add_account(outbound.engine, f"a{number}")
        add_effect(outbound.engine, f"e{number}", EffectKind.ACCOUNT, f"a{number}")
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
    assert outbound.deliver(limit=2) == {"account": {"sent": 2}}
    assert outbound.deliver(limit=2) == {"account": {"sent": 1}, "welcome": {"sent": 1}}
    assert outbound.deliver() == {"welcome": {"sent": 2}}


def test_a_portal_that_is_not_well_is_asked_again_and_no_link_leaves_meanwhile(
    outbound: Outbound, tmp_path: Path
) -> None:
    add_account(outbound.engine, "a1")
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    add_welcome(outbound.engine, "w1", "a1")
    well = outbound.portal
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    broken = sa.create_engine(f"sqlite:///{tmp_path}/broken.db")
    outbound.portal = EmbeddedPortal(broken, practice=PRACTICE, now=outbound.now)
    report = outbound.report()
    assert {kind: dict(counts) for kind, counts in report.counts.items()} == {"account": {"queued": 1}}
    assert "does not answer" in report.problems[0]
    outbound.portal = well
    assert outbound.deliver() == {}
    outbound.later(seconds=30)
    assert outbound.deliver() == {"account": {"sent": 1}, "welcome": {"sent": 1}}


def test_a_portal_so_slow_that_another_worker_took_over_is_given_the_current_state_once_more(
    outbound: Outbound,
) -> None:
    portal = PickyPortal(outbound.engine, practice=PRACTICE, now=outbound.now)
    portal.refuses = {}
    outbound.portal = portal
    add_account(outbound.engine, "a1")
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")

    def take_over() -> None:
        """While the first worker waits, its lease ends, the family changes, and a second worker delivers."""
        portal.during = None
        outbound.at += LEASE
        with begin(outbound.engine) as connection:
            connection.execute(sa.update(t.account).values(status=AccountStatus.CLOSED))
        second = Outbound(outbound.engine, ScriptedMailer(), at=outbound.at)
        assert second.deliver() == {"account": {"sent": 1}}

    portal.during = take_over
    outbound.deliver()
    account = portal.get_accounts(["a1"]).get("a1")
    assert account is not None
    assert (account.active, account.status) == (False, AccountStatus.CLOSED)
    assert states(outbound.engine) == {"e1": EffectState.SENT}


def test_an_account_the_portal_refuses_stops_nobody_else(outbound: Outbound) -> None:
    portal = PickyPortal(outbound.engine, practice=PRACTICE, now=outbound.now)
    portal.refuses = {
        "bad": DeliveryError("The portal refused the account (409).", permanent=True),
        "busy": DeliveryError("The portal is busy (429).", permanent=False),
    }
    outbound.portal = portal
    for account in ("bad", "busy", "good"):
        add_account(outbound.engine, account)
        add_effect(outbound.engine, account, EffectKind.ACCOUNT, account)
        add_welcome(outbound.engine, f"w-{account}", account)
    assert outbound.deliver() == {"account": {"sent": 1, "failed": 1, "queued": 1}, "welcome": {"sent": 1}}
    assert row_of(outbound.engine, t.effect, "bad")["last_error"] == "The portal refused the account (409)."
    # The chart is corrected: a newer effect brings the account in, and the refusal no longer matters.
    portal.refuses = {}
    outbound.later(seconds=1)
    for account in ("bad", "busy"):
        add_effect(outbound.engine, f"{account}-again", EffectKind.ACCOUNT, account)
    assert outbound.deliver() == {"account": {"sent": 2}, "welcome": {"sent": 2}}
    assert states(outbound.engine)["bad"] == states(outbound.engine)["busy"] == EffectState.CANCELLED


def test_two_workers_and_one_family_make_one_mail(outbound: Outbound) -> None:
    mailer = ScriptedMailer()
    outbound.mailer = mailer
    for number in range(12):
        add_account(outbound.engine, f"a{number}")
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
    start = threading.Barrier(3)
    failures: list[BaseException] = []

    def work() -> None:
        start.wait()
        try:
            outbound.deliver()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(message["Message-ID"] for message in mailer.messages) == sorted(
        f"<welcome.w{number}@portal.example>" for number in range(12)
    )
    assert set(states(outbound.engine).values()) == {EffectState.SENT}


def test_a_mail_server_that_is_down_keeps_everything_in_the_outbox(outbound: Outbound) -> None:
    outbound.mailer = ScriptedMailer(RetriableError("Cannot reach the mail server."))
    for number in range(3):
        add_account(outbound.engine, f"a{number}")
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
    report = outbound.report()
    assert report.counts == {"welcome": {"queued": 1}}
    assert report.problems == ["Cannot reach the mail server."]
    assert set(states(outbound.engine).values()) == {EffectState.QUEUED}
    outbound.later(minutes=1)
    assert outbound.deliver() == {"welcome": {"sent": 3}}
