"""Compares the product with the oracle after every step, and says what was asked, answered, and forbidden."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapter.core.plan import ActionKind
from adapter.core.reasons import REASONS
from adapter.store import tables as t
from tests.oracle.disagreement import Disagreement
from tests.oracle.known import special_case
from tests.oracle.oracle import ACCESS, ALLOWED, EITHER, FORBIDDEN, NOTHING_NEW, POLICY, Dict, Oracle, key, remember
from tests.oracle.site import Site
from tests.oracle.snapshot import Snapshot

OTHER_REASONS = {"", "first-run", "registered-again"}
WELCOMED = {"queued", "held", "sending", "sent", "unknown", "failed"}
SHUT = {"suspended", "closed"}


@dataclass
class Judge:
    """Remembers what the product was told, and asks the oracle about all that it did."""

    site: Site
    policy: Dict = field(default_factory=lambda: POLICY)
    hold_first: bool = False
    known: Mapping[str, str] = field(default_factory=dict)
    """Disagreements that are known and only counted, by kind."""
    excused: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    told: Dict = field(default_factory=lambda: {"charts": {}, "contacts": {}})
    """All that the product was ever told, read by read."""
    decided: Dict = field(default_factory=lambda: {"charts": {}, "contacts": {}})
    """The same, as of its last complete run."""
    latest: datetime | None = None
    """The latest time by which anything was decided."""
    answers: list[Dict] = field(default_factory=list)
    """What somebody at the practice has answered, with what they saw."""
    undone: set[tuple[str, str]] = field(default_factory=set)
    """Address and chart of whatever a run did that was taken back: as it was before, until something changes."""
    released: bool = False
    before: Snapshot | None = None
    runs: dict[int, tuple[Snapshot | None, Snapshot]] = field(default_factory=dict)
    """Where the product stood before and after each run."""
    at_decision: datetime | None = None
    whole: bool = True
    """Whether everything that was told has been decided."""
    half: bool = False
    """Whether something was told in a read that broke off, and nothing complete came since."""

    def oracle(self, records: Dict, now: datetime) -> Oracle:
        return Oracle(records, now, self.policy, self.answers)

    # What the product was told.

    def hear(self, *, complete: bool) -> set[str]:
        """Takes in what the last read gave; the charts it listed. Gone is gone only after a complete read."""
        charts: set[str] = set()
        for ref, record in self.site.ehr.look():
            kind, _, id_ = ref.partition("/")
            known = self.told["charts" if kind == "Patient" else "contacts"]
            if record is not None:
                charts |= {id_} if kind == "Patient" else set()
                known[id_] = remember(known.get(id_), record)
            elif complete:
                known.pop(id_, None)
            self.whole, self.half = False, self.half or not complete
        return charts

    # After somebody has answered a finding, or released what a brake held.

    def judge_answer(self, by: str = "an-answer") -> None:
        """It opens only what the oracle, told of it, does not forbid, and nothing that is not decided yet."""
        before, self.before = self.before, Snapshot.of(self.site)
        oracle = self.oracle(self.told, self.site.local)
        for place in self.before.active:
            if before is None or place not in before.active:
                self.tally[f"opened by {by}"] += 1
                self._judge_opened(oracle, place, "" if self.whole else f"{by}-opens-half-a-read")
        self._judge_states(self.before)

    # After the practice has taken a chart away, or given one back.

    def judge_revoked(self) -> None:
        """What was taken away is closed at once, and nothing has opened: that is for the next run."""
        before, self.before = self.before, Snapshot.of(self.site)
        if before is not None and not self.before.active.keys() <= before.active.keys():
            self.disagree("opened-by-a-revocation", f"{self.before.active.keys() - before.active.keys()}")
        self._judge_states(self.before)

    def _is_taken_away(self, place: tuple[str, str], contacts: Collection[str]) -> bool:
        """By this address, or by a contact that has this address now."""
        return any(
            row.patient == f"Patient/{place[1]}" and (row.email_key == place[0] or row.contact in contacts)
            for row in self.site.taken_away()
        )

    # After a sync, a review or a run about one person.

    def judge_run(self, report: Mapping[str, Any], *, everyone: bool = True, review: bool = False) -> None:
        """Every grant after a run, and what the run newly opened. A review reads nothing."""
        complete = report["status"] in ("complete", "held")
        if report["status"] == "failed" and not self.site.ehr.trouble.no_lookup:
            self.disagree("failed-run", f"{report['problems']}")
        heard = self.hear(complete=complete)
        before, self.before = self.before, Snapshot.of(self.site)
        self.runs[report["run"]] = (before, self.before)
        oracle = self.oracle(self.told, self.site.local)
        had = {(row.account_id, place[1]) for place, row in before.active.items()} if before else set()
        opened = [place for place, row in self.before.active.items() if (row.account_id, place[1]) not in had]
        if opened and not complete:
            self.disagree("opened-by-half-a-read", f"{opened} in a run that was {report['status']}")
        if before is not None:
            self._judge_moved(oracle, before, self.before)
        if opened and review and self.half:
            self.disagree("review-opens-half-a-read", f"{opened}, and the latest read was incomplete")
        for place in opened:
            elsewhere = not everyone and place[1] not in heard
            self._judge_opened(oracle, place, "a-person-run-opens-elsewhere" if elsewhere else "")
        for place, row in self.before.active.items():
            contact = row.contact.removeprefix("RelatedPerson/")
            if (everyone or place[1] in heard) and oracle.explicitly_closed(*place, contact):
                self.disagree("explicit-no-stays-open", f"{place}: {self.show(place)}")
        if complete and everyone and not (review and self.half):
            self._judge_everything(oracle, before, self.before)
        self.latest = max(oracle.now, self.latest or oracle.now)
        self._judge_states(self.before)

    def _judge_moved(self, oracle: Oracle, before: Snapshot, after: Snapshot) -> None:
        """An account follows its person to a new address only when nothing is left for them at the old one."""
        moved = {old for id_, old in before.keys.items() if after.keys[id_] != old}
        for (email, chart), row in before.active.items():
            contact = self.told["contacts"].get(row.contact.removeprefix("RelatedPerson/"))
            stayed = contact is not None and _key(contact) == email
            if email in moved and stayed and oracle.verdict(email, chart)[0] == ALLOWED:
                self.disagree("moved-too-soon", f"{email} may still open {chart}; {self.show((email, chart))}")

    def _judge_everything(self, oracle: Oracle, before: Snapshot | None, after: Snapshot) -> None:
        """After a run that left nothing undecided."""
        self.decided = {kind: dict(records) for kind, records in self.told.items()}
        self.at_decision, self.whole, self.half = oracle.now, True, False
        for place, row in after.active.items():
            self._judge_open(oracle, place, row)
        for place in before.active if before else ():
            if place not in after.active and oracle.stays(*place):
                self.disagree("taken-by-a-conflict", f"{place}: {self.show(place)}")
        if self.latest is None or oracle.now >= self.latest:  # a clock that was put back re-opens nothing
            self._judge_missing(oracle, after)

    def _judge_opened(self, oracle: Oracle, place: tuple[str, str], special: str) -> None:
        answer, why = oracle.verdict(*place)
        if answer in (FORBIDDEN, NOTHING_NEW):
            kind = special or special_case(oracle, place) or "opened-what-is-forbidden"
            self.disagree(kind, f"{place}: {why}; {self.show(place)}")
        elif self.latest and oracle.now < self.latest:
            answer, why = self.oracle(self.told, self.latest).verdict(*place)
            if answer == FORBIDDEN:
                self.disagree("clock-back-opens", f"{place} was {why} at {self.latest}; {self.show(place)}")

    def _judge_open(self, oracle: Oracle, place: tuple[str, str], row: Any) -> None:
        self.tally["grants judged"] += 1
        answer, why = oracle.verdict(*place)
        if answer == FORBIDDEN and self.latest and oracle.now < self.latest:  # the clock was put back: by either time
            answer, why = self.oracle(self.told, self.latest).verdict(*place)
        if answer == FORBIDDEN and (place[0] in self.site.waits() or place in self.undone):
            self.tally["open while a human decides, or since a run was taken back"] += 1
            return
        if answer == FORBIDDEN:
            kind = special_case(oracle, place) or "open-what-is-forbidden"
            self.disagree(kind, f"{place}: {why}; {self.show(place)}")
        widest = oracle.widest_access(*place)
        if ACCESS.index(row.access) > ACCESS.index(widest):
            self.disagree("too-wide", f"{place} has {row.access}, may have {widest}; {self.show(place)}")

    def _judge_missing(self, oracle: Oracle, after: Snapshot) -> None:
        """What is clearly allowed is open, or a finding says why not; and who may open something has a Welcome."""
        findings: list[Any] | None = None
        open_for = {email for email, _ in after.active}
        waits = self.site.waits()
        for place in oracle.allowed():
            self.tally["clearly allowed"] += 1
            if place in after.active:
                continue
            if place[0] in waits or place in self.undone:
                self.tally["allowed, but a brake or an undo keeps it"] += 1
                continue
            findings = findings or [row for row in self.site.rows(t.finding) if row.closed_at is None]
            contacts = {f"RelatedPerson/{one['id']}" for one in oracle.at_address[place[0]]}
            if self._is_taken_away(place, contacts):
                self.tally["allowed, but taken away by the practice"] += 1
                continue
            refs = contacts | {f"Patient/{place[1]}"}
            if not any(row.patient in refs or row.contact in refs or row.email == place[0] for row in findings):
                self.disagree("allowed-but-shut", f"{place}, and no finding says why; {self.show(place)}")
            self.tally["allowed, but a finding says why not"] += 1
        states = {row.id: row.state for row in self.site.rows(t.effect) if row.kind == "welcome"}
        newest: dict[str, Any] = {}
        for row in self.site.rows(t.welcome):
            if row.account_id not in newest or newest[row.account_id].generation < row.generation:
                newest[row.account_id] = row
        for account in after.accounts:
            if after.keys[account.id] in open_for and account.registered_at is None:
                welcome = newest.get(account.id)
                undone = any(email == after.keys[account.id] for email, _ in self.undone)
                if undone or after.keys[account.id] in waits:
                    continue
                if welcome is None or states[welcome.effect_id] not in WELCOMED:
                    self.disagree("no-welcome", f"{account.email_key} may open a chart")

    def _judge_states(self, after: Snapshot) -> None:
        """Every state has a reason that somebody can look up, and a shut account opens nothing."""
        for row in [*after.accounts, *after.grants]:
            if row.reason not in REASONS:
                self.disagree("no-reason", f"{row}")
        for row in self.site.rows(t.welcome):
            if row.reason not in REASONS and row.reason not in OTHER_REASONS:
                self.disagree("no-reason", f"{row}")
        shut = {after.keys[row.id] for row in after.accounts if row.status in SHUT}
        away = {(row.email_key, row.patient.removeprefix("Patient/")) for row in self.site.taken_away()}
        if still := away & after.active.keys():
            self.disagree("taken-away-but-open", f"{still}")
        for email, held in self.site.waits().items():
            for chart, kind in held.items():
                if kind is ActionKind.GRANT and (email, chart) in after.active:
                    self.disagree("held-but-open", f"{email}, {chart}")
        for place, row in after.active.items():
            self.tally["states judged"] += 1
            if place[0] in shut:
                self.disagree("shut-account-opens", f"{place}")
            if row.access == "none":
                self.disagree("active-without-access", f"{place}")

    # After a dry run.

    def judge_plan(self, shown: Mapping[str, Any]) -> None:
        """After a complete run nothing is left to plan."""
        self.site.ehr.look()
        if shown["changes"]:
            self.disagree("plans-twice", f"{shown['changes']}")

    # Saying so.

    def disagree(self, kind: str, what: str) -> None:
        if kind not in self.known:
            raise Disagreement(kind, what)
        self.excused[kind] += 1

    def show(self, place: tuple[str, str]) -> str:
        """The records the question was about."""
        email, chart = place
        near = [one for one in self.told["contacts"].values() if one["chart"] == chart or email == _key(one)]
        lines = [str(self.site.local), str(self.told["charts"].get(chart)), *map(str, near)]
        rows = [row for row in self.site.rows(t.grant) if row.patient == f"Patient/{chart}"]
        return "\n  ".join([*lines, *map(str, rows)])


def _key(contact: Dict) -> str:
    email = contact["email"]
    return key(email) if email and email.count("@") == 1 and " " not in email.strip() else ""


__all__ = ["ALLOWED", "EITHER", "Disagreement", "Judge", "Snapshot"]
