"""A record that the EHR cut short: what it lacks could be what closes a chart, so it is put aside, never believed."""

from typing import Any

import pytest

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from tests.edges.ehr.families import Json, patient, quiet
from tests.edges.ehr.strategies.odd_ehr import OddEhr

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def read(chart: Json) -> Record | Broken:
    with OddEhr([chart]) as ehr:
        (row,) = FhirReader(ehr.base_url).read(ReadResult(full=True), marks={}, progress=quiet)
    return row


def test_a_record_that_is_only_a_part_is_put_aside_by_its_name() -> None:
    row = read(patient("p1") | {"meta": {"tag": [{"code": "other"}, SUBSETTED]}})
    assert isinstance(row, Broken)
    assert (row.ref, row.path) == ("Patient/p1", "$.meta.tag") and "SUBSETTED" in row.problem


@pytest.mark.parametrize("meta", [{}, {"tag": []}, {"tag": [{"code": "other"}]}, {"tag": "SUBSETTED"}, {"tag": [None]}])
def test_any_other_tag_means_nothing(meta: Any) -> None:
    assert isinstance(read(patient("p1") | {"meta": meta}), Record)
