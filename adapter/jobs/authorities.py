"""The authority file of a practice, read anew at the start of every run and laid beside what the records say."""

from pathlib import Path

from adapter.core.authority_file import AuthorityFile, beside, read_authorities, stated_for
from adapter.core.facts import Contact, Reading
from adapter.core.mapping import Mapper
from adapter.errors import ConfigError, Fault

MAX_BYTES = 64 * 1024 * 1024
_SHOWN = 20
_REMEDY = "docs/mappings.md shows the file."


def load_authorities(path: Path) -> AuthorityFile:
    """The file's content. Raises ConfigError naming file, line and column of what is wrong; no value is quoted."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _unusable(path, "file", f"is larger than {MAX_BYTES // 1024**2} MB.")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unusable(path, "file", f"cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise _unusable(path, "file", "is not UTF-8 text.") from None
    read = read_authorities(text)
    if isinstance(read, AuthorityFile):
        return read
    faults = [Fault(file=path.name, key=one.where, problem=f"{one.problem}.", remedy=_REMEDY) for one in read[:_SHOWN]]
    if len(read) > _SHOWN:
        more = f"{len(read) - _SHOWN} more are wrong."
        faults.append(Fault(file=path.name, key="further lines", problem=more, remedy=_REMEDY))
    raise ConfigError(faults)


def _unusable(path: Path, key: str, problem: str) -> ConfigError:
    return ConfigError([Fault(file=path.name, key=key, problem=problem, remedy="Put it back, then sync again.")])


class MapperBesideFile(Mapper):
    """Reads as ``mapper`` does and lays the authority file beside it; for one run."""

    def __init__(self, mapper: Mapper, file: AuthorityFile) -> None:
        self.profile = mapper.profile
        self.references = mapper.references
        self.file = file
        self.unmatched = set(file.rows)
        """The contacts of the file that no record was about, so far."""
        self._mapper = mapper
        self._ids_are_persons = mapper.profile.search.contact_ids == "person"

    def read(self, resource: object, origin: str = "") -> Reading:
        """As ``Mapper.read``; a contact has the Authority that record and file state together."""
        reading = self._mapper.read(resource, origin)
        if not isinstance(reading, Contact):
            return reading
        ref, stated = stated_for(reading, self.file, ids_are_persons=self._ids_are_persons)
        if stated is None:
            return reading
        self.unmatched.discard(ref)
        return beside(reading, stated)
