"""The profiles of EHRs in a practice's configuration: each loads, and one that cannot work there says so."""

import pytest

from adapter.profiles import data_folder
from tests.acceptance.adapter_cli import Adapter, practice

FHIR_ONLY = {"canvas", "nhs", "openemr"}
PROFILES = sorted(path.stem for path in data_folder("mappings").glob("*.toml"))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_folder_of_files_takes_every_profile_whose_contacts_it_can_make_out(adapter: Adapter, profile: str) -> None:
    adapter.export([])
    files = 'kind = "files"\npath = "ehr"'
    adapter.config.write_text(practice("main-street", files, keys=f'mapping = "{profile}"'))
    done = adapter.run("accounts")
    if profile in FHIR_ONLY:
        assert done.code == 2
        assert f'practice main-street: mapping: "{profile}" finds contacts in a way' in done.err
        assert done.err.count("\n") == 1
    else:
        assert done.code == 0, done.err


@pytest.mark.parametrize("profile", PROFILES)
def test_an_ehr_with_a_fhir_api_takes_every_profile(adapter: Adapter, profile: str) -> None:
    fhir = 'kind = "fhir"\nbase_url = "http://127.0.0.1:9/fhir"'
    adapter.config.write_text(practice("main-street", fhir, keys=f'mapping = "{profile}"'))
    assert adapter.run("accounts").code == 0
