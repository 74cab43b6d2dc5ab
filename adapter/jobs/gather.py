"""Gather: draws records from the EHR, turns them into facts and stores what changed, a batch at a time."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from adapter.core.facts import Contact
from adapter.core.findings import record_finding, record_scope
from adapter.ehr import Broken, Progress, ReadResult, Record
from adapter.ehr.files import FilesReader
from adapter.errors import SourceError
from adapter.jobs.authorities import MapperBesideFile
from adapter.jobs.beside import intake_beside, is_worthwhile
from adapter.jobs.intake import Batch, intake, until_failure
from adapter.jobs.practice import Practice, Transaction
from adapter.store import facts, findings
from adapter.store.merge import Merger

MISSING_FLOOR = 50
MISSING_SHARE = 0.1
"""When more records than this are missing from a full read, the read is not believed."""
WHOLE_TYPE = 10
"""When so many contacts were known and none came at all, neither: a right that was taken away looks the same."""
LEFT_OUT_FLOOR = 20
LEFT_OUT_SHARE = 0.01
"""When known contacts of more charts than this were left out of a read and are there when read by id, reading those
charts again is not enough: rows that move between pages while they are read are fewer."""

RENEW_SECONDS = 60
"""How often the lease is renewed while records are still to come."""


@dataclass
class Gathered:
    """What one read brought. ``counts`` adds up: resources = patients + contacts + repeated + quarantined + ignored."""

    result: ReadResult
    counts: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    charts: list[str] = field(default_factory=list)
    """The family that was read, for a run about one person."""
    gone: list[str] = field(default_factory=list)
    """Contacts that the EHR confirmed gone."""
    scopes: set[str] = field(default_factory=set)
    """Of the findings about damaged records: those of earlier runs that are not here are closed after a full read."""


class Gatherer:
    """Reads for one run, into ``gathered``: a run that breaks off still knows what it had read."""

    def __init__(
        self,
        practice: Practice,
        run: int,
        transaction: Transaction,
        now: datetime,
        progress: Progress,
        alive: Callable[[sa.Connection], None],
        gathered: Gathered,
    ) -> None:
        self.practice = practice
        self.run = run
        self.transaction = transaction
        self.now = now
        self.progress = progress
        self.alive = alive
        self.gathered = gathered
        self.merger = Merger(practice.id, run)
        self._renew_at = time.monotonic() + RENEW_SECONDS

    def everything(self, *, full: bool, marks: dict[str, datetime]) -> None:
        """Reads the whole population, or what changed since the marks."""
        gathered = self.gathered
        gathered.result.full = full
        charts_named: set[str] = set()
        with self.transaction() as connection:
            self.merger.fresh = not facts.any_known(connection, self.practice.id)
        self._store(self._read(gathered.result, marks), gathered, charts_named)
        self._deleted(gathered)
        if gathered.result.full:
            self._missing(gathered, None)
            self._unmatched(gathered.result)
        else:
            self._unknown_charts(gathered, charts_named)
            if gathered.result.whole_charts:
                self._missing(gathered, sorted(gathered.result.whole_charts))

    def family(self, ref: str) -> None:
        """Reads one chart, or the chart of one contact, with everybody on it."""
        gathered = self.gathered
        gathered.result.strategy = "one family"
        gathered.charts = self._charts_of(ref)
        self._store(self._read_families(gathered.result, gathered.charts), gathered, set())
        if gathered.charts:
            self._missing(gathered, gathered.charts)
        if not gathered.counts["resources"] and not gathered.gone:
            gathered.result.fail("The EHR has no such record. Check the reference, for example with `adapter explain`.")

    def _charts_of(self, ref: str) -> list[str]:
        if ref.startswith("Patient/"):
            return [ref]
        charts = set()
        with self.transaction() as connection:
            known = facts.members_by_ref(connection, self.practice.id, [ref]).get(ref)
        if known and known.contact.patient:
            charts.add(known.contact.patient)
        record = self.practice.reader.read_one(ref, chart=next(iter(charts), ""))
        if isinstance(record, Record):
            fact = self.practice.mapper.read(record.resource, record.origin)
            if isinstance(fact, Contact) and fact.patient:
                charts.add(fact.patient)
        return sorted(charts)

    def _read(self, result: ReadResult, marks: dict[str, datetime]) -> Iterator[Batch]:
        reader, mapper = self.practice.reader, self.practice.mapper
        if isinstance(reader, FilesReader) and is_worthwhile(reader, mapper):
            return until_failure(intake_beside(reader, mapper, result), result)
        return intake(reader.read(result, marks=marks, progress=self._waiting), mapper, result)

    def _waiting(self, what: str, done: int, total: int | None) -> None:
        """Passes progress on, and keeps the lease while an EHR takes its time: an export may take hours."""
        self.progress(what, done, total)
        if time.monotonic() > self._renew_at:
            with self.transaction() as connection:
                self.alive(connection)
            self._renew_at = time.monotonic() + RENEW_SECONDS

    def _read_families(self, result: ReadResult, charts: list[str]) -> Iterator[Batch]:
        return intake(self.practice.reader.read_family(result, patients=charts), self.practice.mapper, result)

    def _store(self, batches: Iterable[Batch], gathered: Gathered, charts_named: set[str]) -> None:
        """Stores facts as they come; what came before a source broke off is kept."""
        for batch in batches:
            gathered.counts["resources"] += batch.resources
            gathered.counts["ignored"] += sum(batch.ignored.values())
            gathered.ignored.update(batch.ignored)
            if not gathered.result.full:
                charts_named.update(item.chart for item in batch.incoming if item.of_contact)
            self._write(batch, gathered)
            self.progress("records", gathered.counts["resources"], None)

    def _write(self, batch: Batch, gathered: Gathered) -> None:
        with self.transaction() as connection:
            self.alive(connection)
            merged = self.merger.merge(connection, batch.incoming, full=gathered.result.full)
            damaged = [*batch.damaged, *merged.conflicting]
            unchanged = self.merger.quarantine(connection, damaged)
            found = [record_finding(record) for record in damaged]
            scopes = [finding.scope for finding in found]
            if findings.any_open(connection, self.practice.id, "record-unusable"):
                good = [record_scope(item.ref) for item in batch.incoming]
                scopes += findings.open_scopes(connection, self.practice.id, good)
            findings.settle(connection, self.practice.id, scopes, found, self.now)
        counts = {
            "patients": merged.patients,
            "contacts": merged.contacts,
            "repeated": merged.repeated,
            "quarantined": len(damaged),
            "changed": merged.changed - unchanged,
        }
        gathered.counts.update(counts)
        gathered.scopes.update(finding.scope for finding in found)

    def _left_out(self, gathered: Gathered, charts: list[str]) -> None:
        """Reads charts again whose known contacts were left out of an answer: somebody new there may be missing too."""
        if gathered.charts or not charts:
            return
        if len(charts) > max(LEFT_OUT_FLOOR, LEFT_OUT_SHARE * gathered.counts["patients"]):
            gathered.result.fail(
                f"The EHR left contacts of {len(charts)} charts out of its answer and has them when read by id, so "
                "others may be missing. Nobody new gets access; ask its support, or set another strategy."
            )
            return
        self._store(self._read_families(gathered.result, charts), gathered, set())

    def _unknown_charts(self, gathered: Gathered, charts: set[str]) -> None:
        """A changed contact may be on a chart that was never read: its family is read now."""
        with self.transaction() as connection:
            charts.discard("")
            missing = sorted(charts - facts.known_patients(connection, self.practice.id, sorted(charts)))
        if missing:
            self._store(self._read_families(gathered.result, missing), gathered, set())

    def _deleted(self, gathered: Gathered) -> None:
        """Forgets what the EHR says outright was deleted, unless that is more than anybody deletes."""
        refs = gathered.result.gone
        if not gathered.result.complete or not refs:
            return
        with self.transaction() as connection:
            known = facts.known_patients(connection, self.practice.id, refs)
            known.update(facts.members_by_ref(connection, self.practice.id, refs))
            population = facts.population(connection, self.practice.id)
            if len(known) > max(MISSING_FLOOR, MISSING_SHARE * population):
                gathered.result.fail(
                    f"The EHR says that {len(known)} known records were deleted. Nothing was revoked; "
                    "if that is right, sync with --full."
                )
                return
            gathered.gone = sorted(known)
            facts.remove(connection, self.practice.id, self.run, gathered.gone)

    def _unmatched(self, result: ReadResult) -> None:
        """Tells how many contacts of the authority file a complete read did not bring."""
        mapper = self.practice.mapper
        if isinstance(mapper, MapperBesideFile) and result.complete and mapper.unmatched:
            result.problems.append(f"{len(mapper.unmatched)} contacts of the authority file are not in the EHR.")

    def _missing(self, gathered: Gathered, charts: list[str] | None) -> None:
        """Looks for each record that a complete read did not bring; gone is only what the EHR itself says is gone."""
        if not gathered.result.complete:
            return
        with self.transaction() as connection:
            known = facts.population(connection, self.practice.id)
            missing = facts.unseen(connection, self.practice.id, self.run, charts)
            contacts = [ref for ref in missing if ref.startswith("RelatedPerson/")]
        if charts is None and (problem := self._unbelievable(gathered, missing, known)):
            gathered.result.fail(problem)
            with self.transaction() as connection:  # or they would be missing from every later read
                facts.forget_families(connection, self.practice.id, self.merger.new)
            return
        with self.transaction() as connection:
            known_contacts = facts.members_by_ref(connection, self.practice.id, contacts)
        on = {ref: member.contact.patient for ref, member in known_contacts.items()}
        back: dict[str, Record | Broken] = {}
        for number, ref in enumerate(missing):
            self.progress("missing records", number, len(missing))
            try:
                record = self.practice.reader.read_one(ref, chart=on.get(ref, ""))
            except SourceError as error:
                gathered.result.problems.append(f"{ref} is missing from the listing and could not be read: {error}")
                continue
            if record is None:
                gathered.gone.append(ref)
            else:
                back[ref] = record
        self._store(intake(back.values(), self.practice.mapper, gathered.result), gathered, set())
        self._left_out(gathered, sorted({on[ref] for ref in back if on.get(ref)}))
        with self.transaction() as connection:
            facts.remove(connection, self.practice.id, self.run, gathered.gone)

    def _unbelievable(self, gathered: Gathered, missing: list[str], known: int) -> str:
        """Why a full read is not believed, complete as it may be: so much is missing from it; empty when it is."""
        charts = sum(ref.startswith("Patient/") for ref in missing)
        contacts = len(missing) - charts
        familiar = known - sum(ref.startswith("Patient/") for ref in self.merger.new)
        if known and not gathered.counts["patients"]:
            return (
                f"The EHR gave no patients where {known} were known. Nothing was changed; "
                "check the EHR's address and permissions."
            )
        if familiar >= WHOLE_TYPE and charts >= familiar:
            return (
                f"Not one of the {familiar} known charts is in the EHR's answer, but others are. Nothing was revoked "
                "or opened; check the EHR's address: is it another practice's?"
            )
        if contacts >= WHOLE_TYPE and not gathered.counts["contacts"]:
            return (
                f"The EHR gave no contacts at all where {contacts} were known. Nothing was revoked; "
                "check the EHR's permission to read RelatedPerson, then sync again."
            )
        if len(missing) > max(MISSING_FLOOR, MISSING_SHARE * known):
            return (
                f"{len(missing)} known records were missing from the EHR's answer. Nothing was revoked; "
                "check the EHR's permissions, then sync again."
            )
        return ""
