"""An EHR on a bad day: each named fault, where it matters on the first, a middle and the last page of a search."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter.core.search import StrategyName
from docs.write_faults import TARGET, text
from tests.acceptance.adapter_cli import adds_up
from tests.edges.ehr.scripted import Reply, ScriptedEhr
from tests.hostile.contacts import CHART, CONTACTS, EVERY, NOT_IN_BATCHES, ContactsEhr
from tests.hostile.fault import End, Fault, Scene
from tests.hostile.faults import FAULTS
from tests.hostile.moves import MOVES, Move
from tests.hostile.population import CHANGES, after
from tests.hostile.rows import stranger
from tests.hostile.site import LONG_AGO, TOKEN, Site, changed_ehr, copy_of, first_site, spoil

WHERE = [pytest.param(fault, place, id=f"{fault.name}, {place} page") for fault in FAULTS for place in fault.pages]


OF_CONTACTS = [
    pytest.param(fault, place, strategy, id=f"{fault.name}, {place}, {strategy}")
    for fault in CONTACTS
    for place in fault.pages
    for strategy in EVERY
    if not (strategy == "batch" and fault.name in NOT_IN_BATCHES)
]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_site(tmp_path_factory.mktemp("hostile") / "site")


@pytest.fixture
def site(known: Path, tmp_path: Path) -> Site:
    return copy_of(known, tmp_path / "site")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ScriptedEhr]:
    """Another server, which nobody asked to be asked."""
    with ScriptedEhr() as server:
        yield server


@pytest.mark.parametrize(("fault", "place"), WHERE)
def test_a_fault_ends_the_run_as_documented(site: Site, elsewhere: ScriptedEhr, fault: Fault, place: str) -> None:
    before = site.state()
    with changed_ehr() as ehr:
        spoil(ehr, elsewhere.base_url, fault, place)
        report = site.sync(ehr.base_url, timeout=0.25 if fault.waits else 10)
        assert ehr.tokens == {f"Bearer {TOKEN}"}
    ends_as_documented(site, before, report, fault, elsewhere)


@pytest.mark.parametrize(("fault", "place", "strategy"), OF_CONTACTS)
def test_a_fault_of_a_search_of_contacts_ends_the_run_as_documented(
    site: Site, elsewhere: ScriptedEhr, fault: Fault, place: str, strategy: StrategyName
) -> None:
    before, left = site.state(), [fault.times]
    with ContactsEhr(after(), totals=True, batch=True, declares=ContactsEhr.ALL - {"revinclude"}) as ehr:

        def happen(reply: Reply, target: str) -> None:
            if left[0] > 0:
                left[0] -= 1
                fault.spoil(reply, Scene(ehr, elsewhere.base_url, target))

        ehr.chart, ehr.spoil_contacts = CHART[place], happen
        report = site.sync(ehr.base_url, strategy=strategy)
    assert left[0] < fault.times, "the fault must happen"
    ends_as_documented(site, before, report, fault, elsewhere)


def ends_as_documented(
    site: Site, before: list[Any], report: dict[str, Any], fault: Fault, elsewhere: ScriptedEhr
) -> None:
    assert elsewhere.requests == [], "nobody else is asked"
    assert "Canary" not in str(report) and TOKEN not in str(report)
    assert adds_up(report["read"])
    told = report["problems"]
    if fault.end is End.INCOMPLETE:
        assert (report["status"], report["changes"]) == ("incomplete", {}), told
        assert any(fault.told in problem for problem in told), told
        assert all("\n" not in problem and len(problem) < 300 for problem in told)
        assert set(site.marks().values()) == {LONG_AGO}
        assert site.state() == before
    else:
        assert (report["status"], report["changes"], told) == ("complete", CHANGES, [])
        assert all(at <= datetime.now(UTC).isoformat() for at in site.marks().values())
        aside = [found["message"] for found in site.adapter.json("findings") if found["code"] == "record-unusable"]
        assert report["read"]["quarantined"] == len(aside) == (fault.end is End.ASIDE)
        assert all(fault.told in message for message in aside)
        assert "eve.canary" not in str(site.state())


def test_when_the_ehr_is_well_again_the_next_run_brings_what_was_missed(site: Site, elsewhere: ScriptedEhr) -> None:
    with changed_ehr() as ehr:
        fault = next(fault for fault in FAULTS if fault.name == "truncated JSON")
        spoil(ehr, elsewhere.base_url, fault, "middle")
        assert site.sync(ehr.base_url)["changes"] == {}
    with changed_ehr() as ehr:
        assert site.sync(ehr.base_url)["changes"] == CHANGES


def test_the_contact_that_the_record_faults_spoil_would_be_let_in_if_it_were_whole(site: Site) -> None:
    whole = Fault(name="", does="", end=End.COMPLETE, told="", spoil=stranger(lambda row: None))
    with changed_ehr() as ehr:
        spoil(ehr, "", whole, "first")
        assert site.sync(ehr.base_url)["changes"]["grant"] == CHANGES["grant"] + 1
    assert "eve.canary" in str(site.state())


def test_the_page_about_faults_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "run `make docs`"


def test_there_are_at_least_30_faults_and_their_names_differ() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30
    assert all(bool(fault.told) is not (fault.end is End.COMPLETE) for fault in FAULTS)


@pytest.mark.parametrize("move", [pytest.param(move, id=move.name) for move in MOVES])
def test_what_an_ehr_does_over_time_ends_as_documented(site: Site, move: Move) -> None:
    move.play(site)


def test_every_fault_and_move_has_a_name_of_its_own() -> None:
    names = [*(fault.name for fault in (*FAULTS, *CONTACTS)), *(move.name for move in MOVES)]
    assert len(names) == len(set(names)) > 110
