"""docs/mappings.md names every key a profile can have, every Role, and a profile that loads."""

import re
from pathlib import Path

from adapter.core.facts import Role
from adapter.core.mapping import ContactPaths, PatientPaths
from adapter.profiles import load_profile

PAGE = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")


def test_the_profile_on_the_page_loads(tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0], encoding="utf-8")
    profile = load_profile("page", [tmp_path])
    assert profile.roles.codes["urn:oid:1.2.3.4"] == {"17": Role.MOTHER}


def test_every_key_role_and_default_is_on_the_page() -> None:
    words = set(re.findall(r"`([a-z_]+)`", PAGE)) | set(re.findall(r"\[(?:patient|contact)\] ([a-z_]+)", PAGE))
    paths = (set(PatientPaths.__struct_fields__) | set(ContactPaths.__struct_fields__)) - {"role", "authority"}
    assert set(Role) <= words
    assert paths <= words
    assert PatientPaths().mrn in PAGE
