"""What the plan for an account rests on: its charts, everybody on them, and the account itself, each as a hash."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from adapter.store import accounts
from adapter.store import tables as t
from adapter.store.sql import batches

ACCOUNT = "account"
_encode = msgspec.json.Encoder(order="deterministic").encode


def of_accounts(connection: sa.Connection, practice: str, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """By address: the hash of each chart and contact, by reference, and of the account."""
    found: dict[str, dict[str, str]] = {}
    for batch in batches(sorted(set(keys))):
        known = accounts.by_email(connection, practice, batch)
        charts: dict[str, set[str]] = {key: set() for key in batch}
        query = sa.select(t.contact.c.email_key, t.contact.c.patient)
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.email_key.in_(batch))
        for key, chart in connection.execute(query.where(here)):
            charts[key].add(chart)
        for key, account in known.items():
            charts[key].update(account.grants)
        hashes = _of_charts(connection, practice, sorted({chart for some in charts.values() for chart in some}))
        for key in batch:
            found[key] = {ref: hash_ for chart in charts[key] for ref, hash_ in hashes.get(chart, {}).items()}
            if mine := known.get(key):
                # How far its Welcome email got is no reason to decide otherwise.
                settled = (mine.email_key, mine.status, mine.registered, mine.grants)
                found[key][ACCOUNT] = hashlib.sha256(_encode(settled)).hexdigest()
    return found


def moved(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """References of what is not as it was, in order; ``account`` for the account itself."""
    return sorted(ref for ref in before.keys() | now.keys() if before.get(ref) != now.get(ref))


def _of_charts(connection: sa.Connection, practice: str, charts: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {chart: {} for chart in charts}
    for table, chart in ((t.patient, t.patient.c.ref), (t.contact, t.contact.c.patient)):
        query = sa.select(chart, table.c.ref, table.c.hash).where(table.c.practice == practice)
        for batch in batches(charts):
            for where, ref, hash_ in connection.execute(query.where(chart.in_(batch))):
                found[where][ref] = hash_
    return found
