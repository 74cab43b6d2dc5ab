"""Charts that are merged: nothing moves by itself, a human lets it go, nobody gets more, and it can be taken back."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs import merges
from adapter.jobs.explain import explain
from adapter.jobs.merge_view import Merging, listing
from adapter.jobs.revoke import revoke
from adapter.jobs.undo import undo
from adapter.store import findings
from adapter.store import tables as t
from adapter.store.engine import begin, read
from tests.edges.small_practice import SmallPractice

A, B, C = "Patient/p1", "Patient/p2", "Patient/p3"


class Merged(SmallPractice):
    """Three families; the mothers have had their Welcome emails."""

    def into(self, source: str, *targets: str, mother_too: bool = False) -> None:
        """The EHR merges a chart; with ``mother_too`` it moves the mother's entry to the other one."""
        link = [{"other": {"reference": target}, "type": "replaced-by"} for target in targets]
        self.change(source, link=link, active=not targets)
        if not targets:
            del self.charts[source]["link"]
        if mother_too:
            self.moves_mother(source, targets[0])

    def moves_mother(self, source: str, target: str) -> None:
        self.change(self.mother(int(source[-1])), patient={"reference": target})

    def move(self, source: str, target: str | None, *, apply: bool = True, **more: Any) -> Merging:
        said: dict[str, Any] = {"reason": "Checked.", "actor": "person:rita", "now": self.now, "apply": apply} | more
        return merges.merge(self.engine, self.practice, source, target, unmerge=target is None, **said)

    def sent(self) -> None:
        with begin(self.engine) as connection:
            connection.execute(sa.update(t.effect).values(state="sent", done_at=self.now))
            connection.execute(sa.update(t.account).values(status="invited"))

    def welcomes(self) -> int:
        with read(self.engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(t.welcome)) or 0

    def links(self) -> int:
        """Links that nobody has used or ended."""
        unused = sa.select(sa.func.count()).select_from(t.welcome).where(t.welcome.c.link_closed_at.is_(None))
        with read(self.engine) as connection:
            return connection.scalar(unused) or 0

    def found(self) -> dict[str, dict[str, Any]]:
        with read(self.engine) as connection:
            return {one["code"]: one for one in findings.listing(connection, [self.id])}

    def listed(self) -> dict[str, str]:
        return {str(one["source"]): str(one["state"]) for one in listing(self.engine, [self.id])}


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> Merged:
    one = Merged(engine, tmp_path / "site", 3)
    one.sync()
    one.sent()
    return one


