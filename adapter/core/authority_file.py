"""A practice's authority file: a CSV that says who may decide for which child, where the EHR does not say it.

Columns: ``contact`` and ``authority``, and ``patient`` where an id alone does not name one contact. Whatever is wrong
in it makes the whole of it unusable: half a file would open and close charts by accident.
"""

import csv
import hashlib

import msgspec

from adapter.core.facts import Authority, Contact
from adapter.core.intake import ref_of

CONTACT, PATIENT, AUTHORITY = "contact", "patient", "authority"
_COLUMNS = (CONTACT, PATIENT, AUTHORITY)
_STATED = {each.value: each for each in (Authority.JOINT, Authority.EXCLUSIVE, Authority.NONE)}
_PREFIX = {CONTACT: "RelatedPerson", PATIENT: "Patient"}


class Wrong(msgspec.Struct, frozen=True):
    """One thing wrong in the file: where (line, column) and what. Never quotes a value."""

    where: str
    problem: str


class AuthorityFile(msgspec.Struct, frozen=True):
    """What the file states, by contact (``RelatedPerson/<id>``) and then by chart (``Patient/<id>``, empty: any)."""

    rows: dict[str, dict[str, Authority]]
    hash: str
    """SHA-256 of what it states; the order of the lines does not matter."""

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))


def read_authorities(text: str) -> AuthorityFile | list[Wrong]:
    """The file's content, or everything that is wrong with it."""
    lines = csv.reader(text.replace("\r\n", "\n").split("\n"), strict=True)
    try:
        header = [name.strip().lower() for name in next(lines, [])]
        if wrong := _wrong_header(header):
            return wrong
        rows: dict[str, dict[str, Authority]] = {}
        problems: list[Wrong] = []
        for cells in lines:
            if any(cell.strip() for cell in cells):
                problems += _take(cells, header, lines.line_num, rows)
    except csv.Error:
        return [Wrong(f"line {lines.line_num}", "is not CSV: a quotation mark is missing or out of place")]
    if not rows and not problems:
        problems = [Wrong("line 2", "is missing: a file without a line would take everybody's Authority away")]
    if problems:
        return problems
    content = sorted((contact, sorted(charts.items())) for contact, charts in rows.items())
    return AuthorityFile(rows, hashlib.sha256(msgspec.json.encode(content)).hexdigest())


def _wrong_header(header: list[str]) -> list[Wrong]:
    wrong = [
        Wrong(f"line 1, column {number}", f"is not one of {', '.join(_COLUMNS)}; take it out: names have no place here")
        for number, name in enumerate(header, 1)
        if name not in _COLUMNS
    ]
    wrong += [Wrong("line 1", f"the column {name} is missing") for name in (CONTACT, AUTHORITY) if name not in header]
    wrong += [Wrong("line 1", f"the column {name} is there twice") for name in _COLUMNS if header.count(name) > 1]
    return wrong


def _take(cells: list[str], header: list[str], line: int, rows: dict[str, dict[str, Authority]]) -> list[Wrong]:
    """Puts one line into ``rows``; what is wrong with it comes back."""
    if len(cells) != len(header):
        return [Wrong(f"line {line}", f"has {len(cells)} cells, the header has {len(header)}")]
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    problems: list[Wrong] = []
    refs = {CONTACT: "", PATIENT: ""}
    for name in (CONTACT, PATIENT):
        if not row.get(name) and name == PATIENT:
            continue
        kind = _PREFIX[name]
        refs[name] = ref_of({"resourceType": kind, "id": row[name].removeprefix(f"{kind}/")})
        if not refs[name]:
            problems.append(Wrong(f"line {line}, column {name}", f"is not the id of a {kind}"))
    authority = _STATED.get(row[AUTHORITY].lower())
    if authority is None:
        problems.append(Wrong(f"line {line}, column {AUTHORITY}", f"is none of {', '.join(_STATED)}"))
    if problems or authority is None:
        return problems
    charts = rows.setdefault(refs[CONTACT], {})
    if charts.setdefault(refs[PATIENT], authority) is not authority:
        return [Wrong(f"line {line}, column {AUTHORITY}", "contradicts an earlier line about the same contact")]
    if "" in charts and len(charts) > 1:
        return [Wrong(f"line {line}, column {PATIENT}", "names a chart where another line names none, or the reverse")]
    return []


def stated_for(contact: Contact, file: AuthorityFile, *, ids_are_persons: bool) -> tuple[str, Authority | None]:
    """The key in the file that is about this contact, and what it states; ``("", None)`` when nothing is.

    Where ids are a person's (OpenEMR) only a line that names the chart counts. A line about the contact on another
    chart states nothing for this one.
    """
    ref = contact.ref.rpartition(".")[0] if ids_are_persons else contact.ref
    charts = file.rows.get(ref, {})
    authority = charts.get(contact.patient) if contact.patient else None
    if authority is None and not ids_are_persons:
        authority = charts.get("")
    return (ref, authority) if authority is not None else ("", None)


def beside(contact: Contact, stated: Authority) -> Contact:
    """The contact with what the record and the file say together.

    None wins; what the record says and nobody understands is not overruled; otherwise the two must agree.
    """
    told = contact.authority
    if stated is told:
        return contact
    if Authority.NONE in (stated, told):
        return msgspec.structs.replace(contact, authority=Authority.NONE, authority_text="")
    if told is not Authority.UNKNOWN:
        both = f"{told} in the EHR, {stated} in the file"
        return msgspec.structs.replace(contact, authority=Authority.UNKNOWN, authority_text=both)
    if contact.authority_text:
        return contact
    return msgspec.structs.replace(contact, authority=stated)
