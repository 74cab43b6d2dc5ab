"""Single records and single families: a read by id, and what stands for it where a contact has no id of its own."""

from collections.abc import Sequence

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.bundle import Remark, reference, unfold
from adapter.ehr.fhir.answer import is_gone, resource
from adapter.ehr.fhir.contacts import Chart, patient_id
from adapter.ehr.fhir.strategies import Records
from adapter.ehr.fhir.strategies.patient_contact import with_contacts
from adapter.ehr.fhir.strategies.per_chart import told
from adapter.ehr.fhir.strategies.source import Source
from adapter.errors import SourceError


def read_one(source: Source, ref: str, chart: str) -> Record | Broken | None:
    """One resource by reference, None when the EHR itself says it is gone (404, 410).

    A contact without an id of its own is read with its chart, and gone when the chart, read without an error, does not
    have it. ``chart`` is the one it was on. Raises SourceError when the EHR cannot tell.
    """
    kind, _, key = ref.partition("/")
    if kind not in ("Patient", "RelatedPerson") or patient_id(f"Patient/{key}") is None:
        raise SourceError("That is not a reference to a Patient or RelatedPerson, so it cannot be read.")
    if kind == "RelatedPerson" and (source.rules.contacts == "Patient.contact" or source.rules.contact_ids == "person"):
        return _on_its_chart(source, ref, chart)
    part = _get(source, ref)
    return None if part is None else source.settle(part)


def read_families(source: Source, patients: Sequence[str], result: ReadResult) -> Records:
    """These charts, each by a read, and every contact on them; what goes wrong is told in ``result``."""
    in_charts = source.rules.contacts == "Patient.contact"
    charts = {ref: Chart(ref) for ref in patients if patient_id(ref)}
    for part, problem in source.at_once(lambda ref: _try_one(source, ref), patients):
        if part is not None:
            yield from with_contacts(part) if in_charts else (part,)
            charts.update({chart.ref: chart for chart in source.charts([part]) if chart.ref in charts})
        if problem:
            result.fail(problem)
    if not in_charts:
        yield from told(source.at_once(lambda chart: source.contacts([chart]), charts.values()), result)


def _get(source: Source, ref: str) -> Record | Broken | None:
    what, client = f"GET {ref}", source.client
    answer = client.get(client.base.join(ref), what)
    if is_gone(answer, max_bytes=client.max_body):
        return None
    found = resource(answer, what, max_bytes=client.max_body)
    part = next(unfold(found.value, ref, doubled=found.doubled))
    if isinstance(part, Remark) or (part.ref if isinstance(part, Broken) else reference(part.resource)) != ref:
        raise SourceError(f"{what}: answered another resource. Ask the EHR's support.")
    return part


def _try_one(source: Source, ref: str) -> tuple[Record | Broken | None, str]:
    try:
        return read_one(source, ref, ""), ""
    except SourceError as error:
        return None, str(error)


def _on_its_chart(source: Source, ref: str, chart: str) -> Record | Broken | None:
    if not patient_id(chart):
        raise SourceError(f"{ref} can be read with its chart only, and its chart is not known.")
    there = _get(source, chart)
    if there is None:
        return None
    if isinstance(there, Broken):
        raise SourceError(f"GET {chart}: the chart cannot be used, so what is on it cannot be told.")
    if source.rules.contacts == "Patient.contact":
        parts = list(with_contacts(there))
    else:
        found = source.contacts(source.charts([there]))
        if found.problems:
            raise SourceError(found.problems[0])
        parts = found.rows
    if not all(map(_ref_of, parts)):
        raise SourceError(f"GET {chart}: a contact of the chart cannot be read, so which are missing cannot be told.")
    return next((part for part in parts if _ref_of(part) == ref), None)


def _ref_of(part: Record | Broken) -> str:
    return part.ref if isinstance(part, Broken) else reference(part.resource)
