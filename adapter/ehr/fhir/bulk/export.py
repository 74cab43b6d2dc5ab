"""A Bulk Data export as a way to read an EHR: asked for, waited for, then read file by file.

Everything that is not certain makes the read incomplete: a file that is missing, cut off or of another length than
the manifest says, an error that the EHR reports beside the files, an export that shows older things than it should.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapter.ehr import Broken, Progress, ReadResult, Record
from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.bulk.contents import Contents, refs_of
from adapter.ehr.fhir.bulk.job import Gone, Jobs, Request, Started
from adapter.ehr.fhir.bulk.notes import FileNotes, NoNotes, Note, Notes
from adapter.ehr.fhir.bulk.transport import Transport
from adapter.errors import SourceError
from adapter.http import retry

STALE = timedelta(minutes=10)
"""An export may be this much older than the moment it was asked for: two clocks of one EHR need not agree."""


@dataclass(frozen=True, kw_only=True)
class BulkExport:
    """Exports of one EHR. ``jobs`` asks for them, ``files`` brings their files, ``parallel`` at a time.

    ``notes`` remember an export under way; ``untouched(began)`` says whether nothing was read by other means since.
    ``overlap`` is how far before a mark an export of changes reaches back.
    """

    jobs: Jobs
    files: Transport
    parallel: int
    overlap: timedelta
    clock: Callable[[], datetime]
    notes: FileNotes | None = None
    untouched: Callable[[datetime], bool] = lambda began: False

    def prepare(self, request: Request, since: datetime | None, progress: Progress) -> "Export":
        """An export that is ready to be read: of everything, or of what changed ``since``.

        One of everything that an earlier read began, and that was cut short, is picked up. Raises Refused when the EHR
        gives none, SourceError when it is not well; then a later read may pick it up.
        """
        with ExitStack() as held:
            notes = held.enter_context(self.notes.held()) if self.notes else NoNotes()
            export = self._picked_up(request, notes, progress) if since is None else None
            export = export or self._new(request, since, notes, progress)
            export.held = held.pop_all()
            return export

    def _picked_up(self, request: Request, notes: Notes, progress: Progress) -> "Export | None":
        """The export of the note; None when there is none, or none that is still of use.

        What was read in between by other means is newer than this export and must not be undone by it.
        """
        note = notes.get()
        if note is None:
            return None
        if note.request == self._name(request) and self.untouched(note.began):
            try:
                return self._waited(Started(note.status_url, note.began, note.at), notes, progress)
            except (Gone, Refused):
                return None
        self._forget(note.status_url, notes)
        return None

    def _new(self, request: Request, since: datetime | None, notes: Notes, progress: Progress) -> "Export":
        started = self.jobs.start(request, since and since - self.overlap, progress)
        if since is None:
            note = Note(request=self._name(request), status_url=started.status_url, began=started.began, at=started.at)
            notes.set(note)
        return self._waited(started, notes, progress)

    def _waited(self, started: Started, notes: Notes, progress: Progress) -> "Export":
        """The export once it is ready. Called off when it failed, or somebody stops us; kept when the EHR is not
        well."""

        def forget() -> None:
            self._forget(started.status_url, notes)

        try:
            self.jobs.refuse_late(started.began)
            manifest = self.jobs.wait(started.status_url, started.began, progress)
            contents = Contents(self.files, manifest, self.parallel, self._pause)
            export = Export(contents, started, forget, lambda: self.jobs.refuse_late(started.began), self.clock)
            export.look(progress)
            return export
        except SourceError as error:
            if isinstance(error, Refused | Gone):
                forget()
            raise
        except BaseException:
            forget()
            raise

    def _forget(self, status_url: str, notes: Notes) -> None:
        """Calls an export off, on both sides."""
        notes.clear()
        self.jobs.cancel(status_url)

    def _pause(self, tried: int, headers: Mapping[str, str]) -> float:
        return retry.wait(tried, headers, now=self.clock())

    def _name(self, request: Request) -> str:
        return self.files.guard.base.join(request.query(None))


@dataclass
class Export:
    """One export that is ready. ``problems``: why it is not everything; empty when nothing speaks against it.

    ``mark`` is as of when it shows things. The EHR keeps it until it was read or is called off.
    """

    contents: Contents
    started: Started
    drop: Callable[[], None]
    refuse_late: Callable[[], None]
    clock: Callable[[], datetime]
    problems: list[str] = field(default_factory=list)
    mark: datetime | None = None
    held: ExitStack = field(default_factory=ExitStack)

    def look(self, progress: Progress) -> None:
        """Finds out what speaks against it, before anything of it is read."""
        self.problems = self.contents.problems(self._idle(progress))
        at = self.contents.manifest.at
        if at is None:
            self.problems.append("The export does not say as of when it is (transactionTime). Ask the EHR's support.")
            return
        self.mark = min(at, self.started.at + (self.clock() - self.started.began), self.clock())
        if at < self.started.at - STALE:
            self.problems.append(
                f"The export shows how things were at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, before it was asked "
                "for, so later changes are missing. Choose another strategy, or ask the EHR's support."
            )

    def has(self, kind: str) -> bool:
        """Whether there is a file of this type of resource."""
        return any(file.kind == kind for file in self.contents.manifest.output)

    def read(self, kinds: tuple[str, ...], result: ReadResult, progress: Progress) -> Iterator[Record | Broken]:
        """Yields every record of these kinds; then, if all went well, notes deletions and marks in ``result``."""
        kept = False
        try:
            for problem in self.problems:
                result.fail(problem)
            idle = self._idle(progress)
            deleted = self.contents.deleted(result.fail, idle)
            for part in self.contents.records(kinds, result.fail, idle):
                deleted.discard(refs_of(part))
                yield part
            if result.complete:
                result.gone.extend(sorted(deleted))
                result.marks.update({kind: self.mark for kind in kinds if self.mark})
            kept = self.contents.broken_off and not self.problems
        finally:
            if kept:
                self.held.close()
            else:
                self.call_off()

    def call_off(self) -> None:
        """Tells the EHR that it is no longer needed, and forgets it."""
        self.drop()
        self.held.close()

    def _idle(self, progress: Progress) -> Callable[[], None]:
        def idle() -> None:
            self.refuse_late()
            progress("export files", self.contents.files_read, None)

        return idle
