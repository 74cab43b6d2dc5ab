"""Faults in config.toml, in a mapping, in a schedule: all listed at once with file, key and remedy, exit code 2."""

import pytest

from tests.acceptance.adapter_cli import Adapter, Done, practice
from tests.acceptance.bad_records import chart, mother

FILES = 'kind = "files"\npath = "ehr"'


def _faults(done: Done) -> list[str]:
    """The lines of a refusal: nothing on stdout, no traceback, every line says where and what."""
    assert done.code == 2, (done.out, done.err)
    assert done.out == "" and "Traceback" not in done.err
    lines = done.err.splitlines()
    assert lines and all(line.count(": ") >= 2 and line.endswith((".", '"')) for line in lines), lines
    return lines


def test_every_fault_of_the_configuration_is_listed_at_once(adapter: Adapter) -> None:
    adapter.config.write_text(
        '[store]\nurl = "sqlite:///var/adapter.db"\nfile = "x"\n'
        '[mail]\nkind = "smtp"\nhost = "mail.example"\nsecurity = "none"\n'
        '[[practice]]\nid = "Main Street"\ntime_zone = "Mars/Olympus"\n'
        '[practice.ehr]\nkind = "fhir"\nbase_url = "http://ehr.example.org/fhir"\n'
        '[practice.policy]\nwelcome_link_hours = 0\nallowed_roles = ["aunt"]\nbands = [{ from = 3, access = "full" }]\n'
        '[practice.merchant]\nvendor = "PayPal"\n'
    )
    lines = _faults(adapter.run("sync"))
    assert all(str(adapter.config) in line for line in lines)
    expected = (
        "store.file", "mail", "practice.0.id", "practice.0.name", "practice.0.time_zone", "practice.0.ehr",
        "practice.0.policy.welcome_link_hours", "practice.0.policy.allowed_roles", "practice.0.merchant.vendor",
    )  # fmt: skip
    for key in expected:
        assert any(f": {key}" in line for line in lines), (key, lines)
    assert "PayPal" not in "".join(lines) and "Main Street" not in "".join(lines)


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("", "practice", "is missing"),
        ("[[practice]\n", "syntax", "Correct the TOML"),
        (practice("a", FILES) + practice("a", FILES), "file", "the same id"),
        (practice("a", 'kind = "csv"'), "practice.0.ehr", "'files'"),
        (practice("a", FILES, keys='mappings = "x"'), "practice.0.mappings", "not a known key"),
        (
            practice("a", 'kind = "fhir"\nbase_url = "https://e.example"\nauth = "bearer"'),
            "practice.0.ehr",
            "token_env",
        ),
        ('[store]\nurl = "mysql://x"\n' + practice("a", FILES), "store.url", "sqlite:///"),
        ('[store]\nurl = "sqlite:///:memory:"\n' + practice("a", FILES), "store.url", "forget everything"),
    ],
    ids=["empty", "syntax", "same id", "kind", "unknown key", "no token", "mysql", "memory"],
)
def test_each_fault_says_what_to_do(adapter: Adapter, text: str, key: str, says: str) -> None:
    adapter.config.write_text(text)
    lines = _faults(adapter.run("sync", "--json"))
    assert len(lines) == 1
    assert f": {key}" in lines[0] and says in lines[0]


def test_a_configuration_that_is_not_text_is_one_line(adapter: Adapter) -> None:
    adapter.config.write_bytes(b"\xff\xfe\x00[practice]")
    (line,) = _faults(adapter.run("accounts"))
    assert "cannot be read as UTF-8" in line


def test_a_token_that_is_not_set_is_named_by_its_variable(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EHR_TOKEN", raising=False)
    adapter.configure(ehr='kind = "fhir"\nbase_url = "https://e.example"\nauth = "bearer"\ntoken_env = "EHR_TOKEN"')
    (line,) = _faults(adapter.run("sync"))
    assert "EHR_TOKEN" in line and "Set it" in line


def test_faults_of_mapping_schedule_and_merchant_come_together(adapter: Adapter) -> None:
    (adapter.folder / "mappings").mkdir()
    (adapter.folder / "mappings" / "ours.toml").write_text(
        'title = "Ours"\ncolour = "red"\n'
        '[roles]\nsource = "RelatedPerson.relationshipp"\ntables = ["kinship"]\n'
        '[authority]\nsource = "RelatedPerson.extension("\n[authority.codes]\nj = "jointly"\n'
    )
    (adapter.folder / "schedules").mkdir()
    (adapter.folder / "schedules" / "ours.toml").write_text(
        'time_zone = "Nowhere"\n[[job]]\nname = "sink"\nevery = "5 parsecs"\n[[job]]\nname = "sync"\nat = "25:00"\n'
    )
    merchant = '[practice.merchant]\nvendor = "url"\nlink = "http://pay.example"\n'
    adapter.config.write_text(practice("main-street", FILES, keys='mapping = "ours"\nschedule = "ours"', more=merchant))
    text = "\n".join(_faults(adapter.run("sync")))
    for place, key in (
        ("mappings/ours.toml", "colour"),
        ("mappings/ours.toml", "roles.source"),
        ("mappings/ours.toml", "authority.source"),
        ("mappings/ours.toml", "authority.codes"),
        ("schedules/ours.toml", "time_zone"),
        ("schedules/ours.toml", "job.0.name"),
        ("schedules/ours.toml", "job.0.every"),
        ("schedules/ours.toml", "job.1.at"),
        ("config.toml", "merchant.link"),
    ):
        assert any(place in line and key in line for line in text.splitlines()), (place, key, text)
    checked = adapter.run("check", "--json")
    assert checked.code == 2 and len(checked.document["checks"]) == len(text.splitlines())


def test_a_mapping_or_schedule_that_does_not_exist_lists_those_that_do(adapter: Adapter) -> None:
    adapter.config.write_text(practice("main-street", FILES, keys='mapping = "nope"\nschedule = "nope"'))
    text = "\n".join(_faults(adapter.run("sync")))
    assert "family-contacts" in text and "us-core" in text and "default" in text


def test_a_mapping_that_is_changed_decides_everybody_again(adapter: Adapter) -> None:
    adapter.export([chart(), mother(extension=[{"url": "urn:ours", "valueString": "full rights"}])])
    adapter.sync()
    assert adapter.accounts() == []
    (adapter.folder / "mappings").mkdir()
    (adapter.folder / "mappings" / "family-contacts.toml").write_text(
        'title = "Ours"\n[roles]\nsource = "RelatedPerson.relationship"\ntables = ["kinship"]\n'
        "[authority]\nsource = \"RelatedPerson.extension('urn:ours').value\"\n"
        '[authority.codes]\n"full rights" = "joint"\n'
    )
    assert adapter.sync()["changes"] == {"open-account": 1, "grant": 1, "queue-welcome": 1}
