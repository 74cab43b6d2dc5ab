"""Finding families by a few letters: keeping the keys up to date with the facts, and looking them up."""

from collections.abc import Iterator, Sequence
from itertools import islice

import sqlalchemy as sa

from adapter.core.find import LAST, Sought, find_keys
from adapter.store import tables as t
from adapter.store.sql import insert_rows, upsert
from adapter.store.stored import decode_contact, decode_patient

BATCH = 2_000
Keys = tuple[str, set[str]]
"""A reference, and the keys it is found by."""


def behind(connection: sa.Connection, practice: str) -> tuple[int, int]:
    """The last run whose changes have their keys, and the last that could: it has ended, and so have all before."""
    mark = connection.scalar(sa.select(t.find_mark.c.run).where(t.find_mark.c.practice == practice)) or 0
    mine = t.run.c.practice == practice
    running = sa.select(sa.func.min(t.run.c.id)).where(mine, t.run.c.status == "running")
    newest = connection.scalar(sa.select(sa.func.max(t.run.c.id)).where(mine)) or 0
    under_way = connection.scalar(running)
    return mark, newest if under_way is None else under_way - 1


def changed(connection: sa.Connection, practice: str, after: int, upto: int) -> Iterator[list[Keys]]:
    """The keys of every chart and contact that changed in these runs, a batch at a time."""
    for table in (t.patient, t.contact):
        here = sa.and_(table.c.practice == practice, table.c.changed_run > after, table.c.changed_run <= upto)
        rows = connection.execute(
            sa.select(table.c.ref, table.c.facts).where(here), execution_options={"yield_per": BATCH}
        )
        read = iter(rows)
        while batch := list(islice(read, BATCH)):
            yield [(ref, _keys(table, facts)) for ref, facts in batch]


def _keys(table: sa.Table, facts: str) -> set[str]:
    if table is t.contact:
        contact = decode_contact(facts)
        return find_keys(contact.names, [contact.email_key])
    patient = decode_patient(facts)
    return find_keys(patient.names, patient.emails, patient.mrn)


def save(connection: sa.Connection, practice: str, batch: Sequence[Keys]) -> None:
    """Puts these keys in the place of those that the same references had."""
    mine = sa.and_(t.find_key.c.practice == practice, t.find_key.c.ref.in_([ref for ref, _ in batch]))
    connection.execute(sa.delete(t.find_key).where(mine))
    rows = sorted((practice, key, ref) for ref, keys in batch for key in keys)
    insert_rows(connection, t.find_key, ("practice", "key", "ref"), rows)


def save_mark(connection: sa.Connection, practice: str, run: int) -> None:
    """Everything up to this run has its keys."""
    upsert(connection, t.find_mark, [{"practice": practice, "run": run}])


def refs(connection: sa.Connection, practice: str, ways: Sequence[Sought], *, limit: int) -> list[str]:
    """Charts and contacts that are found so, those that match a whole word first."""
    found: dict[str, None] = {}
    for sought in ways:
        key = t.find_key.c.key
        here = [t.find_key.c.practice == practice, key >= sought.begin, key < sought.begin + LAST]
        # Whole words are compared from their beginning; a blank stands before every word but the first.
        here += [key.contains(f" {word}", autoescape=True) for word in sought.words]
        query = sa.select(t.find_key.c.ref).where(*here).order_by(key).limit(limit)
        found |= dict.fromkeys(connection.scalars(query))
    return list(found)[:limit]
