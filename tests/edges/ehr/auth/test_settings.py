"""The keys of [practice.ehr] about signing in: what is missing is named, and no secret stands in a message."""

from pathlib import Path

import pytest

from adapter.bootstrap import build
from adapter.errors import ConfigError
from adapter.settings import FhirEhr, load_settings

PRACTICE = """
[[practice]]
id = "{id}"
name = "Main Street"
[practice.ehr]
kind = "fhir"
base_url = "{base}"
{lines}
"""
BASE = "https://ehr.example/fhir"


def write(folder: Path, *practices: str, base: str = BASE) -> Path:
    """config.toml with one practice for each of these lines."""
    path = folder / "config.toml"
    tables = [PRACTICE.format(id=f"p{at}", base=base, lines=lines) for at, lines in enumerate(practices, 1)]
    path.write_text("".join(tables))
    return path


def faults(path: Path) -> list[str]:
    """What is wrong with a configuration, when it is loaded or put together."""
    with pytest.raises(ConfigError) as caught:
        assert build(load_settings(path), path.parent).practices
    return [str(fault).replace(f"{path.parent}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('auth = "bearer"', 'auth = "bearer" needs token_env or token_file'),
        ('auth = "basic"', 'auth = "basic" needs username, and password_env or password_file'),
        ('auth = "client_secret"\nclient_id = "x"', '"client_secret" needs client_secret_env or client_secret_file'),
        ('auth = "smart"', 'auth = "smart" needs client_id, and private_key_file'),
        ('auth = "magic"', "'none', 'bearer', 'basic', 'client_secret' or 'smart'"),
        ('token = "canary"', "token: is not a known key"),
        ('auth = "basic"\nusername = "a:b"\npassword_env = "X"', "username: string should match pattern"),
        ('token_url = "http://ehr.example/token"', "token_url: must be an https:// address"),
        ('token_url = "https://canary:canary@ehr.example/token"', "token_url: must be a plain address"),
        ('scopes = ["system/Patient.rs system/RelatedPerson.rs"]', "scopes.0: string should match pattern"),
        ('algorithm = "HS256"', "algorithm: input should be 'RS384' or 'ES384'"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path: Path, lines: str, says: str) -> None:
    [fault] = faults(write(tmp_path, lines))
    assert says in fault and fault.startswith("config.toml: practice.0.ehr")
    assert "canary" not in fault


def test_a_client_id_may_be_as_long_as_a_token(tmp_path: Path) -> None:
    """The SMART reference server hands out client ids that hold the whole registration, of a thousand characters."""
    settings = load_settings(
        write(tmp_path, f'auth = "client_secret"\nclient_id = "{"x" * 3000}"\nclient_secret_env = "X"')
    )
    assert len(settings.practice[0].ehr.client_id or "") == 3000  # type: ignore[union-attr]


def test_a_base_url_with_a_user_name_is_refused(tmp_path: Path) -> None:
    [fault] = faults(write(tmp_path, "", base="https://canary:canary@ehr.example/fhir"))
    assert "base_url: must be a plain address, without a user name" in fault
    assert "canary" not in fault


def test_the_faults_of_every_practice_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    (tmp_path / "empty").write_text("  \n")
    (tmp_path / "two").write_text("canary token\n")
    found = faults(
        write(
            tmp_path,
            'auth = "bearer"\ntoken_env = "NOT_SET_ANYWHERE"',
            'auth = "basic"\nusername = "x"\npassword_file = "none"',
            'auth = "client_secret"\nclient_id = "x"\nclient_secret_file = "empty"',
            'auth = "smart"\nclient_id = "x"\nprivate_key_file = "none.pem"',
            'auth = "bearer"\ntoken_file = "two"',
        )
    )
    assert found == [
        "environment: NOT_SET_ANYWHERE: is not set. Set it, then try again.",
        "none: secret: cannot be read. Check the path and its permissions.",
        "empty: secret: is empty. Write the secret into it.",
        "none.pem: private key: does not exist. Make a new one: adapter check --new-key.",
        "two: token: is not a token. Copy it again: one line of letters, digits and signs, without blanks.",
    ]


def test_files_count_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    keys = ("token_file", "password_file", "client_secret_file", "private_key_file")
    path = write(tmp_path, "\n".join(f'{key} = "secrets/{key}"' for key in keys))
    ehr = load_settings(path).practice[0].ehr
    assert isinstance(ehr, FhirEhr)
    assert [getattr(ehr, key) for key in keys] == [tmp_path / "secrets" / key for key in keys]


def test_a_secret_never_shows_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("canary-token\n")
    ehr = load_settings(write(tmp_path, 'auth = "bearer"\ntoken_file = "token"')).practice[0].ehr
    assert isinstance(ehr, FhirEhr) and ehr.token
    assert ehr.token.get_secret_value() == "canary-token"
    assert "canary" not in repr(ehr) + repr(ehr.token) + str(ehr.model_dump())
