"""A FHIR server nobody here wrote (sekmet-fhir): the accounts of the files, and edits arrive with the next sync."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.ehr import ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.sandbox.charts import ROLE_CODE, Resource, authority_extension
from tests.acceptance.adapter_cli import Adapter, adds_up, comparable, opens
from tests.acceptance.bad_records import BROKEN, MISPLACED, ODD_BUT_FINE, OF_NO_USE, chart
from tests.acceptance.sekmet import Sekmet, running_sekmet
from tests.edges.ehr.strategies.test_only_needed import everybody, travelled


@pytest.fixture
def sekmet(tmp_path: Path) -> Iterator[Sekmet]:
    with running_sekmet(tmp_path / "sekmet") as server:
        yield server


@pytest.fixture
def over_http(sekmet: Sekmet, tmp_path: Path, families: list[Resource]) -> Adapter:
    """An installation that reads that server, which has the story's families."""
    assert all(sekmet.put(resource) for resource in families)
    adapter = Adapter(tmp_path / "http", policy="hold_first_welcome = false")
    adapter.reads_http(sekmet.base_url, page_size=20)
    return adapter


def test_its_families_give_the_accounts_of_the_files_and_edits_arrive_with_the_next_sync(
    sekmet: Sekmet, over_http: Adapter, story_adapter: Adapter, families: list[Resource]
) -> None:
    first = over_http.sync()
    assert (first["kind"], first["read"]["resources"]) == ("full", len(families))
    assert comparable(over_http.accounts()) == comparable(story_adapter.accounts())
    quiet = over_http.sync()
    assert (quiet["kind"], quiet["changes"], quiet["read"]["changed"]) == ("incremental", {}, 0)

    by_id = {resource["id"]: resource for resource in families}
    father, self_row = by_id["lindgren-elsa-father"], by_id["whitfield-erin-self"]
    other_relative = {"coding": [{"system": ROLE_CODE, "code": "EXT"}], "text": "Other Relative"}
    assert sekmet.put(father | {"extension": [authority_extension("none")]})
    assert sekmet.put(self_row | {"relationship": [other_relative]})
    changed = over_http.sync()
    assert (changed["kind"], changed["read"]["changed"]) == ("incremental", 2)
    assert changed["changes"] == {"cancel-welcome": 1, "close-account": 1, "end-grant": 1, "grant": 1}
    mats = over_http.account("mats.lindgren@post.example")
    assert opens(mats) == {"lindgren-elsa": "ended authority-none"}
    assert mats["dependents"][0]["source"] == "RelatedPerson/lindgren-elsa-father/_history/2"
    erin = over_http.account("erin.whitfield@mail.example")
    assert opens(erin) == {"whitfield-erin": "active self", "whitfield-max": "active"}

    sekmet.delete("RelatedPerson/okafor-ben-mother")
    # A search cannot tell of deletions; but the chart came with its contacts, being new enough, and she was not there.
    assert over_http.sync()["changes"] == {"end-grant": 1}
    assert over_http.sync("--full")["changes"] == {}
    assert opens(over_http.account("grace.okafor@mail.example")) == {
        "okafor-ada": "active",
        "okafor-ben": "ended contact-gone",
    }


@pytest.mark.parametrize("strategy", ["revinclude", "list", "batch", "each"])
def test_every_way_of_reading_it_gives_the_same_accounts(
    sekmet: Sekmet, over_http: Adapter, story_adapter: Adapter, strategy: str
) -> None:
    over_http.reads_http(sekmet.base_url, page_size=20, strategy=strategy)
    report = over_http.sync()
    assert report["status"] in ("complete", "held"), report["problems"]
    assert comparable(over_http.accounts()) == comparable(story_adapter.accounts())
    sekmet.delete("RelatedPerson/okafor-ben-mother")
    assert over_http.sync("--full")["changes"] == {"end-grant": 1}


def test_what_is_not_needed_stays_there_and_nobody_comes_back_to_life(sekmet: Sekmet) -> None:
    """It loses ``deceased`` unless it is named as the JSON keys are: found out before anything rests on it."""
    records = [row for row in everybody() if row.pop("text", None)]
    assert all(sekmet.put(row) for row in records)
    result = ReadResult(full=True)
    reader = FhirReader(sekmet.base_url, elements=True, strategy="each", page_size=5)
    rows = [row for row in reader.read(result, marks={}, progress=lambda *_: None) if isinstance(row, Record)]
    assert (result.complete, len(rows), travelled(list(rows))) == (True, 24, set())
    assert "asked for the needed elements alone" in result.strategy
    assert [row.resource["id"] for row in rows if "deceasedDateTime" in row.resource] == ["p1"]


def test_bad_records_in_it_are_counted_and_harm_nobody(
    sekmet: Sekmet, over_http: Adapter, story_adapter: Adapter, families: list[Resource]
) -> None:
    found_by_search = {name: resource for name, (resource, _) in BROKEN.items() if name != "patient-text"}
    bad = list(found_by_search.values())
    offered: list[Resource] = [chart("kid"), *bad, *MISPLACED, *ODD_BUT_FINE, *OF_NO_USE]
    accepted = [resource for resource in offered if sekmet.put(resource)]
    assert len(accepted) > 20
    report = over_http.sync()
    assert report["status"] in ("complete", "held") and adds_up(report["read"])
    refs = {f"{one['resourceType']}/{one['id']}" for one in bad if one in accepted}
    findings = over_http.json("findings")
    put_aside = {one["patient"] or one["contact"] for one in findings if one["code"] == "record-unusable"}
    assert refs <= put_aside
    kept = {account["email"] for account in story_adapter.accounts()}
    mine = [account for account in comparable(over_http.accounts()) if account["email"] in kept]
    assert mine == comparable(story_adapter.accounts())
