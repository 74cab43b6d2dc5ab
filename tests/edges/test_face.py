"""The FHIR face's reading on both databases: pages without loss, what changed since, one practice's rows alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.fhir_face.elements import Ehr
from adapter.core.fhir_face.search import parse
from adapter.core.findings import Finding
from adapter.core.reasons import Severity
from adapter.core.state import EffectState, GrantState
from adapter.store import answered, api_tokens, audit, face, findings, outbox, runs, vendor_tokens, views
from adapter.store import tables as t
from adapter.store.engine import begin, read
from adapter.store.face.grants import consent_id

HERE, ELSEWHERE = "main-street", "high-street"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EHR = Ehr(HERE)
PEOPLE = 7


@pytest.fixture
def filled(engine: sa.Engine) -> sa.Engine:
    """Seven accounts with two charts each, their mails, findings and trail; the same at another practice."""
    with begin(engine) as connection:
        for practice in (HERE, ELSEWHERE):
            for number in range(PEOPLE):
                _family(connection, practice, f"{practice[0]}{number}")
            audit.append(
                connection, practice, [AuditEntry(action="grant", reason="eligible") for _ in range(PEOPLE)], NOW
            )
            found = [
                Finding(code="email-missing", message="m", scope=f"s{number}", severity=severity, patient="Patient/x")
                for number, severity in enumerate([Severity.WARNING, Severity.ERROR, Severity.INFO] * 2)
            ]
            findings.settle(connection, practice, [one.scope for one in found], found, NOW)
    return engine


def _family(connection: sa.Connection, practice: str, name: str) -> None:
    row = {"id": name, "practice": practice, "email_key": f"{name}@mail.example", "email": f"{name}@mail.example"}
    row |= {"name": name, "language": "en", "status": "invited", "reason": "eligible"}
    connection.execute(t.account.insert().values(**row, since=NOW))
    for child, state in ((f"{name}a", GrantState.ACTIVE), (f"{name}b", GrantState.HELD)):
        grant = {"account_id": name, "patient": f"Patient/{child}", "contact": f"RelatedPerson/{child}"}
        grant |= {"role": "mother", "authority": "joint", "access": "full", "state": state, "reason": "eligible"}
        connection.execute(t.grant.insert().values(**grant, source="", is_self=False, since=NOW, organization=""))
    effect = {"id": f"e{name}", "practice": practice, "kind": "welcome", "subject": name, "to": "x", "state": "sent"}
    connection.execute(t.effect.insert().values(**effect, attempts=1, created_at=NOW, done_at=NOW))
    welcome = {"id": f"w{name}", "practice": practice, "account_id": name, "generation": 1, "effect_id": f"e{name}"}
    connection.execute(t.welcome.insert().values(**welcome, email="x", reason="eligible", created_at=NOW))


def ask(connection: sa.Connection, kind: str, *params: tuple[str, str], now: datetime = NOW) -> list[Any]:
    """Everything that matches, two at a time."""
    source, found, after = face.SOURCES[kind], [], None
    search = parse(kind, [*params, ("_count", "2")], EHR, strict=True)
    while True:
        page = face.page(connection, source, HERE, search, after, now)
        found += page.views
        after = page.after
        if after is None:
            assert face.total(connection, source, HERE, search, now) == len(found)
            return found
        assert face.fits(source, after) and len(page.views) == 2


@pytest.mark.parametrize(
    ("kind", "count"), [("Person", 7), ("Consent", 14), ("Communication", 7), ("Task", 6), ("AuditEvent", 7)]
)
def test_all_of_a_practice_and_of_no_other_comes_page_by_page(filled: sa.Engine, kind: str, count: int) -> None:
    with read(filled) as connection:
        found = ask(connection, kind)
        ids = {one["seq"] if kind == "AuditEvent" else one.id for one in found}
        assert len(found) == len(ids) == count
        assert face.find(connection, face.SOURCES[kind], HERE, "nobody", NOW) is None
        assert len(ask(connection, kind, ("_lastUpdated", "2026-06-01"))) == count
        assert ask(connection, kind, ("_lastUpdated", "gt2026-06-01")) == []
        assert ask(connection, kind, ("_lastUpdated", "ne2026-06")) == []


def test_what_changed_since_is_found_whatever_it_was(filled: sa.Engine) -> None:
    later = [("_lastUpdated", "gt2026-06-01")]
    with begin(filled) as connection:
        sent = sa.update(t.effect).where(t.effect.c.id == "em1").values(state=EffectState.UNKNOWN)
        connection.execute(sent)
        suspended = sa.update(t.grant).where(t.grant.c.patient == "Patient/m2a").values(state=GrantState.SUSPENDED)
        connection.execute(suspended)
        findings.settle(connection, HERE, ["s0"], [], NOW + timedelta(days=2))
    with read(filled) as connection:
        assert [one.id for one in ask(connection, "Person", *later)] == ["m2"]
        assert [one.id for one in ask(connection, "Communication", *later)] == ["wm1", "wm2"]
        assert [one.patient for one in ask(connection, "Consent", *later)] == ["Patient/m2a"]
        assert len(ask(connection, "Task", *later)) == 1 == len(ask(connection, "Task", ("status", "completed")))


def test_a_grant_whose_time_is_over_is_no_longer_active_and_has_changed(filled: sa.Engine) -> None:
    over = NOW + timedelta(days=3)
    with begin(filled) as connection:
        mine = t.grant.c.patient == "Patient/m3a"
        connection.execute(sa.update(t.grant).where(mine).values(until=over, changed_at=NOW))
    with read(filled) as connection:
        assert len(ask(connection, "Consent", ("status", "active"), now=over - timedelta(seconds=1))) == 7
        assert len(ask(connection, "Consent", ("status", "active"), now=over)) == 6
        assert len(ask(connection, "Consent", ("status", "inactive"), now=over)) == 1
        assert len(ask(connection, "Consent", ("status", "proposed"), now=over)) == 7
        (changed,) = ask(connection, "Consent", ("_lastUpdated", "ge2026-06-04"), now=over)
        assert changed.patient == "Patient/m3a" and not changed.opens(over)
        assert face.find(connection, face.SOURCES["Consent"], HERE, consent_id("m3", "Patient/m3a"), over) == changed


def test_each_reference_finds_its_own(filled: sa.Engine) -> None:
    with read(filled) as connection:
        assert [one.id for one in ask(connection, "Person", ("relatedperson", "RelatedPerson/m1b"))] == ["m1"]
        assert [one.id for one in ask(connection, "Communication", ("recipient", "m1a"), ("patient", "m1b"))] == ["wm1"]
        assert ask(connection, "Communication", ("recipient", "h1a")) == [], "of another practice"
        assert [one.patient for one in ask(connection, "Consent", ("actor", "m1a"))] == ["Patient/m1a"]
        assert [one.id for one in ask(connection, "Communication", ("sent", "2026-06-01"), ("_id", "wm4,wh4"))] == [
            "wm4"
        ]


def test_the_lists_of_the_api_come_page_by_page(filled: sa.Engine) -> None:
    with begin(filled) as connection:
        for _ in range(3):
            runs.finish(
                connection,
                runs.start(connection, HERE, "full", NOW),
                status="complete",
                plan_hash=None,
                report={},
                now=NOW,
            )
    with read(filled) as connection:
        whole = findings.listing(connection, [HERE])
        gravity = [findings.GRAVITY.get(one["severity"], 2) for one in whole]
        assert gravity == sorted(gravity) == [0, 0, 1, 1, 2, 2]
        for place, one in enumerate(whole):
            key = (gravity[place], datetime.fromisoformat(one["since"]), one["id"])
            assert findings.listing(connection, [HERE], after=key) == whole[place + 1 :]
        accounts = views.accounts(connection, [HERE])
        assert views.accounts(connection, [HERE], after="m2@mail.example", limit=2) == accounts[3:5]
        effects = outbox.listing(connection, practice=HERE)
        assert outbox.listing(connection, practice=HERE, after="em2", limit=2) == effects[3:5]
        newest = runs.listing(connection, [HERE])
        assert runs.listing(connection, [HERE], before=newest[0]["run"], limit=1) == newest[1:2]


def test_tokens_assertions_and_answers_are_used_up_on_both_databases(engine: sa.Engine) -> None:
    soon = NOW + timedelta(minutes=5)
    with begin(engine) as connection:
        assert vendor_tokens.use_up(connection, "acme", "j1", expires_at=soon, now=NOW)
        assert not vendor_tokens.use_up(connection, "acme", "j1", expires_at=soon, now=NOW)
        assert vendor_tokens.use_up(connection, "other", "j1", expires_at=soon, now=NOW)
        vendor_tokens.keep(connection, "secret", client_id="acme", scope="s", now=NOW, expires_at=soon)
        assert vendor_tokens.find(connection, "secret", now=NOW) == ("acme", "s")
        assert vendor_tokens.find(connection, "secret", now=soon) is None
        assert answered.claim(connection, "me", "k", "h", NOW) is None
        assert answered.claim(connection, "me", "k", "h", NOW) == ("h", None, None)
        answered.keep(connection, "me", "k", 200, "{}")
        assert answered.claim(connection, "me", "k", "h", NOW) == ("h", 200, "{}")
        assert answered.claim(connection, "me", "k", "h", NOW + timedelta(days=1)) is None, "a day is over"
        assert api_tokens.listing(connection) == []
