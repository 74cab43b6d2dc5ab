"""From one sync to the next: contacts that go, addresses that move, birthdays, another policy, one family alone."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from adapter.jobs.work import run_job
from adapter.sandbox.charts import Resource, authority_extension, born
from adapter.sandbox.ehr import SandboxEhr
from adapter.schedule_files import JobName
from tests.acceptance.adapter_cli import GRACE, Adapter, opens
from tests.acceptance.bad_records import Json, chart, mother

ODA = "oda@kid.example"
FATHER = {"relationship": [{"text": "Father"}], "name": [{"family": "Ferncastle", "given": ["Per"]}]}


def email(address: str) -> list[Json]:
    return [{"system": "email", "value": address}]


def test_two_syncs_in_a_row_change_nothing(story_adapter: Adapter) -> None:
    before = story_adapter.accounts()
    for arguments in ([], ["--full"], []):
        report = story_adapter.sync(*arguments)
        assert (report["changes"], report["read"]["changed"], report["status"]) == ({}, 0, "complete")
    assert story_adapter.accounts() == before


def test_brother_and_sister_give_one_account_and_one_welcome(adapter: Adapter) -> None:
    adapter.export([chart("ann"), chart("bob"), *(mother(of, telecom=email(ODA)) for of in ("ann", "bob"))])
    assert adapter.sync()["changes"] == {"open-account": 1, "grant": 2, "queue-welcome": 1}
    adapter.json("deliver")
    cid = [chart("cid"), mother("cid", telecom=email(ODA.upper()))]
    adapter.export(cid, "more.ndjson")
    assert adapter.sync()["changes"] == {"grant": 1}
    adapter.json("deliver")
    assert opens(adapter.account(ODA)) == {"ann": "active", "bob": "active", "cid": "active"}
    assert len(adapter.mails()) == 1


def test_a_contact_removed_from_the_files_ends_only_after_a_complete_read(adapter: Adapter) -> None:
    adapter.export([chart(), chart("sib")], "charts.ndjson")
    adapter.export([mother(), mother("sib", telecom=email(ODA))], "contacts.ndjson")
    adapter.sync()
    adapter.export([mother("sib", telecom=email(ODA))], "contacts.ndjson")
    broken = adapter.folder / "ehr" / "broken.json"
    broken.write_text('[{"resourceType": "RelatedPer')
    assert adapter.run("sync", "--json").document["status"] == "incomplete"
    assert opens(adapter.account(ODA)) == {"kid": "active", "sib": "active"}
    broken.unlink()
    assert adapter.sync()["changes"] == {"end-grant": 1}
    assert opens(adapter.account(ODA)) == {"kid": "ended contact-gone", "sib": "active"}
    adapter.json("deliver")
    assert [len(account.dependents) for account in adapter.app().portals["main-street"].accounts()] == [1]


@pytest.mark.parametrize("leaves", ["another address", "gone"])
def test_when_somebody_leaves_a_shared_mailbox_the_other_gets_in(adapter: Adapter, leaves: str) -> None:
    his: Json = {**FATHER, "extension": [authority_extension("none")]}
    adapter.export([chart("ann"), chart("bob"), mother("ann", telecom=email(ODA))], "charts.ndjson")
    adapter.export([mother("bob", telecom=email(ODA), **his)], "his.ndjson")
    adapter.sync()
    assert opens(adapter.account(ODA))["ann"] == "held shared-email"
    adapter.export([] if leaves == "gone" else [mother("bob", telecom=email("per@kid.example"), **his)], "his.ndjson")
    assert adapter.sync()["changes"]["grant"] == 1
    assert opens(adapter.account(ODA))["ann"] == "active"


def test_a_contact_that_went_and_came_back_may_open_the_chart_again(adapter: Adapter) -> None:
    family = [chart(), mother()]
    adapter.export(family)
    adapter.sync()
    adapter.json("deliver")
    adapter.export(family[:1])
    assert adapter.sync()["changes"] == {"close-account": 1, "end-grant": 1}
    assert adapter.account(ODA)["status"] == "closed"
    adapter.export(family)
    assert adapter.sync()["changes"] == {"grant": 1, "queue-welcome": 1, "reopen-account": 1}
    assert opens(adapter.account(ODA)) == {"kid": "active"}


def test_a_new_address_on_every_contact_moves_the_account_and_kills_the_old_link(adapter: Adapter) -> None:
    adapter.export([chart("ann"), chart("bob"), *(mother(of, telecom=email(ODA)) for of in ("ann", "bob"))])
    adapter.sync()
    adapter.json("deliver")
    (first,) = adapter.mails()
    adapter.export(
        [chart("ann"), chart("bob"), *(mother(of, telecom=email("new@kid.example")) for of in ("ann", "bob"))]
    )
    assert adapter.sync()["changes"] == {"move-account": 1, "queue-welcome": 1}
    adapter.json("deliver")
    (account,) = adapter.accounts()
    assert (account["email"], account["status"]) == ("new@kid.example", "invited")
    assert opens(account) == {"ann": "active", "bob": "active"}
    (second,) = [mail for mail in adapter.mails() if mail != first]
    assert "new@kid.example" in second and _token(first) != _token(second)
    assert _live_links(adapter) == 1


def test_a_new_address_on_one_of_two_charts_makes_a_second_account(adapter: Adapter) -> None:
    adapter.export([chart("ann"), chart("bob"), *(mother(of, telecom=email(ODA)) for of in ("ann", "bob"))])
    adapter.sync()
    adapter.export([mother("bob", telecom=email("new@kid.example"))], "all2.ndjson")
    adapter.export([chart("ann"), chart("bob"), mother("ann", telecom=email(ODA))])
    assert adapter.sync()["changes"] == {"end-grant": 1, "grant": 1, "open-account": 1, "queue-welcome": 1}
    assert opens(adapter.account(ODA)) == {"ann": "active", "bob": "ended email-changed"}
    assert opens(adapter.account("new@kid.example")) == {"bob": "active"}


def test_a_child_that_comes_of_age_leaves_the_account_by_the_daily_review(adapter: Adapter) -> None:
    today = datetime.now(UTC)
    adapter.export(
        [
            chart("grown", birthDate=born(today.date(), 17, days=364).isoformat()),
            chart("small"),
            *(mother(of, telecom=email(ODA)) for of in ("grown", "small")),
        ]
    )
    adapter.sync()
    assert opens(adapter.account(ODA)) == {"grown": "active", "small": "active"}
    later = today + timedelta(days=3)
    run_job(adapter.app(later), "main-street", JobName.REVIEW)
    assert opens(adapter.account(ODA)) == {"grown": "ended dependent-is-adult", "small": "active"}
    last = adapter.json("runs")[0]
    assert (last["kind"], last["changes"]) == ("review", {"end-grant": 1})
    assert adapter.sync(at=later)["changes"] == {}


def test_a_contacts_period_begins_and_ends_on_its_day(adapter: Adapter) -> None:
    now = datetime.now(UTC)
    begins, ends = (now + timedelta(days=10)).date(), (now + timedelta(days=20)).date()
    adapter.export([chart(), mother(period={"start": begins.isoformat(), "end": ends.isoformat()})])
    assert adapter.sync()["changes"] == {}
    for days, changes in ((9, {}), (10, {"open-account": 1, "grant": 1, "queue-welcome": 1}), (20, {})):
        run_job(adapter.app(now + timedelta(days=days)), "main-street", JobName.REVIEW)
        assert adapter.json("runs")[0]["changes"] == changes
    run_job(adapter.app(now + timedelta(days=21)), "main-street", JobName.REVIEW)
    assert opens(adapter.account(ODA)) == {"kid": "ended contact-ended"}


def test_another_policy_decides_everybody_again(adapter: Adapter) -> None:
    adapter.export(
        [chart("teen", birthDate=born(datetime.now(UTC).date(), 14).isoformat()), chart(), mother(), mother("teen")]
    )
    adapter.sync()
    limited = (
        'bands = [{ from = 0, access = "full" }, { from = 13, access = "limited" }, { from = 18, access = "none" }]'
    )
    adapter.configure(policy=f"{adapter.policy}\n{limited}")
    assert adapter.sync()["changes"] == {"change-grant": 2}  # the teen's is narrower now, the kid's will be sooner
    (dependent,) = adapter.account("oda@teen.example")["dependents"]
    assert (dependent["access"], dependent["state"]) == ("limited", "active")
    adapter.configure(policy='hold_first_welcome = false\nallowed_roles = ["father"]')
    assert adapter.sync()["changes"]["hold-grant"] == 2
    assert opens(adapter.account(ODA)) == {"kid": "held role-not-allowed"}
    adapter.configure(policy="hold_first_welcome = false")
    assert adapter.sync()["changes"]["grant"] == 2


def test_authority_assumed_by_policy_opens_what_the_chart_does_not_say(adapter: Adapter) -> None:
    adapter.export([chart(), mother(extension=None)])
    adapter.sync()
    assert adapter.accounts() == []
    adapter.configure(policy='hold_first_welcome = false\nauthority_when_unknown = { mother = "joint" }')
    assert adapter.sync()["changes"] == {"open-account": 1, "grant": 1, "queue-welcome": 1}


@pytest.mark.parametrize("person", ["Patient/lindgren-elsa", "RelatedPerson/lindgren-elsa-father"])
@pytest.mark.parametrize("through", ["files", "fhir"])
def test_one_person_alone_is_synced_without_touching_anybody_else(
    adapter: Adapter, families: list[Resource], person: str, through: str
) -> None:
    with SandboxEhr(families) as ehr:
        if through == "fhir":
            adapter.reads_http(ehr.base_url)
        adapter.export(families)
        adapter.sync()
        before = {account["email"]: account for account in adapter.accounts()}
        for ref in ("RelatedPerson/okafor-ada-mother", "RelatedPerson/lindgren-elsa-father"):
            ehr.change_authority(ref, "none")
        if through == "files":
            adapter.export(_current(ehr, families))
        report = adapter.sync("--person", person)
        assert report["kind"] == "person"
        assert report["changes"] == {"cancel-welcome": 1, "close-account": 1, "end-grant": 1}
        assert report["read"]["patients"] == 1
        after = {account["email"]: account for account in adapter.accounts()}
        assert {key for key in after if after[key] != before[key]} == {"mats.lindgren@post.example"}
        assert adapter.sync()["changes"]["end-grant"] == 1
    assert opens(adapter.account(GRACE)) == {"okafor-ada": "ended authority-none", "okafor-ben": "active"}


def test_a_person_the_ehr_does_not_have_changes_nothing(story_adapter: Adapter) -> None:
    before = story_adapter.accounts()
    done = story_adapter.run("sync", "--person", "Patient/nobody", "--json")
    assert (done.code, done.document["changes"]) == (1, {})
    assert "Check the reference" in done.document["problems"][0]
    assert story_adapter.accounts() == before


def test_only_what_changed_is_read_from_a_server_that_can_tell(adapter: Adapter, families: list[Resource]) -> None:
    written = datetime.now(UTC) - timedelta(hours=3)
    moments = [written]
    with SandboxEhr(families, clock=lambda: moments[-1]) as ehr:
        adapter.reads_http(ehr.base_url)
        moments.append(written + timedelta(hours=1))
        adapter.sync()
        moments.append(written + timedelta(hours=2))
        ehr.change_role("RelatedPerson/whitfield-erin-self", "Other Relative")
        report = adapter.sync()
        assert (report["kind"], report["read"]["contacts"], report["changes"]) == ("incremental", 1, {"grant": 1})
        ehr.delete("RelatedPerson/lindgren-elsa-father")
        moments.append(written + timedelta(hours=3))
        assert adapter.sync()["changes"] == {}
        assert adapter.sync("--full")["changes"] == {"cancel-welcome": 1, "close-account": 1, "end-grant": 1}
    assert opens(adapter.account("mats.lindgren@post.example")) == {"lindgren-elsa": "ended contact-gone"}


def test_a_contact_moved_to_another_chart_closes_the_first(adapter: Adapter) -> None:
    adapter.export([chart("ann"), chart("bob"), mother("ann", telecom=email(ODA))])
    adapter.sync()
    moved = mother("ann", patient={"reference": "Patient/bob"}, telecom=email(ODA))
    adapter.export([chart("ann"), chart("bob"), moved])
    assert adapter.sync()["changes"] == {"end-grant": 1, "grant": 1}
    assert opens(adapter.account(ODA)) == {"ann": "ended contact-moved", "bob": "active"}


@pytest.mark.parametrize(
    ("now_says", "state"),
    [
        ({"active": False}, "suspended patient-inactive"),
        ({"deceasedBoolean": True}, "suspended patient-deceased"),
        ({"link": [{"other": {"reference": "Patient/other"}, "type": "replaced-by"}]}, "suspended patient-merged"),
    ],
    ids=["inactive", "deceased", "merged"],
)
def test_a_chart_that_no_longer_counts_is_suspended_at_once(adapter: Adapter, now_says: Json, state: str) -> None:
    adapter.export([chart(), chart("other"), mother()])
    adapter.sync()
    adapter.export([chart(**now_says), chart("other"), mother()])
    adapter.sync()
    account = adapter.account(ODA)
    assert opens(account) == {"kid": state} and account["dependents"][0]["access"] == "none"
    assert account["welcome"]["status"] == "cancelled"
    adapter.json("deliver")
    assert adapter.mails() == []


def _token(mail: str) -> str:
    found = re.search(r"token=([\w-]+)", mail)
    assert found
    return found[1]


def _live_links(adapter: Adapter) -> int:
    with sqlite3.connect(adapter.folder / "var" / "adapter.db") as connection:
        query = "SELECT count(*) FROM welcome WHERE token_hash IS NOT NULL AND link_closed_at IS NULL"
        return int(connection.execute(query).fetchone()[0])


def _current(ehr: SandboxEhr, families: list[Resource]) -> list[Resource]:
    return [ehr.get(f"{one['resourceType']}/{one['id']}") for one in families]
