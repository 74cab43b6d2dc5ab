"""Vendor files: those that come with the adapter, one of one's own, and every way to get one wrong, told at once."""

from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.vendor_files import load_vendors, vendor_folders
from tests.core.vendors import VENDORS

GOOD = 'name = "Acme"\n[title]\nen = "Pay with Acme"\nes = "Pague con Acme"\n'


def test_the_vendors_that_come_with_the_adapter(tmp_path: Path) -> None:
    assert load_vendors(vendor_folders(tmp_path)) == VENDORS


def test_a_vendor_beside_the_configuration_comes_first(tmp_path: Path) -> None:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors/instamed.toml").write_text(GOOD.replace("Acme", "Own"))
    (tmp_path / "vendors/acme.toml").write_text(f'hosts = ["acme.example"]\nlink = "optional"\n{GOOD}')
    found = load_vendors(vendor_folders(tmp_path))
    assert (found["instamed"].title, found["instamed"].link_required) == ("Pay with Own", True)
    assert (found["acme"].hosts, found["acme"].link_required) == (("acme.example",), False)


def test_the_faults_of_every_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "A"\nlink = "maybe"\nhost = ["a.example"]\nhosts = ["A.example"]\n')
    (tmp_path / "b.toml").write_text("name = \n")
    (tmp_path / "c.toml").write_bytes(b"\xff")
    (tmp_path / "D.toml").write_text(GOOD)
    (tmp_path / "e.toml").write_text('name = "E"\n[title]\nen = "<b>Pay</b>"\nes = "javascript:alert(1)"\n')
    with pytest.raises(ConfigError) as caught:
        load_vendors([tmp_path])
    told = {(Path(fault.file).name, fault.key) for fault in caught.value.faults}
    assert told == {
        ("a.toml", "link"),
        ("a.toml", "host"),
        ("a.toml", "hosts"),
        ("a.toml", "title"),
        ("b.toml", "syntax"),
        ("c.toml", "file"),
        ("D.toml", "file"),
        ("e.toml", "title.en"),
        ("e.toml", "title.es"),
    }


@pytest.mark.parametrize(
    "host", ["", "localhost", "127.0.0.1", "*.acme.example", "acme.example/x", "a@b.example", "x:443"]
)
def test_what_is_no_host_of_the_internet_is_not_listed(tmp_path: Path, host: str) -> None:
    (tmp_path / "acme.toml").write_text(f'hosts = ["{host}"]\n{GOOD}')
    with pytest.raises(ConfigError, match="hosts"):
        load_vendors([tmp_path])
