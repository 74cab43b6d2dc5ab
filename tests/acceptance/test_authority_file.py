"""A practice whose EHR records no Authority: a CSV beside config.toml says who may decide for which child."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.adapter_cli import Adapter, opens, practice

KEYS = 'mapping = "epic"\nauthority_file = "authority.csv"'
V3 = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
MOTHER, FATHER = "ada.reyes@mail.example", "leo.reyes@mail.example"


def contact(key: str, code: str, email: str, *, chart: str = "mia") -> dict[str, Any]:
    return {
        "resourceType": "RelatedPerson",
        "id": key,
        "patient": {"reference": f"Patient/{chart}"},
        "relationship": [{"coding": [{"system": V3, "code": code}]}],
        "name": [{"given": [email.split(".")[0].title()], "family": "Reyes"}],
        "telecom": [{"system": "email", "value": email}],
    }


FAMILY = [
    {"resourceType": "Patient", "id": "mia", "name": [{"text": "Mia Reyes"}], "birthDate": "2019-05-05"},
    contact("r-mother", "MTH", MOTHER),
    contact("r-father", "FTH", FATHER),
]


@pytest.fixture
def site(tmp_path: Path) -> Adapter:
    site = Adapter(tmp_path)
    site.config.write_text(practice("main-street", 'kind = "files"\npath = "ehr"', keys=KEYS))
    site.export(FAMILY)
    return site


def write(site: Adapter, *lines: str) -> Path:
    path = site.folder / "authority.csv"
    path.write_text("\n".join(["contact,authority", *lines]) + "\n", encoding="utf-8")
    return path


def charts(site: Adapter) -> dict[str, set[str]]:
    """Who sees which chart now."""
    seen = {
        account["email"]: {chart for chart, state in opens(account).items() if state == "active"}
        for account in site.accounts()
    }
    return {email: found for email, found in seen.items() if found}


def test_the_file_says_who_sees_the_chart(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-father,none")
    report = site.sync()
    assert (report["status"], report["problems"]) == ("held", [])
    assert charts(site) == {MOTHER: {"mia"}}
    assert "The Authority is None." in site.run("explain", FATHER).out


def test_a_changed_file_decides_everything_again_though_the_ehr_did_not_change(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-father,joint")
    site.sync()
    assert set(charts(site)) == {MOTHER, FATHER}
    write(site, "r-mother,joint", "r-father,none")
    report = site.sync()
    assert report["changes"]["end-grant"] == 1
    assert set(charts(site)) == {MOTHER}
    write(site, "r-mother,joint")
    site.sync()
    assert set(charts(site)) == {MOTHER}


def test_the_order_of_the_lines_changes_nothing(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-father,joint")
    site.sync()
    write(site, "r-father,joint", "r-mother,joint")
    report = site.sync()
    assert report["changes"] == {} and report["read"]["changed"] == 0


@pytest.mark.parametrize("damage", ["missing", "empty", "header", "authority", "bytes"])
def test_a_file_that_cannot_be_used_makes_the_run_incomplete_and_nobody_more_permissive(
    site: Adapter, damage: str
) -> None:
    path = write(site, "r-mother,joint", "r-father,none")
    site.sync()
    before = charts(site)
    broken = {
        "empty": b"",
        "header": b"person,authority\nr-mother,joint\n",
        "authority": b"contact,authority\nr-mother,joint\nr-father,yes\n",
        "bytes": b"contact,authority\nr-mother,joint\nr-father,\xff\n",
    }
    path.unlink() if damage == "missing" else path.write_bytes(broken[damage])
    site.export([*FAMILY, contact("r-grandmother", "GRMTH", "gran@mail.example")])
    done = site.run("sync", "--json")
    assert done.code == 1
    assert done.document["status"] == "incomplete"
    [problem] = done.document["problems"]
    assert problem.startswith("authority.csv: ")
    assert "yes" not in problem
    assert charts(site) == before
    check = site.run("check")
    assert check.code == 1 and "authority file" in check.out
    write(site, "r-mother,joint", "r-father,none", "r-grandmother,joint")
    site.sync()
    assert set(charts(site)) == {MOTHER, "gran@mail.example"}


def test_a_missing_file_from_the_start_opens_nothing(site: Adapter) -> None:
    assert site.run("sync").code == 1
    assert charts(site) == {}


def test_contacts_of_the_file_that_the_ehr_does_not_have_are_told_as_a_count(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-gone-1,joint", "r-gone-2,none")
    report = site.sync()
    assert report["status"] == "held"
    assert report["problems"] == ["2 contacts of the authority file are not in the EHR."]
    assert "gone" not in str(report["problems"])


def test_one_family_is_read_with_the_file_too(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-father,none")
    site.sync()
    write(site, "r-mother,joint", "r-father,joint")
    site.sync("--person", "Patient/mia")
    assert set(charts(site)) == {MOTHER, FATHER}


def test_a_plan_shows_what_the_file_would_do(site: Adapter) -> None:
    write(site, "r-mother,joint")
    plan = site.json("plan")
    assert {action["account"] for action in plan["actions"]} == {MOTHER}


def test_check_tells_how_long_the_file_is(site: Adapter) -> None:
    write(site, "r-mother,joint", "r-father,none")
    found = {line["what"]: line for line in site.run("check", "--json").document["checks"]}
    assert found["main-street: authority file"]["detail"] == "2 lines"
