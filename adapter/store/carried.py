"""What one run has read that was not known before, taken out of the store and put back into it later."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from adapter.store import tables as t
from adapter.store.incoming import Incoming
from adapter.store.merge import Merger
from adapter.store.sql import batches


def changed_in(connection: sa.Connection, practice: str, run: int) -> list[Incoming]:
    """Every chart and contact that the run has changed, in order."""
    patients = sa.select(t.patient.c.ref, t.patient.c.hash, t.patient.c.facts, t.patient.c.updated).where(
        t.patient.c.practice == practice, t.patient.c.changed_run == run
    )
    found = [
        Incoming(row.ref, row.hash, row.facts, row.ref, updated=row.updated)
        for row in connection.execute(patients.order_by(t.patient.c.ref))
    ]
    names = ("ref", "hash", "facts", "patient", "email_key", "name_key", "updated")
    contacts = sa.select(*(t.contact.c[name] for name in names)).where(
        t.contact.c.practice == practice, t.contact.c.changed_run == run
    )
    return found + [Incoming(*row) for row in connection.execute(contacts.order_by(t.contact.c.ref))]


def hashes(connection: sa.Connection, practice: str, refs: Iterable[str]) -> dict[str, str]:
    """The hash of each of these records that is known, by reference."""
    listed = sorted(refs)
    found: dict[str, str] = {}
    for table in (t.patient, t.contact):
        for batch in batches(listed):
            here = sa.and_(table.c.practice == practice, table.c.ref.in_(batch))
            for ref, hash_ in connection.execute(sa.select(table.c.ref, table.c.hash).where(here)):
                found[ref] = hash_
    return found


def put_back(connection: sa.Connection, practice: str, run: int, items: Sequence[Incoming]) -> None:
    """Stores these records as changed in ``run``."""
    merger = Merger(practice, run)
    for batch in batches(items):
        merger.put(connection, batch)
