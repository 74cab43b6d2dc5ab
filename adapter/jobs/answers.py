"""Writing down what became of mails: in the outbox, the report, the audit trail, and for people to look at."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.hygiene import address_doubt
from adapter.core.reasons import REASONS
from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.errors import AdapterError, DeliveryError
from adapter.jobs.letters import Decided, Mail, PracticeMail, Suppressed
from adapter.jobs.round import ACTOR, Round
from adapter.mail import Handed
from adapter.store import audit, findings, outbox, outgoing
from adapter.store.outbox import Claimed

Answer = tuple[Mail, Handed | AdapterError]
DROPPED = "The connection dropped before the mail server answered: nobody knows whether the mail left."
SUPPRESSED = "Mail to this address came back before, so it was not tried again."
BOUNCED, GIVEN_UP, UNKNOWN = "welcome-bounced", "welcome-given-up", "welcome-unknown"
_INVITED = {"before": {"status": AccountStatus.PENDING}, "after": {"status": AccountStatus.INVITED}}


def record(connection: sa.Connection, work: Round, answers: Iterable[Answer]) -> bool:
    """Writes down these answers. False when one of them says that no mail at all can leave now."""
    sent: list[Mail] = []
    doubtful: list[Mail] = []
    well = True
    for mail, answer in answers:
        if answer is Handed.SENT:
            sent.append(mail)
        elif answer is Handed.UNKNOWN:
            doubtful.append(mail)
        elif isinstance(answer, DeliveryError):
            _record_refused(connection, work, mail, answer)
        elif isinstance(answer, AdapterError):
            work.put_off(connection, mail.kind, [mail.claimed], str(answer))
            well = False
    _record_sent(connection, work, sent)
    ids = [mail.claimed.id for mail in doubtful]
    outbox.leave_unknown(connection, ids, owner=work.owner, now=work.now(), error=DROPPED)
    if doubtful:
        work.report.note(DROPPED)
    _trace(connection, work, doubtful, EffectState.UNKNOWN, reason="connection-dropped", finding=UNKNOWN)
    return well


def record_lost(
    connection: sa.Connection, work: Round, practice: PracticeMail, lost: Sequence[tuple[EffectKind, Claimed]]
) -> None:
    """Mail of a worker that stopped: nobody knows whether it left."""
    rows = outgoing.find_welcomes(connection, [one.subject for kind, one in lost if kind is EffectKind.WELCOME])
    mails = []
    for kind, one in lost:
        row = rows.get(one.subject)
        account, email = (row.account_id, row.account_key) if row else (None, one.to)
        mails.append(Mail(practice=practice, kind=kind, claimed=one, account=account, email=email, reason=""))
    _trace(connection, work, mails, EffectState.UNKNOWN, reason="worker-stopped", finding=UNKNOWN)


def record_stopped(connection: sa.Connection, work: Round, stopped: Iterable[tuple[Mail, str]]) -> None:
    """Mail that is not wanted any more; the code says why."""
    for mail, reason in stopped:
        outbox.drop(connection, [mail.claimed.id], owner=work.owner, now=work.now(), reason=reason)
        _trace(connection, work, [mail], EffectState.CANCELLED, reason=reason)


def record_suppressed(connection: sa.Connection, work: Round, found: Iterable[Decided]) -> None:
    """Mail to an address that takes none: it is not tried, and staff are told."""
    for mail, why in found:
        assert isinstance(why, Suppressed)
        outbox.fail(connection, [mail.claimed.id], owner=work.owner, now=work.now(), error=SUPPRESSED)
        work.report.note(SUPPRESSED)
        _trace(connection, work, [mail], EffectState.FAILED, reason="address-suppressed", finding=why.reason)


def record_doubts(connection: sa.Connection, work: Round, mails: Sequence[Mail]) -> None:
    """Addresses that look wrong become findings; their mail leaves all the same."""
    about = [mail for mail in mails if mail.kind is EffectKind.WELCOME and mail.account]
    if not about:
        return
    found = []
    for mail in about:
        if code := address_doubt(mail.email):
            reason = REASONS[code]
            message = f"{mail.email}: {reason.summary}."
            scope = doubt_scope(mail.account)
            one = Finding(code=code, message=message, remedy=reason.remedy, scope=scope, email=mail.email)
            found.append(msgspec.structs.replace(one, severity=reason.finding))
    scopes = [doubt_scope(mail.account) for mail in about]
    findings.settle(connection, about[0].practice.id, scopes, found, work.now())


def doubt_scope(account: str | None) -> str:
    return f"address-looks:{account}"


def _record_sent(connection: sa.Connection, work: Round, sent: Sequence[Mail]) -> None:
    outbox.complete(connection, [mail.claimed.id for mail in sent], owner=work.owner, now=work.now())
    accounts = [mail.account for mail in sent if mail.kind is EffectKind.WELCOME and mail.account]
    invited = outgoing.mark_invited(connection, accounts, now=work.now())
    details = {mail.claimed.id: _INVITED for mail in sent if mail.account in invited}
    _trace(connection, work, sent, EffectState.SENT, details=details)


def _record_refused(connection: sa.Connection, work: Round, mail: Mail, error: DeliveryError) -> None:
    if not error.permanent:
        state = work.put_off(connection, mail.kind, [mail.claimed], str(error))
        if state is EffectState.FAILED:
            _trace(connection, work, [mail], state, reason="gave-up", finding=GIVEN_UP, count=False)
        return
    outbox.fail(connection, [mail.claimed.id], owner=work.owner, now=work.now(), error=str(error))
    work.report.note(str(error))
    _trace(connection, work, [mail], EffectState.FAILED, reason="mail-refused", finding=BOUNCED)


def _trace(
    connection: sa.Connection,
    work: Round,
    mails: Sequence[Mail],
    state: EffectState,
    *,
    reason: str = "",
    finding: str = "",
    details: Mapping[str, object] | None = None,
    count: bool = True,
) -> None:
    """All that people and programs see of mails of one practice that came to this state."""
    if not mails:
        return
    entries = []
    for mail in mails:
        if count:
            work.report.add(mail.kind, state)
        entries.append(
            AuditEntry(
                action=f"{mail.kind}-{state}",
                account=mail.account,
                reason=reason or mail.reason,
                source=f"{mail.kind}/{mail.claimed.subject}",
                detail=msgspec.json.encode((details or {}).get(mail.claimed.id, {})).decode(),
                actor=ACTOR,
                run=mail.claimed.run,
            )
        )
    practice = mails[0].practice.id
    audit.append(connection, practice, entries, work.now())
    about = [mail for mail in mails if mail.kind is EffectKind.WELCOME and mail.account]
    found = [about_welcome(finding, mail.account, mail.email) for mail in about] if finding else []
    findings.settle(connection, practice, [welcome_scope(mail.account) for mail in about], found, work.now())


def about_welcome(code: str, account: str | None, email: str) -> Finding:
    """What a human should do about a Welcome email that did not arrive, or of which nobody knows."""
    reason = REASONS[code]
    return Finding(
        code=code,
        message=f"The Welcome email to {email}: {reason.summary}.",
        remedy=reason.remedy,
        scope=welcome_scope(account),
        email=email,
        severity=reason.finding,
    )


def welcome_scope(account: str | None) -> str:
    return f"welcome:{account}"
