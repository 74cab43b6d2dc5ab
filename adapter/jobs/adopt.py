"""First contact with a portal that has accounts already: whose they are, and linking those that are sure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.email import email_key
from adapter.core.persons import same_name
from adapter.core.portal import PortalAccount, opened, opens_more
from adapter.jobs.accounts import wanted_accounts
from adapter.portal import Portal, Stranger
from adapter.store import attempts, audit, outgoing
from adapter.store import tables as t
from adapter.store.engine import read
from adapter.store.turns import turn

ADOPTED = "adopted"
PAGE = 200


class Match(StrEnum):
    """How sure it is whose account it is."""

    EXACT = "exact"
    AMBIGUOUS = "ambiguous"
    UNMATCHED = "unmatched"


class Adoption(NamedTuple):
    """One account of the portal, and whose it is. ``why`` says what keeps it from being linked."""

    email: str
    match: Match
    why: str
    handle: str = ""
    key: str = ""


def match_strangers(engine: sa.Engine, *, practice: str, portal: Portal, now: Callable[[], datetime]) -> list[Adoption]:
    """Every account of the portal that the adapter did not make, matched by e-mail address and name. Changes nothing.

    Exact: one account has the address, the names can be one person's, the portal does not have our account beside it,
    and nothing is open there that was not decided.
    """
    strangers, found = portal.strangers(), []
    while page := list(islice(strangers, PAGE)):
        keys = sorted({email_key(one.account.email) for one in page} - {""})
        with read(engine) as connection:
            here = sa.and_(t.account.c.practice == practice, t.account.c.email_key.in_(keys))
            ids = {row.email_key: row.id for row in connection.execute(sa.select(t.account).where(here))}
            wanted = wanted_accounts(*outgoing.accounts(connection, sorted(ids.values())), now())
        ours = portal.get_accounts(sorted(ids.values())) if ids else {}
        found += [_judge(one, ids, wanted, ours, now()) for one in page]
    return _doubled(found)


def _judge(
    one: Stranger,
    ids: Mapping[str, str],
    wanted: Mapping[str, PortalAccount],
    ours: Mapping[str, PortalAccount],
    now: datetime,
) -> Adoption:
    email, key = one.account.email, ids.get(email_key(one.account.email), "")
    if not key:
        return Adoption(email, Match.UNMATCHED, "no account has this address")
    account = wanted[key]
    if key in ours:
        why = "the portal has the adapter's own account as well"
    elif not same_name(one.account.name, account.name):
        why = "the names differ"
    elif not account.active:
        why = "the account is suspended or closed"
    elif opened(one.account, now) and opens_more(one.account, account, now):
        why = "it opens charts that were not decided"
    else:
        return Adoption(email, Match.EXACT, "", one.handle, key)
    return Adoption(email, Match.AMBIGUOUS, why)


def _doubled(found: Sequence[Adoption]) -> list[Adoption]:
    """Of two strangers for one account neither is sure."""
    times = Counter(one.key for one in found if one.key)
    why = "several accounts in the portal match"
    return [Adoption(one.email, Match.AMBIGUOUS, why) if times[one.key] > 1 else one for one in found]


def adopt(
    engine: sa.Engine, *, practice: str, portal: Portal, adoptions: Sequence[Adoption], now: datetime, actor: str
) -> int:
    """Links those that are exact, and queues their delivery. Returns how many. Raises as ``Portal.adopt``."""
    exact = [one for one in adoptions if one.match is Match.EXACT]
    for one in exact:
        portal.adopt(one.handle, one.key)
        entry = AuditEntry(
            action="adopt-account", account=one.key, reason=ADOPTED, source=f"account/{one.key}", actor=actor
        )
        with turn(engine, practice) as connection:
            attempts.queue(connection, practice, {one.key: one.email}, now)
            audit.append(connection, practice, [entry], now)
    return len(exact)
