"""What one read brings, merged into what the EHR said before; a record in two different copies is put aside."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.facts import Authority, Contact, Fact, Patient, Quarantined
from adapter.store import tables as t
from adapter.store.facts import mark_changed, mark_left
from adapter.store.incoming import Incoming
from adapter.store.sql import among, batches, insert_rows
from adapter.store.stored import decode_contact, decode_patient, encode

_TABLES = {"Patient": t.patient, "RelatedPerson": t.contact}
_TWO_COPIES = "the EHR gave two different copies of this record"
_PATIENT_COLUMNS = ("practice", "ref", "hash", "facts", "updated", "changed_run", "seen_run")
_CONTACT_COLUMNS = ("practice", "ref", "patient", "email_key", "name_key", *_PATIENT_COLUMNS[2:], "outcome")


@dataclass(slots=True)
class Merged:
    """What became of a batch of facts: every one is a patient or contact, repeated, or conflicting."""

    patients: int = 0
    contacts: int = 0
    changed: int = 0
    repeated: int = 0
    """The same resource again in one read, or an older copy of it."""
    conflicting: list[Quarantined] = field(default_factory=list)

    def count(self, table: sa.Table, number: int = 1) -> None:
        """Counts records that this read brings for the first time."""
        if table is t.patient:
            self.patients += number
        else:
            self.contacts += number


class _Stored(msgspec.Struct, gc=False):
    """What is stored of one record; ``fact`` and what follows are looked up only where something may have changed."""

    hash: str
    seen_run: int
    chart: str = ""
    fact: Fact | None = None
    updated: datetime | None = None
    changed_run: int = 0


class Merger:
    """Merges what one run reads, batch by batch.

    Within one read the newer copy of a resource counts; two different copies of the same age make it unusable. Between
    reads, an older copy counts only in a full read (a late page must not undo a change; a restored EHR may).
    """

    def __init__(self, practice: str, run: int) -> None:
        self.practice = practice
        self.run = run
        self.fresh = False
        """Whether nothing was known of the practice before this run, so that little has to be looked up."""
        self.new: set[str] = set()
        """Records that this read has brought for the first time, where others were known before."""
        self._was_unusable: dict[str, _Stored] = {}

    def merge(self, connection: sa.Connection, incoming: Sequence[Incoming], *, full: bool) -> Merged:
        """Stores facts that differ from what is known and marks them as changed in this run."""
        merged = Merged()
        for table in (t.patient, t.contact):
            new = [item for item in incoming if item.of_contact is (table is t.contact)]
            if self.fresh and self._insert(connection, table, new):
                merged.changed += len(new)
                merged.count(table, len(new))
            else:
                for batch in batches(new):
                    self._merge(connection, table, batch, full, merged)
        return merged

    def put(self, connection: sa.Connection, items: Sequence[Incoming]) -> None:
        """Stores these as they are, as what this run has changed."""
        for table in (t.patient, t.contact):
            self._write(connection, table, [item for item in items if item.of_contact is (table is t.contact)])

    def quarantine(self, connection: sa.Connection, records: Iterable[Quarantined]) -> int:
        """Makes the known facts of damaged records unusable, so that everything that rests on them is held.

        A damaged Patient that was not known becomes an unusable chart; a damaged contact that was not known changes
        nothing. Returns how many of those that ``merge`` has called changed turn out as unusable as they were before.
        """
        unchanged = 0
        for record in {record.ref: record for record in records}.values():  # of several about one record the last
            kind, _, _ = record.ref.partition("/")
            table = _TABLES.get(kind)
            if table is None:
                continue
            known = self._known(connection, table, [record.ref])
            self._look_closer(connection, table, known)
            old = known.get(record.ref)
            problem = f"{record.path}: {record.problem}"
            if old is not None and old.fact is not None:
                fact = msgspec.structs.replace(old.fact, unusable=problem, source=record.source)
            elif table is t.patient:
                fact = Patient(record.ref, record.source, unusable=problem)
            else:
                continue
            new = Incoming.of(fact)
            if old is not None and old.hash == new.hash:
                self._touch(connection, table, [record.ref])
                continue
            before = self._was_unusable.pop(record.ref, None)
            unchanged += before is not None and before.hash == new.hash
            self._write(connection, table, [new])
        return unchanged

    def _merge(
        self, connection: sa.Connection, table: sa.Table, batch: Sequence[Incoming], full: bool, merged: Merged
    ) -> None:
        known = self._known(connection, table, [new.ref for new in batch])
        unlike = {new.ref for new in batch if new.ref in known and known[new.ref].hash != new.hash}
        self._look_closer(connection, table, {ref: known[ref] for ref in unlike})
        rows: dict[str, Incoming] = {}
        seen: list[str] = []
        left_charts: list[str] = []
        left_addresses: set[str] = set()
        for new in batch:
            old = known.get(new.ref)
            again = old is not None and old.seen_run == self.run
            if old is not None and old.hash == new.hash:
                if again:
                    merged.repeated += 1
                else:
                    merged.count(table)
                    seen.append(new.ref)
                    old.seen_run = self.run
                continue
            if old is not None and old.fact is not None:
                if not self._replaces(new, old, full, merged):
                    continue
                if old.fact.unusable and not again:
                    self._was_unusable[new.ref] = old
                if isinstance(old.fact, Contact):
                    new = _remembering(new, old.fact)
                    left_charts += [old.chart] if new.chart != old.chart else []
                    left_addresses |= {old.fact.email_key} - {new.email_key}
            if not again:
                merged.count(table)
            if old is None:
                self.new.add(new.ref)
            merged.changed += 1
            rows[new.ref] = new
            known[new.ref] = _Stored(new.hash, self.run, new.chart, new.fact, new.updated, self.run)
        self._write(connection, table, rows.values())
        self._touch(connection, table, seen)
        mark_changed(connection, self.practice, self.run, left_charts)
        mark_left(connection, self.practice, self.run, left_addresses)

    def _replaces(self, new: Incoming, old: _Stored, full: bool, merged: Merged) -> bool:
        """Whether a copy that differs from the stored one takes its place; if not, it is counted here."""
        older = _newer(old.updated, new.updated)
        if old.seen_run != self.run:
            late = older and not full
            merged.repeated += late
            return not late
        if _newer(new.updated, old.updated) or older or (old.fact is not None and old.fact.unusable):
            merged.repeated += 1
            return _newer(new.updated, old.updated)
        kind, _, _ = new.ref.partition("/")
        merged.conflicting.append(Quarantined(new.ref, new.fact.source, kind, _TWO_COPIES, new.origin))
        return False

    def _insert(self, connection: sa.Connection, table: sa.Table, new: Sequence[Incoming]) -> bool:
        """Whether all of these could be inserted as new ones; where one is there already, none was."""
        if len({each.ref for each in new}) < len(new):
            return False
        try:
            with connection.begin_nested():
                self._write(connection, table, new, replace=False)
        except sa.exc.IntegrityError:
            return False
        return True

    def _write(
        self,
        connection: sa.Connection,
        table: sa.Table,
        new: Iterable[Incoming],
        *,
        replace: bool = True,
    ) -> None:
        """Stores these facts. What was decided on others is forgotten: it must never open anything for these."""
        practice, run = self.practice, self.run
        if table is t.patient:
            rows: list[tuple[Any, ...]] = [
                (practice, each.ref, each.hash, each.facts, each.updated, run, run) for each in new
            ]
            insert_rows(connection, table, _PATIENT_COLUMNS, rows, replace=replace)
            return
        rows = [
            (
                practice,
                each.ref,
                each.chart,
                each.email_key,
                each.name_key,
                each.hash,
                each.facts,
                each.updated,
                run,
                run,
                None,
            )
            for each in new
        ]
        insert_rows(connection, table, _CONTACT_COLUMNS, rows, replace=replace)

    def _known(self, connection: sa.Connection, table: sa.Table, refs: Sequence[str]) -> dict[str, _Stored]:
        chart = table.c.ref if table is t.patient else table.c.patient
        query = sa.select(table.c.ref, table.c.hash, table.c.seen_run, chart).where(
            table.c.practice == self.practice, among(connection, table.c.ref, refs)
        )
        return {ref: _Stored(*rest) for ref, *rest in connection.execute(query).all()}

    def _look_closer(self, connection: sa.Connection, table: sa.Table, known: dict[str, _Stored]) -> None:
        if not known:
            return
        query = sa.select(table.c.ref, table.c.facts, table.c.updated, table.c.changed_run).where(
            table.c.practice == self.practice, among(connection, table.c.ref, list(known))
        )
        decode = decode_patient if table is t.patient else decode_contact
        for ref, facts, updated, changed_run in connection.execute(query).all():
            stored = known[ref]
            stored.fact, stored.updated, stored.changed_run = decode(facts), updated, changed_run

    def _touch(self, connection: sa.Connection, table: sa.Table, refs: Sequence[str]) -> None:
        for batch in batches(refs):
            here = sa.and_(table.c.practice == self.practice, among(connection, table.c.ref, batch))
            connection.execute(sa.update(table).where(here).values(seen_run=self.run))


def _remembering(new: Incoming, old: Contact) -> Incoming:
    """The contact with what must not be undone by losing a field: its last explicit Authority, and its last chart.

    A contact whose chart reference is damaged stays on the chart it was on, held, with whatever it claimed there.
    """
    fact = decode_contact(new.facts)
    if fact.authority is Authority.UNKNOWN:
        last = old.authority if old.authority is not Authority.UNKNOWN else old.last_authority
        fact = msgspec.structs.replace(fact, last_authority=last)
    if fact.patient_problem and old.patient:
        fact = msgspec.structs.replace(fact, patient=old.patient)
    return msgspec.structs.replace(new, facts=encode(fact).decode(), chart=fact.patient)


def _newer(a: datetime | None, b: datetime | None) -> bool:
    return a is not None and b is not None and a > b
