"""A human's answers on both databases: at once, in one transaction, with a trace; they end when the facts change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.core.answers import Answer
from adapter.errors import AdapterError, FatalError
from adapter.jobs.audit import verify
from adapter.jobs.finding_answers import Decided, decide, practice_of, withdraw
from adapter.store import findings
from adapter.store import tables as t
from adapter.store.engine import begin, read
from tests.acceptance.adapter_cli import opens
from tests.edges.test_sync_store import NOW, Site

BOYD, DUBOIS, IYER = "w.boyd@mail.example", "home@dubois.example", "asha.iyer@mail.example"
PETROV = "family@petrov.example"
NEIGHBOR = "RelatedPerson/ramirez-diego-neighbor"
WHY = "Grandmother's neighbor has looked after him for years; papers seen."


class Desk(Site):
    """A practice of the story, with somebody at the desk who answers findings."""

    def found(self, *, decided: bool = False) -> list[dict[str, Any]]:
        with read(self.engine) as connection:
            return findings.listing(connection, [self.practice.id], decided=decided)

    def one(self, code: str, of: str) -> dict[str, Any]:
        """The open finding of this code about this contact, chart or address."""
        (found,) = [
            one
            for one in self.found(decided=True)
            if one["code"] == code and of in (one["contact"], one["patient"], one["email"])
        ]
        return found

    def decide(self, ids: list[str], answer: Answer, *, days: int = 0, **options: Any) -> Decided:
        asked: dict[str, Any] = {
            "reason": WHY,
            "actor": "person:rita",
            "clock": lambda: NOW + timedelta(days=days),
        } | options
        return decide(self.engine, self.practice, ids, answer, **asked)

    def take_back(self, ids: list[str], *, days: int = 0) -> Decided:
        at = NOW + timedelta(days=days)
        return withdraw(self.engine, self.practice, ids, reason="Rita erred.", actor="person:rita", clock=lambda: at)

    def opens(self, email: str) -> dict[str, str]:
        (account,) = [account for account in self.accounts() if account["email"] == email]
        return opens(account)

    def change(self, ref: str, **fields: Any) -> None:
        self.resources[ref] = self.resources[ref] | fields
        self.write()

    def trail(self) -> list[Any]:
        with read(self.engine) as connection:
            return list(connection.execute(sa.select(t.audit).order_by(t.audit.c.seq)))


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Desk:
    desk = Desk(engine, tmp_path / "site")
    desk.sync()
    return desk


def test_an_approval_opens_the_chart_at_once_and_queues_the_welcome(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    assert finding["answers"] == ["approve", "dismiss"]
    done = desk.decide([finding["id"]], Answer.APPROVE)
    assert done.changes == {"grant": 1, "queue-welcome": 1} and not done.waits
    assert desk.opens(BOYD) == {"ramirez-diego": "active approved"}
    (answered,) = [one for one in desk.trail() if one.action == "decide-finding"]
    assert (answered.actor, answered.reason, answered.run) == ("person:rita", "role-unknown", None)
    assert WHY in answered.detail
    assert verify(desk.engine, None, against=None, progress=lambda *_: None).breaks == []


def test_what_is_answered_leaves_the_queue_and_is_found_among_all(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    before = len(desk.found())
    desk.decide([finding["id"]], Answer.APPROVE)
    assert len(desk.found()) == before - 1
    assert finding["id"] not in {one["id"] for one in desk.found()}
    (shown,) = desk.one("role-unknown", NEIGHBOR)["decisions"]
    assert (shown["answer"], shown["actor"], shown["reason"], shown["in_force"]) == (
        "approve",
        "person:rita",
        WHY,
        True,
    )


def test_an_answer_outlives_syncs_that_bring_nothing_new(desk: Desk) -> None:
    desk.decide([desk.one("role-unknown", NEIGHBOR)["id"]], Answer.APPROVE)
    for full in (False, True):
        report = desk.sync(days=1, full=full)
        assert report["changes"] == {}
        assert "role-unknown" not in report["findings"]
    assert desk.opens(BOYD) == {"ramirez-diego": "active approved"}


def test_an_answer_ends_when_the_facts_change_and_does_not_come_back_with_them(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    desk.decide([finding["id"]], Answer.APPROVE)
    before = desk.resources[NEIGHBOR]
    desk.change(NEIGHBOR, name=[{"text": "Wilma Boyd-Smith"}])
    desk.sync(days=1)
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}
    (open_again,) = [one for one in desk.found() if one["id"] == finding["id"]]
    assert open_again["since"] > finding["since"]
    assert [(one["in_force"], one["ended_because"]) for one in open_again["decisions"]] == [(False, "facts-changed")]
    desk.change(NEIGHBOR, **before)
    desk.sync(days=2)
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}


def test_an_answer_ends_when_the_problem_is_solved(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    desk.decide([finding["id"]], Answer.APPROVE)
    guardian = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "GUARD"}]}
    desk.change(NEIGHBOR, relationship=[guardian])
    desk.sync(days=1)
    assert desk.opens(BOYD) == {"ramirez-diego": "active"}
    with read(desk.engine) as connection:
        (ended,) = connection.scalars(sa.select(t.decision.c.ended_because))
    assert ended == "solved"


def test_withdrawing_is_as_if_nobody_had_answered(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    desk.decide([finding["id"]], Answer.APPROVE)
    done = desk.take_back([finding["id"]])
    assert done.changes["hold-grant"] == 1
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}
    (last,) = desk.one("role-unknown", NEIGHBOR)["decisions"]
    assert (last["ended_because"], last["ended_by"], last["ended_reason"]) == (
        "withdrawn",
        "person:rita",
        "Rita erred.",
    )
    with pytest.raises(FatalError, match="no answer in force"):
        desk.take_back([finding["id"]])


def test_a_later_answer_takes_the_place_of_an_earlier_one_and_both_are_kept(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    desk.decide([finding["id"]], Answer.APPROVE)
    desk.decide([finding["id"]], Answer.DISMISS)
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}
    both = desk.one("role-unknown", NEIGHBOR)["decisions"]
    assert {(one["answer"], one["ended_because"]) for one in both} == {("dismiss", None), ("approve", "replaced")}


def test_an_answer_with_a_last_day_ends_with_it(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    last = (NOW + timedelta(days=3)).date()
    desk.decide([finding["id"]], Answer.APPROVE, until=last)
    assert desk.one("role-unknown", NEIGHBOR)["decisions"][0]["until"] == last.isoformat()
    desk.sync(days=3)
    assert desk.opens(BOYD) == {"ramirez-diego": "active approved"}
    desk.sync(days=4)
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}
    assert desk.one("role-unknown", NEIGHBOR)["decisions"][0]["ended_because"] == "expired"
    with pytest.raises(FatalError, match="is over already"):
        desk.decide([finding["id"]], Answer.APPROVE, until=last, days=4)


def test_an_address_in_the_childs_own_record_may_be_approved(desk: Desk) -> None:
    desk.decide([desk.one("shared-email", "RelatedPerson/iyer-asha-guardian")["id"]], Answer.APPROVE)
    assert desk.opens(IYER) == {"iyer-asha": "active approved"}


def test_an_answer_about_the_people_at_an_address_answers_all_that_is_held_for_them(desk: Desk) -> None:
    held = [one for one in desk.found() if one["email"] == DUBOIS]
    assert len(held) == 2
    done = desk.decide([held[0]["id"]], Answer.DIFFERENT_PEOPLE)
    assert sorted(done.findings) == sorted(one["id"] for one in held)
    assert done.changes == {}
    assert not [one for one in desk.found() if one["email"] == DUBOIS]
    assert sorted(desk.take_back([held[1]["id"]]).findings) == sorted(done.findings)


def test_many_findings_are_answered_together_or_not_at_all(desk: Desk) -> None:
    known = [one["id"] for one in desk.found() if one["code"] in ("email-missing", "self-only")]
    with pytest.raises(FatalError, match="There is no finding abc"):
        desk.decide([*known, "abc"], Answer.DISMISS)
    assert len(desk.found()) == len(desk.found(decided=True))
    assert sorted(desk.decide(known, Answer.DISMISS).findings) == sorted(known)
    assert not {one["id"] for one in desk.found()} & set(known)


@pytest.mark.parametrize(
    ("code", "of"),
    [
        ("authority-conflict", "RelatedPerson/castellano-nina-mother"),
        ("authority-conflict", "RelatedPerson/brandt-jonas-mother"),
        ("authority-unknown", "RelatedPerson/haddad-sami-mother"),
        ("email-missing", "RelatedPerson/moreau-theo-mother"),
        ("self-only", "RelatedPerson/osei-imani-self"),
    ],
)
def test_nobody_can_approve_what_is_no_hold(desk: Desk, code: str, of: str) -> None:
    before = desk.decided()
    with pytest.raises(FatalError, match=r"takes only dismiss, not approve\. No human's answer opens a chart"):
        desk.decide([desk.one(code, of)["id"]], Answer.APPROVE)
    assert desk.decided() == before


@pytest.mark.parametrize(("reason", "fault"), [("  ", "Say why"), ("x" * 501, "longer than 500")])
def test_an_answer_needs_a_reason(desk: Desk, reason: str, fault: str) -> None:
    with pytest.raises(FatalError, match=fault):
        desk.decide([desk.found()[0]["id"]], Answer.DISMISS, reason=reason)


def test_after_half_a_read_an_approval_waits_for_a_whole_one(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    with begin(desk.engine) as connection:  # a read that broke off has left something nobody has decided
        connection.execute(sa.update(t.patient).where(t.patient.c.ref == "Patient/okafor-ada").values(changed_run=99))
    done = desk.decide([finding["id"]], Answer.APPROVE)
    assert done.waits and done.changes == {}
    assert desk.opens(BOYD) == {"ramirez-diego": "held role-unknown"}
    desk.sync(days=1)
    assert desk.opens(BOYD) == {"ramirez-diego": "active approved"}


def test_an_answer_that_fails_half_way_is_none(desk: Desk) -> None:
    finding = desk.one("role-unknown", NEIGHBOR)
    before = desk.decided()
    with _grants_refuse(desk.engine), pytest.raises(AdapterError):
        desk.decide([finding["id"]], Answer.APPROVE)
    assert desk.decided() == before
    assert desk.one("role-unknown", NEIGHBOR)["decisions"] == []


def test_answering_is_the_same_as_a_sync_that_knows_the_answer(desk: Desk) -> None:
    desk.decide([desk.one("role-unknown", NEIGHBOR)["id"]], Answer.APPROVE)
    at_once = desk.decided()
    with begin(desk.engine) as connection:
        connection.execute(sa.update(t.practice).values(rules_hash=None))
    assert desk.sync(days=1)["changes"] == {}
    assert {name: rows for name, rows in desk.decided().items() if name != "finding"} == {
        name: rows for name, rows in at_once.items() if name != "finding"
    }


def test_a_finding_knows_its_practice(desk: Desk) -> None:
    assert practice_of(desk.engine, desk.found()[0]["id"]) == desk.practice.id
    assert practice_of(desk.engine, "abc") is None


@contextmanager
def _grants_refuse(engine: sa.Engine) -> Iterator[None]:
    """The database refuses to write grants, as when the disk is full."""

    def refuse(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.replace('"', "").startswith("INSERT INTO grant "):
            raise sa.exc.OperationalError(statement, {}, Exception("disk full"))

    sa.event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", refuse)
