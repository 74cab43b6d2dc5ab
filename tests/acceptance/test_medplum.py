"""Medplum's own search and batch: no links to further pages, and nothing found by what it does not know."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from adapter.sandbox.charts import Resource, authority_extension
from tests.acceptance.adapter_cli import Adapter, comparable, opens
from tests.peers.running import medplum

ELSAS_FATHER = "lindgren-elsa-father"


@pytest.fixture
def base_url(tmp_path: Path, families: list[Resource]) -> Iterator[str]:
    with medplum(tmp_path / "medplum", families) as address:
        yield address


@pytest.fixture
def over_http(tmp_path: Path) -> Adapter:
    return Adapter(tmp_path / "http", policy="hold_first_welcome = false")


def test_every_way_of_reading_it_gives_the_accounts_of_the_files_and_edits_arrive(
    base_url: str, over_http: Adapter, story_adapter: Adapter, families: list[Resource]
) -> None:
    for strategy in ("auto", "revinclude", "list", "batch", "each"):
        over_http.reads_http(base_url, strategy=strategy)
        report = over_http.sync("--full")
        assert report["status"] in ("complete", "held"), report["problems"]
        assert comparable(over_http.accounts()) == comparable(story_adapter.accounts())
    over_http.reads_http(base_url)
    father = next(one for one in families if one["id"] == ELSAS_FATHER)
    none = father | {"extension": [authority_extension("none")]}
    requests.put(f"{base_url}/RelatedPerson/{ELSAS_FATHER}", json=none, timeout=20).raise_for_status()
    over_http.sync()
    assert opens(over_http.account("mats.lindgren@post.example")) == {"lindgren-elsa": "ended authority-none"}
    requests.delete(f"{base_url}/RelatedPerson/okafor-ben-mother", timeout=20).raise_for_status()
    over_http.sync("--full")
    assert opens(over_http.account("grace.okafor@mail.example"))["okafor-ben"] == "ended contact-gone"


def test_pages_without_a_link_to_the_next_are_not_taken_for_everything(base_url: str, over_http: Adapter) -> None:
    over_http.reads_http(base_url, page_size=5)
    done = over_http.run("sync", "--json")
    assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
    assert "without a link to more" in " ".join(done.document["problems"])
    assert over_http.accounts() == []
