"""Private keys: made for the owner's eyes, read with care, shown by their public half only."""

import json
import os
import stat
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from adapter.errors import ConfigError
from adapter.http.keys import Algorithm, make_key, read_key

ALGORITHMS: tuple[Algorithm, ...] = ("RS384", "ES384")
with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024).as_pem(private=True)
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_is_for_its_owner_and_reads_back(tmp_path: Path, algorithm: Algorithm) -> None:
    path = tmp_path / "new" / "key.pem"
    before = os.umask(0)
    try:
        made = make_key(path, algorithm=algorithm)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["key.pem"]
    again = read_key(path, algorithm=algorithm)
    assert again.jwks() == made.jwks()
    [public] = made.jwks()["keys"]
    assert public["alg"] == algorithm and public["kid"] and public["use"] == "sig"
    assert PRIVATE.isdisjoint(public)
    assert read_key(path, key_id="key-7").jwks()["keys"][0]["kid"] == "key-7"


def test_a_key_is_never_replaced_even_by_two_at_once(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"

    def make(_: int) -> str:
        try:
            make_key(path)
        except ConfigError as error:
            return str(error)
        return "made"

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(make, range(4)))
    assert said.count("made") == 1
    assert all("exists already and was left as it is" in text for text in said if text != "made")
    content = path.read_bytes()
    assert make(5) != "made" and path.read_bytes() == content


def test_a_jwk_is_a_key_as_well(tmp_path: Path) -> None:
    key: Any = ECKey.generate_key("P-384")
    assert read_key(_file(tmp_path, json.dumps(key.as_dict(private=True)).encode())).algorithm == "ES384"


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not a key that can be used"),
    "garbage": (b"canary-key", "is not a key that can be used"),
    "half a PEM": (
        b"-----BEGIN PRIVATE KEY-----\ncanary\n",
        "is not a key that can be used",
    ),
    "half a JWK": (b'{"kty": "EC", "crv": "P-384"', "is not a key that can be used"),
    "an empty JWK": (b"{}", "is not a key that can be used"),
    "a JWK of strange values": (b'{"kty": ["EC"], "crv": 7}', "is not a key that can be used"),
    "a nest": (b'{"a":' * 50_000, "is not a key that can be used"),
    "a shared secret": (b'{"kty": "oct", "k": "Y2FuYXJ5"}', "is not a key that can be used"),
    "a public key": (ECKey.generate_key("P-384").as_pem(private=False), "is a public key"),
    "a short key": (SHORT, "is an RSA key that is too short"),
    "another curve": (ECKey.generate_key("P-256").as_pem(private=True), "is a key of another curve"),
    "a password": (ECKey.generate_key("P-384").as_pem(private=True, password="x"), "is protected by a password"),
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_key_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    content, says = BAD[name]
    text = _refusal(_file(tmp_path, content))
    assert says in text and "adapter check --new-key" in text
    assert "canary" not in text


def test_a_file_that_is_not_there_or_not_a_file_is_one_clear_line(tmp_path: Path) -> None:
    assert "does not exist. Make a new one: adapter check --new-key." in _refusal(tmp_path / "none.pem")
    assert "cannot be read (Is a directory)" in _refusal(tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601])
def test_a_key_that_everybody_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    make_key(path)
    path.chmod(mode)
    assert "can be read by everybody on this machine. Run chmod 600" in _refusal(path)
    path.chmod(0o440)
    assert read_key(path)


def test_a_key_for_another_algorithm_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem", algorithm="ES384")
    with pytest.raises(ConfigError, match="is a key for ES384, not RS384"):
        read_key(tmp_path / "key.pem", algorithm="RS384")


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written \(.+\)\. Check the folder"):
        make_key(tmp_path / "file" / "key.pem")


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "given.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_key(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: private key: ") and "\n" not in text
    return text
