"""Delivering the mail: each one claimed, decided again, handed over once, and honest about what is not known."""

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.reasons import Severity
from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.jobs.letters import Mail, PracticeMail, write_notice, write_welcome
from adapter.jobs.round import ACTOR, Round
from adapter.mail import Handed, Mailer
from adapter.store import audit, findings, outbox, outgoing
from adapter.store.turns import turn

PAGE = 200
"""Mails looked up at a time; each is claimed on its own, just before it is handed over."""
DROPPED = "The connection dropped before the mail server answered: nobody knows whether the mail left."


def deliver_mail(work: Round, practice: PracticeMail, *, mailer: Mailer, key: bytes) -> bool:
    """Sends the practice's mail that is due. False when no mail at all can leave now; the rest then stays queued."""
    for kind in (EffectKind.NOTICE, EffectKind.WELCOME):
        while number := work.allowed(PAGE):
            with turn(work.engine, practice.id) as connection:
                now = work.now()
                today = now.astimezone(practice.zone).date()
                ids = outbox.due(connection, practice=practice.id, kind=kind, now=now, today=today, limit=number)
            if not ids:
                break
            for effect_id in ids:
                if not _deliver_one(work, practice, kind, effect_id, mailer, key):
                    return False
    return True


def _deliver_one(
    work: Round, practice: PracticeMail, kind: EffectKind, effect_id: str, mailer: Mailer, key: bytes
) -> bool:
    """One mail from claim to answer; False when no mail can leave now.

    ``sending`` is committed before the mailer is called: a crash in between shows as ``unknown``, not as a second mail.
    """
    with turn(work.engine, practice.id) as connection:
        claimed = outbox.claim(connection, [effect_id], owner=work.owner, now=work.now())
        if not claimed:
            return True
        work.spend(1)
        if kind is EffectKind.WELCOME:
            mail, message = write_welcome(connection, practice, claimed[0], key=key, now=work.now())
        else:
            mail, message = write_notice(connection, practice, claimed[0], now=work.now())
        if isinstance(message, FatalError):
            work.put_off(connection, kind, claimed, str(message))
            return False
        if isinstance(message, DeliveryError):
            _record_refused(connection, work, mail, message)
            return True
        if isinstance(message, str):
            _record_dropped(connection, work, mail, message)
            return True
    try:
        handed: Handed | DeliveryError = mailer.send(message)
    except DeliveryError as error:
        handed = error
    except (RetriableError, FatalError) as error:
        with turn(work.engine, practice.id) as connection:
            work.put_off(connection, kind, claimed, str(error))
        return False
    with turn(work.engine, practice.id) as connection:
        if isinstance(handed, DeliveryError):
            _record_refused(connection, work, mail, handed)
        elif handed is Handed.UNKNOWN:
            _record_unknown(connection, work, mail)
        else:
            _record_sent(connection, work, mail)
    return True


def _record_sent(connection: sa.Connection, work: Round, mail: Mail) -> None:
    outbox.complete(connection, [mail.claimed.id], owner=work.owner, now=work.now())
    detail: dict[str, object] = {}
    if (
        mail.kind is EffectKind.WELCOME
        and mail.account
        and outgoing.mark_invited(connection, mail.account, now=work.now())
    ):
        detail = {"before": {"status": AccountStatus.PENDING}, "after": {"status": AccountStatus.INVITED}}
    _trace(connection, work, mail, EffectState.SENT, mail.reason, detail)


def _record_unknown(connection: sa.Connection, work: Round, mail: Mail) -> None:
    outbox.leave_unknown(connection, mail.claimed.id, owner=work.owner, error=DROPPED)
    work.report.note(DROPPED)
    _trace(connection, work, mail, EffectState.UNKNOWN, "connection-dropped", {})


def _record_dropped(connection: sa.Connection, work: Round, mail: Mail, reason: str) -> None:
    outbox.drop(connection, [mail.claimed.id], owner=work.owner, now=work.now(), reason=reason)
    _trace(connection, work, mail, EffectState.CANCELLED, reason, {})


def _record_refused(connection: sa.Connection, work: Round, mail: Mail, error: DeliveryError) -> None:
    if not error.permanent:
        state = work.put_off(connection, mail.kind, [mail.claimed], str(error))
        if state is EffectState.FAILED:
            _trace(connection, work, mail, state, "gave-up", {}, count=False)
        return
    outbox.fail(connection, [mail.claimed.id], owner=work.owner, now=work.now(), error=str(error))
    work.report.note(str(error))
    _trace(connection, work, mail, EffectState.FAILED, "mail-refused", {})


def _trace(
    connection: sa.Connection,
    work: Round,
    mail: Mail,
    state: EffectState,
    reason: str,
    detail: dict[str, object],
    *,
    count: bool = True,
) -> None:
    """Writes down what became of a mail: in the report, the audit trail, and for people to look at."""
    if count:
        work.report.add(mail.kind, state)
    entry = AuditEntry(
        action=f"{mail.kind}-{state}",
        account=mail.account,
        reason=reason,
        source=f"{mail.kind}/{mail.claimed.subject}",
        detail=msgspec.json.encode(detail).decode(),
        actor=ACTOR,
        run=mail.claimed.run,
    )
    audit.append(connection, mail.practice.id, [entry], work.now())
    if mail.kind is EffectKind.WELCOME and mail.account:
        scope = f"welcome:{mail.account}"
        findings.settle(connection, mail.practice.id, [scope], _findings(mail, state, scope), work.now())


def _findings(mail: Mail, state: EffectState, scope: str) -> list[Finding]:
    """What a human should do about a Welcome that was refused, or of which nobody knows."""
    if state is EffectState.FAILED:
        return [
            Finding(
                code="welcome-bounced",
                message=f"The Welcome email to {mail.email} could not be delivered.",
                remedy="Correct the e-mail address in Family Contacts; a new Welcome email then goes out by itself.",
                scope=scope,
                email=mail.email,
                severity=Severity.ERROR,
            )
        ]
    if state is EffectState.UNKNOWN:
        return [
            Finding(
                code="welcome-unknown",
                message=f"Nobody knows whether the Welcome email to {mail.email} left: the connection dropped.",
                remedy="Ask the parent whether it arrived; if not, send it again with Register.",
                scope=scope,
                email=mail.email,
                severity=Severity.WARNING,
            )
        ]
    return []
