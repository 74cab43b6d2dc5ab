"""Every mapping profile of an EHR has a page that says where its facts come from and what it does not cover."""

import re
from pathlib import Path

import pytest

from adapter.profiles import data_folder

PAGES = Path(__file__).parents[2] / "docs" / "ehr"
VENDORS = sorted({path.stem for path in data_folder("mappings").glob("*.toml")} - {"family-contacts", "us-core"})


@pytest.mark.parametrize("name", VENDORS)
def test_a_profile_says_where_its_facts_come_from_and_what_is_not_covered(name: str) -> None:
    header = (data_folder("mappings") / f"{name}.toml").read_text(encoding="utf-8").split("\ntitle")[0]
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert re.search(r"https://\S+", header) and re.search(r"read on 20\d\d-\d\d-\d\d", header)
    assert f"docs/ehr/{name}.md" in header
    assert f"Profile `{name}`" in page
    assert re.search(r"20\d\d-\d\d-\d\d", page)
    assert page.split("## Not supported")[1].count("\n- ") >= 2


def test_the_list_of_ehrs_names_every_profile() -> None:
    listed = (PAGES / "README.md").read_text(encoding="utf-8")
    for path in data_folder("mappings").glob("*.toml"):
        assert f"`{path.stem}`" in listed
    for name in VENDORS:
        assert f"({name}.md)" in listed