def test_a_merge_opens_nothing_by_itself_and_is_put_in_front_of_a_human(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged", "p2": "held merge-waiting"}
    assert practice.states()["mother2"] == {"p2": "active"}
    waiting = practice.found()["merge-waiting"]
    assert waiting["patient"] == B and f"adapter merge {A} {B}" in waiting["remedy"]
    assert practice.listed() == {A: "pending"}
    assert practice.sync(days=1)["changes"] == {}


def test_a_released_merge_carries_the_grant_and_the_unused_link_and_sends_no_second_mail(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    mails, links = practice.welcomes(), practice.links()
    shown = practice.move(A, B, apply=False)
    (line,) = shown.moves
    assert (line.account, line.what, line.own) == ("mother1@mail.example", "keeps", False)
    assert "not sent again" in line.mail
    assert practice.states()["mother1"]["p2"] == "held merge-waiting"
    done = practice.move(A, B, expected=shown.hash, seen=shown.seen)
    assert done.changes == {"end-grant": 1, "grant": 1}
    assert practice.states()["mother1"] == {"p1": "ended patient-merged", "p2": "active"}
    assert (practice.welcomes(), practice.links()) == (mails, links)
    assert practice.status("mother1@mail.example") == "invited"
    assert practice.listed() == {A: "done"} and "merge-waiting" not in practice.found()
    (entry,) = practice.audit("merge-charts")
    assert (entry["actor"], entry["detail"]["reason"], entry["detail"]["hash"]) == (
        "person:rita",
        "Checked.",
        done.hash,
    )
    assert practice.sync(days=1)["changes"] == {}


def test_one_effect_tells_the_portal_of_both_charts(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    practice.sent()
    done = practice.move(A, B)
    with read(practice.engine) as connection:
        queued = connection.execute(sa.select(t.effect.c.kind).where(t.effect.c.run == done.done_by)).scalars().all()
    assert queued == ["account"]


def test_a_merge_in_two_steps_waits_in_between(practice: Merged) -> None:
    practice.into(A, B)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged"}
    assert practice.status("mother1@mail.example") == "invited"
    practice.moves_mother(A, B)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged", "p2": "held merge-waiting"}
    practice.move(A, B)
    assert practice.states()["mother1"]["p2"] == "active"


def test_nobody_gets_a_chart_that_its_own_family_contacts_do_not_give(practice: Merged) -> None:
    practice.into(A, B)
    practice.sync(days=1)
    shown = practice.move(A, B)
    assert [(line.account, line.what) for line in shown.moves] == [("mother1@mail.example", "loses")]
    assert practice.states()["mother1"] == {"p1": "ended patient-merged"} and practice.open_charts() == 2


def test_an_explicit_no_on_the_chart_that_is_left_wins(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.authority(practice.mother(1), "none")
    practice.sync(days=1)
    shown = practice.move(A, B)
    assert [(line.what, line.why) for line in shown.moves] == [("loses", "authority-none")] or shown.moves[0].why == ""
    assert "active" not in practice.states()["mother1"].values()


def test_what_the_practice_took_away_stays_away_on_the_chart_that_is_left(practice: Merged) -> None:
    said: dict[str, Any] = {"reason": "Court order.", "actor": "person:rita", "now": practice.now}
    revoke(practice.engine, practice.id, "mother1@mail.example", A, **said)
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    practice.move(A, B)
    practice.sync(days=1)
    assert "active" not in practice.states()["mother1"].values()


def test_a_parent_on_both_charts_never_loses_access(practice: Merged) -> None:
    practice.contacts["RelatedPerson/both"] = practice.contacts[practice.mother(1)] | {
        "id": "both",
        "patient": {"reference": B},
    }
    practice.sync(days=1)
    practice.into(A, B)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged", "p2": "active"}
    assert practice.move(A, B).moves[0].what == "keeps"
    assert practice.states()["mother1"] == {"p1": "ended patient-merged", "p2": "active"}


def test_a_chain_is_followed_to_its_end(practice: Merged) -> None:
    practice.into(A, B)
    practice.into(B, C)
    practice.moves_mother(A, C)
    practice.moves_mother(B, C)
    practice.sync(days=1)
    assert practice.states()["mother1"]["p3"] == "held merge-waiting" == practice.states()["mother2"]["p3"]
    with pytest.raises(FatalError, match=f"merged into {C}, not into {B}"):
        practice.move(A, B)
    assert practice.move(A, C).path == [A, B, C]
    assert practice.states()["mother1"]["p3"] == "active"
    assert practice.states()["mother2"]["p3"] == "held merge-waiting"
    practice.move(B, C)
    assert practice.states()["mother2"]["p3"] == "active" and practice.listed() == {A: "done", B: "done"}


ODD: list[tuple[str, dict[str, tuple[str, ...]], dict[str, Any], str]] = [
    ("itself", {A: (A,)}, {}, "circle"),
    ("cycle", {A: (B,), B: (A,)}, {}, "circle"),
    ("missing", {A: ("Patient/nobody",)}, {}, "not in the EHR"),
    ("several", {A: (B, C)}, {}, "several charts"),
    ("dead", {A: (B,)}, {"deceasedBoolean": True}, "has died"),
    ("inactive", {A: (B,)}, {"active": False}, "inactive"),
]


@pytest.mark.parametrize(("links", "target", "why"), [pytest.param(*case[1:], id=case[0]) for case in ODD])
def test_a_merge_that_ends_nowhere_is_held_and_says_why(
    practice: Merged, links: dict[str, tuple[str, ...]], target: dict[str, Any], why: str
) -> None:
    for source, targets in links.items():
        practice.into(source, *targets)
    practice.change(B, **target)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged"}
    assert why in practice.found()["merge-held"]["message"] and practice.listed()[A] == "held"
    with pytest.raises(FatalError, match=why):
        practice.move(A, links[A][0])


def test_with_several_charts_in_its_place_neither_opens(practice: Merged) -> None:
    practice.into(A, B, C)
    practice.moves_mother(A, C)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged", "p3": "held merge-waiting"}


def test_what_moved_since_it_was_shown_is_named_and_nothing_is_done(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    shown = practice.move(A, B, apply=False)
    practice.authority(practice.mother(1), "exclusive")
    practice.sync(days=1)
    with pytest.raises(FatalError, match=practice.mother(1)):
        practice.move(A, B, expected=shown.hash, seen=shown.seen)
    assert practice.states()["mother1"]["p2"] != "active"


def test_a_merge_that_nobody_let_go_ends_when_the_ehr_takes_it_back(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    practice.into(A)
    practice.moves_mother(A, A)
    practice.sync(days=1)
    assert practice.states()["mother1"]["p1"] == "active" and practice.listed() == {}
    assert "merge-waiting" not in practice.found()


def test_an_unmerge_waits_for_a_human_and_then_restores(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    practice.move(A, B)
    mails = practice.welcomes()
    practice.into(A)
    practice.moves_mother(A, A)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "held unmerge-waiting", "p2": "ended contact-moved"}
    assert practice.listed() == {A: "taken-back"} and practice.found()["unmerge-waiting"]["patient"] == A
    with pytest.raises(FatalError, match="taken this merge back"):
        practice.move(A, B)
    shown = practice.move(A, None)
    assert [line.what for line in shown.moves] == ["gets"]
    assert practice.states()["mother1"]["p1"] == "active" and practice.listed() == {}
    assert practice.welcomes() == mails and practice.audit("unmerge-charts")
    practice.into(A, B, mother_too=True)  # and once more
    practice.sync(days=1)
    assert practice.listed() == {A: "pending"} and practice.states()["mother1"]["p2"] == "held merge-waiting"


def test_an_undone_merge_waits_again(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    run = practice.move(A, B).done_by
    assert run is not None
    undo(practice.engine, practice.app.practices, run, actor="person:rita", now=practice.now, apply=True)
    assert practice.states()["mother1"] == {"p1": "suspended patient-merged", "p2": "held merge-waiting"}
    assert practice.listed() == {A: "pending"} and "merge-waiting" in practice.found()
    assert practice.sync(days=1)["changes"] == {}


def test_two_people_let_it_go_where_the_practice_wants_two(practice: Merged) -> None:
    practice.configure("hold_first_welcome = false\nrelease_needs_two = true")
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    assert practice.move(A, B).needs_second and practice.move(A, B).needs_second
    assert practice.states()["mother1"]["p2"] == "held merge-waiting"
    assert not practice.move(A, B, actor="person:joan").needs_second
    assert practice.states()["mother1"]["p2"] == "active"


def test_what_was_read_and_not_decided_comes_first(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    practice.change(B, birthDate="2018-01-01")
    with pytest.raises(KeyboardInterrupt):
        practice.sync(days=1, stop_at="charts")
    with pytest.raises(FatalError, match=f"{B}.*adapter sync"):
        practice.move(A, B)


def test_explain_says_into_which_chart_it_was_merged_and_what_to_do(practice: Merged) -> None:
    practice.into(A, B, mother_too=True)
    practice.sync(days=1)
    told = explain(practice.engine, practice.practice, "mother1@mail.example", clock=lambda: practice.now)
    assert told.reason == "merge-waiting" and "adapter merges" in told.remedy
    assert "was merged into that of Child Ccson (Patient/p2)" in told.verdict
    practice.move(A, B)
    told = explain(practice.engine, practice.practice, "mother1@mail.example", clock=lambda: practice.now)
    assert told.steps[0].because.startswith("The chart of Child") and told.steps[0].outcome == "done"
