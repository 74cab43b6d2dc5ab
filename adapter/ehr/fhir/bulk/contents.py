"""What an export's files hold: records line by line, the EHR's own remarks, deletions; and whether that is all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, Remark, reference, unfold
from adapter.ehr.fhir.bulk.deletions import deletions
from adapter.ehr.fhir.bulk.files import Downloads, Failed, Wait
from adapter.ehr.fhir.bulk.lines import MAX_LINE, MEGABYTE, Block
from adapter.ehr.fhir.bulk.manifest import File, Manifest
from adapter.ehr.fhir.bulk.transport import Transport, Trouble
from adapter.errors import SourceError
from adapter.http.decode import DuplicateKeys, Undecodable, decode

Idle = Callable[[], None]
"""Called about once a second while nothing comes."""
Fail = Callable[[str], None]
"""Takes a sentence for the admin: what was not read, so that the read is incomplete."""


@dataclass(slots=True)
class Contents:
    """The files of one finished export. ``broken_off``: some failed, all of them in a way that may pass."""

    transport: Transport
    manifest: Manifest
    parallel: int
    wait: Wait
    max_line: int = MAX_LINE
    files_read: int = 0
    _failures: list[SourceError] = field(default_factory=list)

    @property
    def broken_off(self) -> bool:
        return bool(self._failures) and all(isinstance(error, Trouble) for error in self._failures)

    def problems(self, idle: Idle) -> list[str]:
        """Why the export is not everything, as far as the EHR says so itself: in the manifest and in ``error`` files.

        Messages of the severity ``information`` are none (https://hl7.org/fhir/uv/bulkdata/STU2/export.html).
        """
        found = list(self.manifest.problems)
        for part in self._parts(self.manifest.errors, found.append, idle):
            if isinstance(part, Remark) and part.serious:
                found.append(f"The export is not complete: {part.problem}.")
            elif not isinstance(part, Remark):
                found.append(f"{part.origin}: is not an OperationOutcome, so what went wrong is not known.")
        return list(dict.fromkeys(found))

    def deleted(self, fail: Fail, idle: Idle) -> set[str]:
        """Patients and RelatedPersons that the EHR says were deleted."""
        found: set[str] = set()
        for file, line in self._lines(self.manifest.deleted, fail, idle):
            bundle = line.value if isinstance(line.value, dict) else None
            refs = deletions(bundle, self.transport.guard.base) if bundle is not None and not line.problem else None
            if refs is None:
                fail(f"{file.name} line {line.number}: does not say what was deleted. Ask the EHR's support.")
            else:
                found |= refs
        return found

    def records(self, kinds: Sequence[str], fail: Fail, idle: Idle) -> Iterator[Record | Broken]:
        """Every record in the files of these kinds; whatever else the EHR exported is not even asked for."""
        files = [file for file in self.manifest.output if file.kind in kinds]
        for part in self._parts(files, fail, idle):
            if not isinstance(part, Remark):
                yield part
            elif part.serious:
                fail(f"{part.origin}: {part.problem}, so the export is not complete. Ask the EHR's support.")

    def _parts(self, files: Sequence[File], fail: Fail, idle: Idle) -> Iterator[Part]:
        for file, line in self._lines(files, fail, idle):
            origin = f"{file.name} line {line.number}"
            if line.problem:
                yield Broken(origin, line.problem)
            else:
                # A warning is as serious here as inside a searchset: it may say that something is missing.
                yield from unfold(line.value, origin, doubled=line.doubled, searchset=True)

    def _lines(self, files: Sequence[File], fail: Fail, idle: Idle) -> Iterator[tuple[File, "Line"]]:
        counts: dict[str, Counted] = {}
        with Downloads(
            self.transport, files, token=self.manifest.needs_token, parallel=self.parallel, wait=self.wait
        ) as downloads:
            for file, piece in downloads.pieces(idle):
                counted = counts.setdefault(file.name, Counted())
                if isinstance(piece, Block):
                    for line in counted.lines(piece, self.max_line):
                        yield file, line
                    idle()
                    continue
                self.files_read += 1
                if isinstance(piece, Failed):
                    self._failures.append(piece.error)
                    fail(str(piece.error))
                elif counted.cut_off:
                    fail(f"{file.name}: the last line is cut off, so the export is not complete. Sync again.")
                elif file in self.manifest.output and file.count not in (None, counted.resources):
                    # Beside the output it is not agreed what is counted: SMART's server gives what was not exported.
                    fail(
                        f"{file.name}: has {counted.resources} lines where the manifest says {file.count}, so the "
                        "export is not complete. Sync again; if it stays, ask the EHR's support."
                    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is not blank: its value, or what is wrong with it."""

    number: int
    value: object = None
    doubled: bool = False
    problem: str = ""


@dataclass(slots=True)
class Counted:
    """How far one file has come."""

    number: int = 0
    resources: int = 0
    cut_off: bool = field(default=False)

    def lines(self, block: Block, max_line: int) -> Iterator[Line]:
        """The lines of its next block."""
        if not block.whole:
            self.number += 1
            self.resources += 1
            yield Line(self.number, problem=f"is longer than {max_line // MEGABYTE} MB")
            return
        ends = block.data.endswith(b"\n")
        lines = block.data.split(b"\n")
        last = len(lines) - 1
        for place, data in enumerate(lines):
            if place == last and ends:
                return
            self.number += 1
            if not data or data.isspace():
                continue
            self.resources += 1
            try:
                yield Line(self.number, decode(data))
            except DuplicateKeys as error:
                yield Line(self.number, error.value, doubled=True)
            except Undecodable as error:
                self.cut_off = place == last
                yield Line(self.number, problem=error.problem)


def refs_of(part: Record | Broken) -> str:
    """``Type/id`` of a record, or of a broken one where that is known."""
    return part.ref if isinstance(part, Broken) else reference(part.resource)
