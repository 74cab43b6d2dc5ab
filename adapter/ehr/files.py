"""The ``files`` reader: an EHR's export as a folder of .ndjson and .json files, resources or Bundles."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from adapter.ehr import Broken, Check, Progress, ReadResult, Record, quietly
from adapter.ehr.bundle import Part, Remark, is_plain, patient_of, reference, unfold
from adapter.ehr.folder import MEGABYTE, Source, Unreadable, lines, opened, sources, whole
from adapter.errors import SourceError
from adapter.http.decode import MAX_BYTES, DuplicateKeys, Undecodable, decode

MAX_LINE = 16 * MEGABYTE
PROGRESS_EVERY = 1000
UNREAD = "which records it holds is not known"


class FilesReader:
    """Reads every file of a folder, every time: a folder cannot say what changed.

    One line, Bundle entry or list item is one record. An ``.ndjson`` file is streamed; a ``.json`` file is held in
    memory and may have 64 MB. Entries that are deletions, and older versions in a history Bundle, yield nothing.
    """

    def __init__(self, path: Path, *, max_line: int = MAX_LINE, max_file: int = MAX_BYTES) -> None:
        self.folder = path
        self.max_line = max_line
        self.max_file = max_file
        self._index: tuple[frozenset[tuple[str, int, int]], frozenset[str]] | None = None

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        """Yields everything in the folder; ``marks`` play no part. See ``Reader``."""
        result.full = True
        yield from self._scan(result, progress)

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        """Yields these charts and their contacts, and every broken place that may hide one of them."""
        wanted = frozenset(patients)
        for part in self._scan(result):
            if isinstance(part, Broken):
                if part.ref in wanted or not part.ref.startswith("Patient/"):
                    yield part
            elif reference(part.resource) in wanted or patient_of(part.resource) in wanted:
                yield part

    def read_one(self, ref: str, *, chart: str = "") -> Record | Broken | None:
        """The newest version of one resource; None when the folder was read without a doubt and it is not there.

        Raises SourceError when some file or line could not be read: it may be the one.
        """
        before = self._signature()
        if self._index is not None and self._index[0] == before and ref not in self._index[1]:
            return None
        result, refs, found, doubt = ReadResult(full=True), set(), None, ""
        for part in self._scan(result):
            here = part.ref if isinstance(part, Broken) else reference(part.resource)
            if isinstance(part, Broken) and not here:
                doubt = f"{part.origin} {part.problem}"
            refs.add(here)
            if here == ref and (found is None or _version(part) >= _version(found)):
                found = part
        if found is None and (doubt or not result.complete):
            raise SourceError(f"Whether {ref} still exists cannot be told: {doubt or result.problems[0]}")
        if not doubt and result.complete:
            self._index = (before, frozenset(refs))
        return found

    def consents(self, result: ReadResult) -> Iterator[Record | Broken]:
        """Yields every Consent in the folder, and every broken place that may hide one."""
        for part in self._scan(result):
            if isinstance(part, Broken) or part.resource.get("resourceType") == "Consent":
                yield part

    def size(self) -> int:
        """How many bytes there are to read; 0 when the folder cannot be listed."""
        try:
            found, _ = sources(self.folder)
            return sum(source.path.stat().st_size for source in found)
        except (Unreadable, OSError):
            return 0

    def check(self) -> list[Check]:
        """One line: is the folder there, and how many files would be read."""
        try:
            found, problems = sources(self.folder)
        except Unreadable as error:
            return [Check("EHR folder", False, str(error))]
        if problems:
            return [Check("EHR folder", False, problems[0])]
        size = sum(source.path.stat().st_size for source in found)
        return [Check("EHR folder", True, f"{len(found)} files to read, {size / MEGABYTE:.1f} MB")]

    def listing(self, result: ReadResult) -> list[Source]:
        """The files to read, in order; ``result`` is told what could not be listed."""
        result.strategy = "folder"
        try:
            found, problems = sources(self.folder)
        except Unreadable as error:
            result.fail(str(error))
            return []
        for problem in problems:
            result.fail(problem)
        return found

    def read_files(
        self, files: Iterable[Source], result: ReadResult, progress: Progress = quietly
    ) -> Iterator[Record | Broken]:
        """Yields everything in these files, and tells ``result`` of everything that was not read."""
        count = 0
        for source in files:
            try:
                for part in self._lines(source) if source.by_lines else self._document(source):
                    if isinstance(part, Remark):
                        if part.serious:
                            result.fail(
                                f"{part.origin}: {part.problem}, so the export is not complete: export it again."
                            )
                        continue
                    count += 1
                    if count % PROGRESS_EVERY == 0:
                        progress("records", count, None)
                    yield part
            except Unreadable as error:
                result.fail(str(error))
        progress("records", count, count)

    def _scan(self, result: ReadResult, progress: Progress = quietly) -> Iterator[Record | Broken]:
        return self.read_files(self.listing(result), result, progress)

    def _lines(self, source: Source) -> Iterator[Part]:
        with opened(source) as stream:
            for number, line, is_whole in lines(source, stream, max_line=self.max_line):
                origin = f"{source.name}:{number}"
                if not is_whole:
                    yield Broken(origin, f"is longer than {self.max_line // MEGABYTE} MB")
                    continue
                if line.isspace():
                    continue
                try:
                    value = decode(line)
                    if is_plain(value):
                        yield Record(value, origin)
                    else:
                        yield from unfold(value, origin)
                except DuplicateKeys as error:
                    yield from unfold(error.value, origin, doubled=True)
                except Undecodable as error:
                    yield Broken(origin, error.problem)
                    if not line.endswith(b"\n"):
                        yield Remark(origin, "the last line is cut off", serious=True)

    def _document(self, source: Source) -> Iterator[Part]:
        with opened(source) as stream:
            data = whole(source, stream, max_bytes=self.max_file)
        try:
            yield from unfold(decode(data, max_bytes=self.max_file), source.name)
        except DuplicateKeys as error:
            yield from unfold(error.value, source.name, doubled=True)
        except Undecodable as error:
            yield Broken(source.name, error.problem)
            if error.truncated or _holds_many(data):
                yield Remark(source.name, f"the file {error.problem} and {UNREAD}", serious=True)

    def _signature(self) -> frozenset[tuple[str, int, int]]:
        """Changes whenever the folder does. Raises SourceError when it cannot be listed."""
        try:
            found, _ = sources(self.folder)
            stats = [(source.name, source.path.stat()) for source in found]
        except (Unreadable, OSError) as error:
            raise SourceError(
                str(error) if isinstance(error, Unreadable) else "The EHR folder cannot be read."
            ) from None
        return frozenset((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _holds_many(data: bytes) -> bool:
    """Whether unreadable JSON was a list or a Bundle, so that its loss is more than one quarantined record."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") or b'"Bundle"' in data


def _version(part: Record | Broken) -> datetime:
    """When this version was written. Unstated counts as oldest; a broken one as newest, for it must not be hidden."""
    if isinstance(part, Broken):
        return datetime.max.replace(tzinfo=UTC)
    meta = part.resource.get("meta")
    written = meta.get("lastUpdated") if isinstance(meta, dict) else None
    try:
        at = datetime.fromisoformat(str(written))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return at.replace(tzinfo=at.tzinfo or UTC)
