"""Whether what has left the house was allowed to: every mail, and what the portal opens."""

import re
from email.message import EmailMessage

from adapter.core.plan import ActionKind
from adapter.store import tables as t
from tests.oracle.judge import SHUT, Judge
from tests.oracle.known import special_case
from tests.oracle.oracle import key
from tests.oracle.snapshot import Snapshot


def judge_mail(judge: Judge, left: list[EmailMessage], snapshot: Snapshot) -> None:
    """Every mail that left was allowed when it left, goes to one person, and says nothing about a child."""
    now = judge.site.local
    views = [judge.told] if judge.whole else [judge.told, judge.decided]
    oracles = [judge.oracle(view, now) for view in views]
    then = judge.at_decision or now
    waits = judge.site.waits()
    for message in left:
        judge.tally["mails judged"] += 1
        email = key(str(message["To"].addresses[0].addr_spec))
        if len(message["To"].addresses) != 1 or message["Cc"] or message["Bcc"]:
            judge.disagree("several-recipients", f"{message['To']}")
        _judge_content(judge, message)
        if not str(message["Message-ID"]).startswith("<welcome."):
            continue
        if judge.hold_first and not judge.released:
            judge.disagree("mail-before-release", email)
        held = waits.get(email, {}).values()
        if ActionKind.QUEUE_WELCOME in held and ActionKind.MOVE_ACCOUNT not in held:  # that one is for the new address
            judge.disagree("held-but-sent", email)
        charts = [chart for address, chart in snapshot.active if address == email]
        told, earlier = oracles[0], judge.oracle(judge.told, then)
        if all(told.explicitly_closed(email, chart) for chart in charts):
            in_time = all(earlier.explicitly_closed(email, chart) for chart in charts)
            kind = "mail-against-explicit-no" if in_time else "mail-after-time-passed"
            judge.disagree(kind, judge.show((email, "")))
        elif email in waits and not any(oracle.may_mail(email) for oracle in oracles):
            judge.tally["mailed while a brake holds the revocation"] += 1
        elif not any(oracle.may_mail(email) for oracle in oracles):
            in_time = not any(judge.oracle(view, then).may_mail(email) for view in views)
            kind = "mail-forbidden" if in_time else "mail-after-time-passed"
            special = next(filter(None, (special_case(told, (email, chart)) for chart in charts)), "")
            judge.disagree(special or kind, judge.show((email, "")))


def _judge_content(judge: Judge, message: EmailMessage) -> None:
    text = message.as_string()
    for chart in judge.told["charts"].values():
        if re.search(rf"(?<![\w-]){chart['id']}(?![\w-])", text) or (
            chart["born"] and chart["born"] in text and len(chart["born"]) == 10
        ):
            judge.disagree("mail-names-a-child", chart["id"])


def judge_portal(judge: Judge) -> None:
    """After a delivery that worked, the portal opens exactly what the store says, as long as it says."""
    judge.site.portal_time = max(judge.site.portal_time, judge.site.now)
    keys = Snapshot.of(judge.site)
    shut = {row.id for row in keys.accounts if row.status in SHUT}
    wanted = {
        (row.account_id, row.patient, row.access)
        for row in keys.grants
        if row.state == "active" and row.account_id not in shut
        if row.until is None or row.until > judge.site.portal_time
    }
    opens = judge.site.portal_opens()
    if opens != wanted:
        waiting = [row for row in judge.site.rows(t.effect) if row.kind == "account" and row.state == "queued"]
        later = any(row.next_at > judge.site.now for row in waiting)
        kind = "portal-waits-for-the-clock" if later else "portal-differs"
        judge.disagree(kind, f"more: {opens - wanted}, less: {wanted - opens}")
