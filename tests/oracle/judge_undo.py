"""Whether a run was taken back: every chart is as it was before, or it is said why not; no explicit no is undone."""

from adapter.jobs.undo import Undo
from tests.oracle.judge import Judge
from tests.oracle.oracle import ACCESS, FORBIDDEN, key
from tests.oracle.snapshot import Snapshot


def judge_undo(judge: Judge, done: Undo) -> None:
    """After a run was taken back, or refused to be."""
    earlier, judge.before = judge.before, Snapshot.of(judge.site)
    assert earlier is not None
    now = judge.before
    if done.blocked:
        judge.tally["not taken back: something has changed since"] += 1
        if (earlier.grants, earlier.accounts) != (now.grants, now.accounts):
            judge.disagree("refused-undo-changes", f"run {done.run}")
        return
    _judge_restored(judge, done, now)
    oracle = judge.oracle(judge.told, judge.site.local)
    for place, row in now.active.items():
        if place in earlier.active:
            continue
        judge.tally["opened by an undo"] += 1
        if oracle.explicitly_closed(*place):
            judge.disagree("undo-opens-an-explicit-no", f"{place}: {judge.show(place)}")
        contact = judge.told["contacts"].get(row.contact.removeprefix("RelatedPerson/"))
        says_all = contact is not None and contact["authority"] != "unknown" and contact["role"] != "unknown"
        if contact is not None and says_all and contact["email"] and key(contact["email"]) == place[0]:
            answer, why = oracle.verdict(*place)
            if answer == FORBIDDEN:
                judge.disagree("undo-opens-what-is-forbidden", f"{place}: {why}; {judge.show(place)}")


def _judge_restored(judge: Judge, done: Undo, now: Snapshot) -> None:
    """Every grant that the run changed is as it was before it, no wider; or it is said why it stays closed."""
    before, after = judge.runs[done.run]
    stays = {(email, chart) for email, chart, _ in done.stays}
    was = {(row.account_id, row.patient): row for row in before.grants} if before else {}
    became = {(row.account_id, row.patient): row for row in after.grants}
    for row in now.grants:
        place = row.account_id, row.patient
        old, new = was.get(place), became.get(place)
        if new is None or (old and (old.state, old.access) == (new.state, new.access)):
            continue
        email = now.keys[row.account_id]
        judge.undone.add((email, row.patient.removeprefix("Patient/")))
        judge.tally["taken back"] += 1
        if old is None:
            restored = row.state == "ended"
        else:
            restored = row.state == old.state and ACCESS.index(row.access) <= ACCESS.index(old.access)
        if not restored and (email, row.patient) not in stays:
            judge.disagree("not-restored", f"{email}: {row} was {old} before run {done.run}")
