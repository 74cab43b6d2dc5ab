"""An EHR that pushes, end to end: a server nobody here wrote (sekmet-fhir), the running service, no scheduled sync."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.sandbox.charts import Resource, authority_extension
from adapter.store import nudges
from adapter.store.engine import read
from tests.acceptance.adapter_cli import Adapter, opens, practice
from tests.acceptance.push_site import HERE, free_port, push_tables, quiet_service
from tests.acceptance.sekmet import FHIR, Sekmet, running_sekmet
from tests.acceptance.test_service import Service, _secrets

MATS, FATHER = "mats.lindgren@post.example", "lindgren-elsa-father"
TOPIC = "http://sekmet.dev/fhir/SubscriptionTopic/patient-change"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"


@dataclass
class Site:
    """An installation that knows the families of a running EHR, and that EHR."""

    adapter: Adapter
    sekmet: Sekmet
    families: dict[str, Resource]
    endpoint: str
    secret_file: Path

    def edit(self, id: str, **changes: Any) -> None:
        self.families[id] = self.families[id] | changes
        assert self.sekmet.put(self.families[id])

    def subscriptions(self) -> list[dict[str, Any]]:
        found = self.sekmet.session.get(f"{self.sekmet.base_url}/Subscription?_count=100", timeout=20).json()
        return [entry["resource"] for entry in found.get("entry", [])]

    def lines(self, *options: str) -> dict[str, dict[str, Any]]:
        """What ``adapter check`` says about push, line by line."""
        found = self.adapter.run("check", *options, "--json").document["checks"]
        return {one["what"].removeprefix(f"{HERE}: "): one for one in found if ": push" in one["what"]}


@contextmanager
def site(tmp_path: Path, families: list[Resource], *, payload: str = "full", method: str = "") -> Iterator[Site]:
    more = f"subscriptions: {{notify_method: {method}}}\n" if method else ""
    with running_sekmet(tmp_path / "sekmet", more=more) as sekmet:
        assert all(sekmet.put(resource) for resource in families)
        adapter, port = Adapter(tmp_path / "site"), free_port()
        table = practice(
            HERE,
            f'kind = "fhir"\nbase_url = "{sekmet.base_url}"',
            policy="hold_first_welcome = false",
            keys='schedule = "quiet"',
            more=push_tables(f"http://127.0.0.1:{port}", payload=payload),
        )
        adapter.config.write_text(f"[web]\nport = {port}\n{table}")
        (adapter.folder / "schedules").mkdir()
        (adapter.folder / "schedules/quiet.toml").write_text('[[job]]\nname = "review"\nat = "00:10"\n')
        adapter.sync()
        by_id = {resource["id"]: resource for resource in families}
        endpoint = f"http://127.0.0.1:{port}/notify/{HERE}"
        yield Site(adapter, sekmet, by_id, endpoint, adapter.folder / "var/push")


def _seconds(service: Service, true: Callable[[], bool]) -> float:
    began = time.monotonic()
    service.wait(true)
    return time.monotonic() - began


def _withdraw_and_give_back(site: Site, service: Service) -> list[float]:
    """The father loses and regains his chart; how long each took until the portal had it, in seconds."""
    took = []
    for value, state in (("none", "ended authority-none"), ("joint", "active")):
        site.edit(FATHER, extension=[authority_extension(value)])

        def seen(state: str = state) -> bool:
            return opens(site.adapter.account(MATS)) == {"lindgren-elsa": state} and not _undelivered(site)

        took.append(_seconds(service, seen))
    return took


def _undelivered(site: Site) -> bool:
    return any(one["kind"] == "account" and one["state"] != "sent" for one in site.adapter.json("outbox"))


@pytest.mark.parametrize(("payload", "method"), [("full", "put-resource"), ("full", "post-endpoint"), ("empty", "")])
def test_an_edit_reaches_the_portal_within_seconds_without_a_scheduled_sync(
    tmp_path: Path, families: list[Resource], payload: str, method: str
) -> None:
    with site(tmp_path, families, payload=payload, method=method) as here, quiet_service(here.adapter) as service:
        made = here.lines("--subscribe")
        assert [made[f"push Subscription of {kind}"]["ok"] for kind in ("Patient", "RelatedPerson")] == [True, True]
        took = _withdraw_and_give_back(here, service)
        print(f"from the edit to the portal, payload {payload} {method}: {', '.join(f'{t:.2f} s' for t in took)}")
        assert max(took) < 15
        runs = here.adapter.json("runs")
        assert {run["kind"] for run in runs[:-1]} == ({"person"} if payload == "full" else {"incremental"})
        assert {run["status"] for run in runs} <= {"complete", "held"}
        heard = here.lines()["push heard"]
        assert heard["ok"] and "the last notification came 0 minutes ago" in heard["detail"]
        service.stop()
    log = "".join(service.lines)
    assert "run-finished" in log and service.count("push-refused") == 0
    for value in {*_secrets(families), here.secret_file.read_text().strip(), FATHER, "lindgren-elsa"}:
        assert value not in log, "a name, address, birth date, id or secret is in the log"


def test_a_new_child_and_its_mother_are_let_in_as_soon_as_they_are_there(
    tmp_path: Path, families: list[Resource]
) -> None:
    with site(tmp_path, families) as here, quiet_service(here.adapter) as service:
        assert here.adapter.run("check", "--subscribe").code == 0
        child = here.families["okafor-ada"] | {"id": "okafor-new"}
        mother = here.families["okafor-ada-mother"] | {
            "id": "okafor-new-mother",
            "patient": {"reference": "Patient/okafor-new"},
        }
        assert here.sekmet.put(child) and here.sekmet.put(mother)
        grace = "grace.okafor@mail.example"
        service.wait(lambda: opens(here.adapter.account(grace)).get("okafor-new") == "active")


def test_subscribing_twice_changes_nothing_and_unsubscribing_leaves_only_what_is_not_ours(
    tmp_path: Path, families: list[Resource]
) -> None:
    with site(tmp_path, families) as here:
        assert here.lines()["push Subscription of Patient"]["detail"] == "there is none"
        foreign = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "somebody else's",
            "criteria": "Patient?",
            "channel": {"type": "rest-hook", "endpoint": f"{here.endpoint}-2"},
        }
        address = f"{here.sekmet.base_url}/Subscription"
        requests.post(address, json=foreign, headers=FHIR, timeout=20).raise_for_status()
        assert here.lines("--subscribe")["push Subscription of Patient"]["ok"]
        first = here.subscriptions()
        assert len(first) == 3 and {one["criteria"] for one in first} == {"Patient?", "RelatedPerson?"}
        (line,) = {header for one in first for header in one["channel"].get("header", [])}
        assert line == f"Authorization: Bearer {here.secret_file.read_text().strip()}"
        assert here.lines("--subscribe")["push Subscription of Patient"]["ok"]
        assert {one["id"] for one in here.subscriptions()} == {one["id"] for one in first}

        here.secret_file.unlink()  # a new secret is made, and the Subscriptions with the old one are of no use
        assert "another secret" in here.lines()["push Subscription of Patient"]["detail"]
        assert here.lines("--subscribe")["push Subscription of Patient"]["ok"]
        assert len(here.subscriptions()) == 3
        assert here.lines("--unsubscribe")["push Subscriptions"]["detail"] == "2 removed"
        assert [one["reason"] for one in here.subscriptions()] == ["somebody else's"]
        assert here.lines("--unsubscribe")["push Subscriptions"]["detail"] == "there were none"


def test_a_subscription_that_the_ehr_gave_up_is_told_and_renewed(tmp_path: Path, families: list[Resource]) -> None:
    with site(tmp_path, families) as here:
        here.lines("--subscribe")
        here.edit(FATHER, extension=[authority_extension("none")])  # nobody listens: the EHR gives up

        def state() -> str:
            found: str = here.lines()["push Subscription of RelatedPerson"]["detail"]
            return found

        limit = time.monotonic() + 40
        while not state().startswith("error"):
            assert time.monotonic() < limit
            time.sleep(0.5)
        assert here.adapter.run("check").code == 1
        assert here.lines("--subscribe")["push Subscription of RelatedPerson"]["ok"]


def test_topic_based_notifications_shake_hands_beat_and_name_their_chart(
    tmp_path: Path, families: list[Resource]
) -> None:
    with site(tmp_path, families) as here, quiet_service(here.adapter) as service:
        service.wait(here.secret_file.exists)
        wanted = {
            "resourceType": "Subscription",
            "meta": {"profile": [f"{BACKPORT}/backport-subscription"]},
            "status": "requested",
            "reason": "charts",
            "criteria": TOPIC,
            "channel": {
                "extension": [{"url": f"{BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": 1}],
                "type": "rest-hook",
                "endpoint": here.endpoint,
                "header": [f"Authorization: Bearer {here.secret_file.read_text().strip()}"],
                "payload": "application/fhir+json",
                "_payload": {"extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}]},
            },
        }
        made = requests.post(f"{here.sekmet.base_url}/Subscription", json=wanted, headers=FHIR, timeout=20)
        made.raise_for_status()
        engine = here.adapter.app().engine

        def heard() -> dict[str, str]:
            with read(engine) as connection:
                return {one.subscription: one.status for one in nudges.heard(connection, HERE)}

        service.wait(lambda: heard() == {f"Subscription/{made.json()['id']}": "active"})  # by a heartbeat
        here.edit("lindgren-elsa", deceasedBoolean=True)
        service.wait(lambda: opens(here.adapter.account(MATS)) == {"lindgren-elsa": "suspended patient-deceased"})
        assert [run["kind"] for run in here.adapter.json("runs")] == ["person", "full"], "nothing was missed"
        engine.dispose()


def test_an_ehr_that_offers_no_subscriptions_is_told_with_the_way_out(tmp_path: Path, families: list[Resource]) -> None:
    from adapter.sandbox.ehr import SandboxEhr

    with SandboxEhr(families) as ehr:
        adapter = Adapter(tmp_path / "site")
        adapter.configure(ehr=f'kind = "fhir"\nbase_url = "{ehr.base_url}"', more=push_tables("https://a.example"))
        looked = adapter.run("check")
        assert looked.code == 0 and re.search(r"the EHR does not\s+declare Subscriptions", looked.out)
        asked = adapter.run("check", "--subscribe")
        assert asked.code == 1 and re.search(r"docs/push\.md", asked.out)
        assert [request for request in ehr.requests if not request.startswith("GET")] == []
