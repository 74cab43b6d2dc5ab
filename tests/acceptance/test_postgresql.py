"""The same commands on PostgreSQL: the story from the first sync to a parent's second Welcome email."""

from pathlib import Path

import pytest

from adapter.sandbox.charts import Resource, authority_extension
from tests.acceptance.adapter_cli import GRACE, Adapter, Json, comparable, in_process, opens, practice
from tests.acceptance.story_decided import ACCOUNTS, FINDINGS, WELCOMED

FILES = 'kind = "files"\npath = "ehr"'


@pytest.fixture
def on_postgresql(blank_postgres_url: str, tmp_path: Path) -> Adapter:
    adapter = Adapter(tmp_path / "postgresql")
    merchant = '[practice.merchant]\nvendor = "instamed"\n'
    adapter.config.write_text(f'[store]\nurl = "{blank_postgres_url}"\n{practice("main-street", FILES, more=merchant)}')
    return adapter


def test_every_command_works_on_postgresql_as_on_sqlite(
    on_postgresql: Adapter, story_adapter: Adapter, families: list[Resource]
) -> None:
    site = on_postgresql
    assert in_process(["migrate", "--config", str(site.config)]).code == 0
    site.export(families)
    planned = site.json("plan")
    assert site.accounts() == [] and site.json("runs") == []
    held = site.run("sync", "--json")
    assert held.code == 3 and held.document["held"]["welcome"] == len(WELCOMED)
    assert held.document["changes"] == planned["changes"]
    assert len(site.json("findings")) == len(FINDINGS)
    assert site.run("release", str(held.document["run"])).code == 0
    assert site.json("deliver")["delivered"] == {
        "account": {"sent": len(WELCOMED)},
        "welcome": {"sent": len(WELCOMED)},
    }
    assert {account["email"]: opens(account) for account in site.accounts()} == ACCOUNTS
    story_adapter.json("deliver")
    assert _without_times(comparable(site.accounts())) == _without_times(comparable(story_adapter.accounts()))
    assert site.json("widgets", "publish")[0]["state"] == "pending"
    assert site.run("register", GRACE, "--yes").code == 0
    assert site.json("deliver")["delivered"] == {"welcome": {"sent": 1}}
    assert site.account(GRACE)["welcome"]["sent_count"] == 2
    assert all(line["ok"] for line in site.json("check")["checks"])
    assert {effect["state"] for effect in site.json("outbox")} == {"sent"}
    assert site.json("explain", "Patient/okafor-ada")["reason"] == "eligible"

    father = next(one for one in families if one["id"] == "lindgren-elsa-father")
    father["extension"] = [authority_extension("none")]
    site.export(families)
    person = site.sync("--person", "RelatedPerson/lindgren-elsa-father")
    assert person["changes"] == {"close-account": 1, "end-grant": 1}
    assert site.sync("--full")["changes"] == {}


def _without_times(accounts: Json) -> Json:
    return [account | {"welcome": account["welcome"] | {"last_sent_at": None}} for account in accounts]
