"""``adapter check --new-key`` and ``--jwks``: the key of a practice, as the practice makes and registers it."""

import json
from pathlib import Path

import pytest

from tests.acceptance.adapter_cli import Adapter, practice

SMART = 'kind = "fhir"\nbase_url = "http://127.0.0.1:9/fhir"\nauth = "smart"\nclient_id = "x"\n'
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


@pytest.fixture
def site(tmp_path: Path) -> Adapter:
    """A practice that names a key which is still to be made."""
    return Adapter(tmp_path, ehr=f'{SMART}private_key_file = "var/ehr.pem"')


def test_check_sends_to_the_key_that_is_still_to_be_made(site: Adapter) -> None:
    done = site.run("check")
    assert done.code == 2
    assert "private key: does not exist." in " ".join(done.out.split())
    assert "adapter check --new-key" in done.out


def test_a_new_key_prints_its_public_half_and_nothing_else_on_stdout(site: Adapter) -> None:
    done = site.run("check", "--new-key")
    assert done.code == 0
    [key] = done.document["keys"]
    assert (key["kty"], key["alg"]) == ("RSA", "RS384")
    assert PRIVATE.isdisjoint(key)
    pem = (site.folder / "var" / "ehr.pem").read_text().splitlines()
    assert [line for line in pem[1:-1] if line in done.out + done.err] == []
    again = site.run("check", "--jwks")
    assert (again.code, again.document) == (0, done.document)


def test_the_key_follows_the_configuration(site: Adapter) -> None:
    site.configure(ehr=f'{SMART}private_key_file = "a.pem"\nkey_id = "key-7"\nalgorithm = "ES384"')
    [key] = site.run("check", "--new-key").document["keys"]
    assert (key["kid"], key["alg"], key["crv"]) == ("key-7", "ES384", "P-384")
    refused = site.run("check", "--new-key", "--alg", "RS384")
    assert refused.code == 2
    assert "--alg: is RS384, but" in refused.err and "says ES384" in refused.err


def test_a_key_that_exists_is_left_as_it_is(site: Adapter) -> None:
    site.run("check", "--new-key")
    before = (site.folder / "var" / "ehr.pem").read_bytes()
    done = site.run("check", "--new-key", "--alg", "ES384")
    assert done.code == 2 and done.out == ""
    assert "exists already and was left as it is. Name another file, or use --jwks." in done.err
    assert (site.folder / "var" / "ehr.pem").read_bytes() == before


def test_a_practice_that_signs_in_without_a_key_has_none(site: Adapter) -> None:
    site.configure(ehr='kind = "files"\npath = "ehr"')
    done = site.run("check", "--new-key")
    assert done.code == 2
    assert 'signs in without a key. Set auth = "smart", client_id and private_key_file' in done.err


def test_several_practices_are_told_apart(site: Adapter) -> None:
    ehrs = {"north": "north.pem", "south": "south.pem"}
    site.config.write_text(
        "".join(practice(id, f'{SMART}private_key_file = "{file}"', name=id) for id, file in ehrs.items())
    )
    asked = site.run("check", "--new-key")
    assert asked.code == 2 and "--practice: is missing. These have a key: north, south." in asked.err
    strange = site.run("check", "--jwks", "--practice", "west")
    assert strange.code == 2 and 'there is no practice "west". The configuration has: north, south.' in strange.err
    assert site.run("check", "--new-key", "--practice", "south").code == 0
    assert not (site.folder / "north.pem").exists() and (site.folder / "south.pem").exists()


def test_the_key_needs_no_configuration_that_works(site: Adapter) -> None:
    site.configure(ehr=f'{site.ehr}\nstrategy = "each"', more='[practice.merchant]\nvendor = "url"')
    assert site.run("check", "--new-key").code == 0
    assert json.loads(site.process("check", "--jwks").stdout)["keys"]
