"""One practice's history, step by step: families change in the EHR, time passes, the product runs, the judge looks."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from adapter.jobs.run import Request
from tests.oracle.ehr import Trouble
from tests.oracle.judge import Judge, Snapshot
from tests.oracle.judge_mail import judge_mail, judge_portal
from tests.oracle.judge_undo import judge_undo
from tests.oracle.moves import MOVES, Choose, Family, Move
from tests.oracle.oracle import POLICY, Dict, key
from tests.oracle.site import NO_BRAKES, TIGHT, Site

POLICIES: tuple[tuple[str, Dict], ...] = (
    ("hold_first_welcome = false", {}),
    ("hold_first_welcome = true", {}),
    (
        'hold_first_welcome = false\nbands = [{from = 0, access = "full"}, {from = 12, access = "limited"}, '
        '{from = 18, access = "none"}]\nauthority_when_unknown = {mother = "joint"}',
        {"bands": [(0, "full"), (12, "limited"), (18, "none")], "assumed_joint": ["mother"]},
    ),
    (
        'hold_first_welcome = false\nallowed_roles = ["mother", "father", "other_relative"]',
        {"roles": ["mother", "father", "other_relative"]},
    ),
)
"""Each as config.toml has it, and as the oracle reads it where it differs from the default."""
FORWARD = [timedelta(**{unit: number}) for unit, number in (("minutes", 10), ("hours", 7), ("days", 1), ("days", 11))]
JUMPS = [timedelta(**{unit: number}) for unit, number in (("days", -1), ("hours", -3), ("days", -40), ("days", 300))]
STARTS = [
    datetime.fromisoformat(f"2026-{day}Z") for day in ("05-04 14:30", "02-28 06:00", "10-31 23:00", "01-01 04:59")
]
"""An ordinary day; 28 February; before the clocks go back; and a minute before New Year in New York."""
ANSWERS_TO_FINDINGS = ("approve", "approve", "approve", "same-person", "different-people", "dismiss", "withdraw")
ANSWERS = ("sent", "sent", "sent", "unknown", "refused", "later", "down")


@dataclass
class History:
    """``steps`` counts changes in the EHR and everything that was done with the product; ``trail`` names the latest."""

    site: Site
    judge: Judge
    families: list[Family]
    beyond: bool = False
    steps: Counter[str] = field(default_factory=Counter)
    trail: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.steps[what.partition(":")[0]] += 1
        self.trail.append(what)

    # What happens outside.

    def change(self, family: Family, move: Move, choose: Choose) -> None:
        """Something changes in the EHR; the product learns of it when it reads again."""
        self.note(f"{move.__name__}: {family.key}")
        move(family, choose, self.site.local.date())

    def passes(self, delta: timedelta) -> None:
        """Time passes, or the clock is put back."""
        self.note(f"clock: {delta}")
        self.site.now += delta

    # What the product does.

    def sync(self, *, full: bool = False, trouble: Trouble | None = None) -> None:
        """Reads what changed, or everything; ``trouble`` is what goes wrong meanwhile."""
        self.note(f"{'full sync' if full else 'sync'}: {trouble or ''}")
        self.site.ehr.trouble = trouble or Trouble()
        self.judge.judge_run(self.site.sync(Request(full=full)))

    def review(self) -> None:
        """Reads nothing; decides what time alone has changed."""
        self.note("review")
        self.judge.judge_run(self.site.sync(Request(review=True)), review=True)

    def person(self, ref: str, trouble: Trouble | None = None) -> None:
        """One family alone."""
        self.note(f"person: {ref} {trouble or ''}")
        self.site.ehr.trouble = trouble or Trouble()
        self.judge.judge_run(self.site.sync(Request(person=ref)), everyone=False)

    def plan(self) -> None:
        """Reads everything that changed and syncs; then a plan has nothing to do."""
        self.sync()
        self.note("plan")
        shown, _ = self.site.plan()
        self.judge.judge_plan(shown)

    def deliver(self, answer: str = "sent") -> None:
        """Sends what is due, with a mail server that answers so."""
        self.note(f"deliver: {answer}")
        courier = self.site.courier
        courier.answer, courier.left = answer, []
        snapshot = Snapshot.of(self.site)
        self.site.deliver()
        judge_mail(self.judge, courier.left, snapshot)
        judge_portal(self.judge)

    def release(self) -> None:
        """The practice lets the first Welcome emails go."""
        self.note("release")
        self.site.release()
        self.judge.released = True

    def release_held(self, choose: Choose) -> None:
        """Somebody lets go what a brake holds; or tries it with a plan that they have not seen, which is refused."""
        plans = self.site.held()
        if plans:
            plan = choose(plans)
            unseen = choose((False, False, True))
            self.note(f"{'refused release' if unseen else 'release held'}: run {plan.run}")
            before = Snapshot.of(self.site)
            done = self.site.release_run(plan.run, "another" if unseen else plan.hash)
            if unseen and (done or Snapshot.of(self.site) != before):
                self.judge.disagree("released-unseen", f"run {plan.run}")
            self.judge.released = self.judge.released or done
            self.judge.judge_answer("a-release")

    def undo(self, choose: Choose) -> None:
        """Somebody takes one of the latest runs back."""
        if self.judge.runs:
            run = choose(sorted(self.judge.runs)[-4:])
            self.note(f"undo: run {run}")
            self.judge.before = Snapshot.of(self.site)
            done = self.site.undo(run)
            if done is not None:
                judge_undo(self.judge, done)

    def register(self, choose: Choose) -> None:
        """Somebody at the practice sends a Welcome email again, or a parent follows the link in one."""
        accounts = sorted(self.judge.before.accounts if self.judge.before else [], key=lambda row: str(row.email_key))
        if accounts:
            account = choose(accounts)
            self.note(f"register: {account.email_key}")
            if choose((True, False)):
                self.site.register(account.email)
            else:
                self.site.sets_password(account.id)

    def revoke_or_lift(self, choose: Choose) -> None:
        """The practice takes a chart away from somebody at once, or gives one back to the rules."""
        taken = self.site.taken_away()
        if taken and choose((True, False)):
            row = choose(sorted(taken, key=lambda row: (row.email_key, row.patient)))
            self.note(f"lift: {row.email_key} {row.patient}")
            self.site.lift(row.email_key, row.patient)
        else:
            self.judge.before = Snapshot.of(self.site)
            if self.judge.before.active:
                email, chart = choose(sorted(self.judge.before.active))
                self.note(f"revoke: {email} {chart}")
                self.site.revoke(email, f"Patient/{chart}")
        self.judge.judge_revoked()

    def answers(self, choose: Choose) -> None:
        """Somebody goes through some of the findings."""
        for _ in range(4):
            self.answer(choose)

    def answer(self, choose: Choose) -> None:
        """Somebody at the practice answers a finding, or takes an answer back."""
        found = self.site.open_findings()
        holds = [one for one in found if one.code in ("role-unknown", "role-not-allowed", "shared-email")]
        if not found:
            return
        finding, answer = choose(choose((holds, holds, holds, found)) or found), choose(ANSWERS_TO_FINDINGS)
        until = choose((None, None, self.site.local.date() + timedelta(days=8)))
        self.note(f"answer: {answer} {finding.code} {finding.contact or finding.email}")
        if not self.site.answer(finding, answer, until):
            return
        self.steps["answers taken"] += 1
        email = "" if finding.scope.startswith("chart:") else finding.email or ""
        about: Dict = {
            "answer": answer,
            "about": "mailbox" if finding.code == "shared-email" else "role",
            "contact": (finding.contact or "").removeprefix("RelatedPerson/"),
            "chart": (finding.patient or "").removeprefix("Patient/"),
            "email": key(email) if email else "",
            "until": until or date.max,
        }
        for one in list(self.judge.answers):
            here = (one["contact"], one["email"]) == (about["contact"], about["email"])
            everybody = "-p" in answer or one["answer"] == "same-person"
            if here and (everybody or (one["chart"], one["about"]) == (about["chart"], about["about"])):
                self.judge.answers.remove(one)
        if answer in ("approve", "same-person"):
            seen = self.judge.oracle(self.judge.told, self.site.local).seen(about)
            self.judge.answers.append(about | {"seen": seen})
        self.judge.judge_answer()


def begin_history(
    folder: Path,
    template: Path,
    choose: Choose,
    *,
    families: int,
    known: Mapping[str, str] | None = None,
    beyond: bool = False,
) -> History:
    """A new practice with its families, before its first sync. ``beyond``: with undo, and brakes that may be tight."""
    lines, policy = choose(POLICIES)
    site = Site(folder, template, lines, choose(STARTS), choose((NO_BRAKES, TIGHT)) if beyond else NO_BRAKES)
    judge = Judge(site, POLICY | policy, hold_first="welcome = true" in lines, known=known or {})
    history = History(site, judge, [Family(site.ehr, number) for number in range(families)], beyond)
    for family in history.families:
        family.found(choose, site.local.date())
    return history


def trouble_for(history: History, choose: Choose) -> Trouble:
    """One way in which the next read goes wrong."""
    refs = history.site.ehr.refs()
    share = choose((range(2), range(30), range(30)))  # a read that lacks very much is not believed at all
    some = frozenset(ref for ref in refs if choose(share) == 0)
    troubles = (
        Trouble(stop_after=choose(range(len(refs) + 1))),
        Trouble(stop_after=choose(range(4))),
        Trouble(hidden=some),
        Trouble(hidden=some, no_lookup=True),
        Trouble(no_lookup=True),
        Trouble(empty=True),
    )
    chosen: Trouble = choose(troubles)
    return chosen


def random_round(history: History, random: Random) -> None:
    """A change in most families, sometimes some time, and then the product's turn."""
    choose = random.choice
    for family in history.families:
        for _ in range(choose((0, 1, 2, 3))):
            history.change(family, choose(MOVES), choose)
    if random.random() < 0.5:
        history.passes(choose(FORWARD))
    elif random.random() < 0.1:
        history.passes(choose(JUMPS))
    for _ in range(choose((1, 1, 2))):
        _random_turn(history, random)


def _random_turn(history: History, random: Random) -> None:
    choose = random.choice
    refs = [ref for ref in history.site.ehr.refs() if ref]
    turns: list[tuple[int, Any]] = [
        (30, history.sync),
        (14, lambda: history.sync(full=True)),
        (10, lambda: history.sync(full=choose((True, False)), trouble=trouble_for(history, choose))),
        (5, history.review),
        (6, lambda: history.person(choose(refs)) if refs else None),
        (2, lambda: history.person(choose(refs), trouble_for(history, choose)) if refs else None),
        (5, history.plan),
        (22, lambda: history.deliver(choose(ANSWERS))),
        (2, history.release),
        (6, lambda: history.register(choose)),
        (20, lambda: history.answers(choose)),
    ]
    if history.beyond:
        turns += [
            (6, lambda: history.revoke_or_lift(choose)),
            (8, lambda: history.release_held(choose)),
            (6, lambda: history.undo(choose)),
        ]
    weights, actions = zip(*turns, strict=True)
    random.choices(actions, weights)[0]()
