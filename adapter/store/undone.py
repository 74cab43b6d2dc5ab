"""What a run did to each account, read back from the audit trail; and what of it has left the house."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from adapter.core.plan import ActionKind
from adapter.core.state import EffectKind, EffectState, Grant, GrantState, Standing
from adapter.core.undo import Change, Terms
from adapter.store import tables as t

_KINDS = frozenset(str(kind) for kind in ActionKind)


class _Detail(msgspec.Struct):
    before: msgspec.Raw = msgspec.Raw()
    after: msgspec.Raw = msgspec.Raw()
    email: str = ""
    new_email: str = ""


_detail = msgspec.json.Decoder(_Detail).decode
_grant = msgspec.json.Decoder(Grant).decode
_terms = msgspec.json.Decoder(Terms).decode
_standing = msgspec.json.Decoder(Standing).decode


def changes_of(connection: sa.Connection, practice: str, run: int) -> dict[str, list[Change]]:
    """Every change the run made, in order, by account id."""
    here = sa.and_(t.audit.c.practice == practice, t.audit.c.run == run, t.audit.c.action.in_(_KINDS))
    columns = (t.audit.c.action, t.audit.c.account, t.audit.c.patient, t.audit.c.detail)
    found: dict[str, list[Change]] = {}
    for action, account, patient, text in connection.execute(sa.select(*columns).where(here).order_by(t.audit.c.seq)):
        detail = _detail(text)
        before, after = bytes(detail.before), bytes(detail.after)
        of_grant = patient is not None
        change = Change(
            action=ActionKind(action),
            patient=patient,
            before=_grant(before) if before and of_grant else None,
            after=_terms(after) if after and of_grant else None,
            was=_standing(before) if before and not of_grant else None,
            became=_standing(after) if after and not of_grant else None,
            email_key=detail.email,
            new_key=detail.new_email,
        )
        found.setdefault(account, []).append(change)
    return found


def changed_again_by(
    connection: sa.Connection, practice: str, run: int, account: str, patient: str | None
) -> int | None:
    """The last run after ``run`` that has changed the account, or its grant on one chart."""
    here = sa.and_(
        t.audit.c.practice == practice,
        t.audit.c.account == account,
        t.audit.c.run > run,
        t.audit.c.action.in_(_KINDS),
    )
    if patient is not None:
        here = sa.and_(here, t.audit.c.patient == patient)
    latest: int | None = connection.scalar(sa.select(sa.func.max(t.audit.c.run)).where(here))
    return latest


def was_open(connection: sa.Connection, practice: str, account: str, patient: str, reason: str) -> bool:
    """Whether the account could open the chart until this reason closed it."""
    here = sa.and_(
        t.audit.c.practice == practice,
        t.audit.c.account == account,
        t.audit.c.patient == patient,
        t.audit.c.reason == reason,
    )
    query = sa.select(t.audit.c.detail).where(here).order_by(t.audit.c.seq.desc())
    for text in connection.scalars(query):
        if before := bytes(_detail(text).before):
            grant = _grant(before)
            if grant.reason != reason:
                return grant.state is GrantState.ACTIVE
    return False


def notices_left(connection: sa.Connection, run: int, accounts: Sequence[str]) -> set[str]:
    """The accounts whose old address was told of a move by this run."""
    here = sa.and_(
        t.effect.c.run == run,
        t.effect.c.kind == EffectKind.NOTICE,
        t.effect.c.state.in_((EffectState.SENT, EffectState.SENDING, EffectState.UNKNOWN)),
    )
    return set(connection.scalars(sa.select(t.effect.c.subject).where(here))) & set(accounts)


def cancel_notices(connection: sa.Connection, run: int) -> None:
    """Notices of this run that wait do not leave any more."""
    here = sa.and_(t.effect.c.run == run, t.effect.c.kind == EffectKind.NOTICE, t.effect.c.state == EffectState.QUEUED)
    connection.execute(sa.update(t.effect).where(here).values(state=EffectState.CANCELLED, next_at=None))
