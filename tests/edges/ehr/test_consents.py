"""Reading Consents: all of them, or the run is told that some may be missing."""

from pathlib import Path
from typing import Any

import pytest

from adapter.core.consent import ConsentRules
from adapter.core.intake import References
from adapter.ehr import Broken, ReadResult
from adapter.ehr.fhir import FhirReader
from adapter.ehr.files import FilesReader
from adapter.errors import SourceError
from adapter.jobs.consents import read_consents
from tests.core.personas import NOW
from tests.edges.ehr import scripted
from tests.edges.ehr.folders import ndjson
from tests.edges.ehr.scripted import ScriptedEhr

CONSENTS: list[dict[str, Any]] = [
    {
        "resourceType": "Consent",
        "id": f"c{number}",
        "status": "active",
        "patient": {"reference": f"Patient/p{number}"},
        "provision": {"type": "permit", "actor": [{"reference": {"reference": "RelatedPerson/r1"}}]},
    }
    for number in range(7)
]
PATIENTS: list[dict[str, Any]] = [{"resourceType": "Patient", "id": "p1"}]


def ids(rows: list[Any]) -> list[str]:
    return sorted(row.resource["id"] for row in rows if not isinstance(row, Broken))


def reader(ehr: ScriptedEhr) -> FhirReader:
    return FhirReader(ehr.base_url, page_size=3, sleep=lambda seconds: None)


def test_every_page_of_consents_is_read() -> None:
    with ScriptedEhr([*PATIENTS, *CONSENTS]) as ehr:
        result = ReadResult(full=True)
        assert ids(list(reader(ehr).consents(result))) == [consent["id"] for consent in CONSENTS]
        assert result.complete
        assert any(path.startswith("Consent?") or "/Consent?" in path for path in ehr.requests)


def test_a_page_of_consents_that_fails_means_that_some_may_be_missing() -> None:
    def refuse(reply: scripted.Reply) -> None:
        reply.status, reply.json = 403, {"resourceType": "OperationOutcome", "issue": []}

    with ScriptedEhr([*PATIENTS, *CONSENTS]) as ehr:
        ehr.fault("Consent", refuse)
        result = ReadResult(full=True)
        list(reader(ehr).consents(result))
        assert not result.complete
        with pytest.raises(SourceError, match="403"):
            read_consents(reader(ehr), ConsentRules(), References(None), NOW)


def test_a_folder_gives_its_consents_and_every_place_that_may_hide_one(tmp_path: Path) -> None:
    (tmp_path / "all.ndjson").write_bytes(ndjson([*PATIENTS, *CONSENTS]))
    rows = list(FilesReader(tmp_path).consents(ReadResult(full=True)))
    assert ids(rows) == [consent["id"] for consent in CONSENTS]
    (tmp_path / "broken.ndjson").write_text('{"resourceType": "Consent", \n')
    with pytest.raises(SourceError, match="may be a Consent"):
        read_consents(FilesReader(tmp_path), ConsentRules(), References(None), NOW)
