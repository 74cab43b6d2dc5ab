"""Working off notifications: each named chart is read from the EHR and nowhere else, and what fails is tried again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.bootstrap import build
from adapter.core.notice import SOMETHING, Notice
from adapter.jobs.nudges import APART, ATTEMPTS, BUSY, FIRST_WAIT, MANY, MANY_DELETED, NudgeWatch, work_off
from adapter.jobs.practice import Practice
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.families import story
from adapter.settings import load_settings
from adapter.store import leases, nudges, runs, views
from adapter.store.engine import begin, read
from tests.acceptance.adapter_cli import opens
from tests.acceptance.adapter_cli import practice as practice_table
from tests.hostile.proxy import FaultyEhr, Reply, faulty

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
HERE = "main-street"
FATHER = "RelatedPerson/lindgren-elsa-father"
MATS = "mats.lindgren@post.example"


@dataclass
class Site:
    """A practice on one database whose EHR can be spoiled; ``now`` is its time."""

    engine: sa.Engine
    practice: Practice
    ehr: SandboxEhr
    proxy: FaultyEhr
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    def sync(self) -> dict[str, Any]:
        report = sync(self.engine, self.practice, Request(), clock=self.clock, progress=lambda *_: None)
        self.now += timedelta(minutes=1)
        return report

    def told(self, *refs: str, deleted: bool = False, something: bool = False) -> None:
        gone = frozenset(refs if deleted else ())
        notice = SOMETHING if something else Notice(refs=frozenset(refs), deleted=gone)
        with begin(self.engine) as connection:
            nudges.receive(connection, HERE, [notice], self.now)

    def work(self) -> bool:
        return work_off(self.engine, self.practice, clock=self.clock)

    def runs(self) -> list[tuple[str, str]]:
        """Kind and status of every run after the first, in order."""
        with read(self.engine) as connection:
            found = runs.listing(connection, [HERE], limit=1000)
        return [(run["kind"], run["status"]) for run in reversed(found)][1:]

    def waiting(self) -> int:
        with read(self.engine) as connection:
            return nudges.waiting(connection, HERE)

    def due(self) -> bool:
        with read(self.engine) as connection:
            return nudges.due(connection, self.now) == [HERE]

    def opens(self, email: str) -> dict[str, str]:
        with read(self.engine) as connection:
            (account,) = views.accounts(connection, [HERE], email_key=email)
        return opens(account)


@pytest.fixture
def site(engine: sa.Engine, tmp_path: Path) -> Iterator[Site]:
    resources = [resource for family in story(NOW.date()) for resource in family.resources]
    with SandboxEhr(resources, clock=lambda: NOW) as ehr, faulty(ehr) as proxy:
        table = practice_table(
            HERE, f'kind = "fhir"\nbase_url = "{proxy.base_url}"', policy="hold_first_welcome = false"
        )
        (tmp_path / "config.toml").write_text(table)
        built = build(load_settings(tmp_path / "config.toml"), tmp_path)
        found = Site(engine, built.practices[HERE], ehr, proxy)
        found.sync()
        yield found


def _refuse(_address: str, _good: Reply) -> Reply:
    return Reply(403, b"")


def test_a_named_contact_is_read_alone_and_its_chart_closed(site: Site) -> None:
    site.ehr.change_authority(FATHER, "none")
    site.told(FATHER)
    assert site.work()
    assert site.opens(MATS) == {"lindgren-elsa": "ended authority-none"}
    assert site.runs() == [("person", "complete")]
    assert site.waiting() == 0 and not site.work()


def test_a_deleted_contact_is_gone_as_soon_as_the_ehr_itself_says_so(site: Site) -> None:
    site.told(FATHER, deleted=True)
    assert not site.work()
    assert site.opens(MATS) == {"lindgren-elsa": "active"}, "somebody's word is no evidence"
    site.ehr.delete(FATHER)
    site.told(FATHER, deleted=True)
    assert site.work()
    assert site.opens(MATS) == {"lindgren-elsa": "ended contact-gone"}


def test_a_chart_that_nobody_has_makes_no_run(site: Site) -> None:
    site.told("Patient/nobody", "RelatedPerson/nobody")
    assert not site.work()
    assert site.runs() == [] and site.waiting() == 0


def test_something_changed_is_an_incremental_sync(site: Site) -> None:
    site.told(something=True)
    site.work()
    assert site.runs() == [("incremental", "complete")] and site.waiting() == 0


def test_an_ehr_that_notifies_all_the_time_is_not_read_all_the_time(site: Site) -> None:
    site.told(something=True)
    site.work()
    site.told(something=True)
    site.work()
    assert site.runs() == [("incremental", "complete")] and not site.due()
    site.now += APART
    site.work()
    assert site.runs() == [("incremental", "complete")] * 2 and site.waiting() == 0


def test_many_charts_are_one_sync_but_what_is_gone_is_looked_for_by_itself(site: Site) -> None:
    site.ehr.delete(FATHER)
    site.told(*(f"Patient/p{number}" for number in range(MANY)), "Patient/okafor-ada")
    site.told(FATHER, deleted=True)
    site.work()
    assert site.runs() == [("person", "complete"), ("incremental", "complete")]
    assert site.opens(MATS) == {"lindgren-elsa": "ended contact-gone"} and site.waiting() == 0


def test_when_very_many_are_gone_everything_is_read(site: Site) -> None:
    site.ehr.delete(FATHER)
    site.told(FATHER, *(f"Patient/p{number}" for number in range(MANY_DELETED)), deleted=True)
    site.work()
    assert site.runs() == [("full", "complete")]
    assert site.opens(MATS) == {"lindgren-elsa": "ended contact-gone"} and site.waiting() == 0


def test_while_another_run_has_the_practice_nothing_is_lost_and_no_attempt_is_counted(site: Site) -> None:
    site.told(FATHER, "Patient/okafor-ada")
    with leases.lease(site.engine, f"run:{HERE}", site.now):
        assert not site.work()
    assert site.runs() == [] and site.waiting() == 2 and not site.due()
    site.now += BUSY
    site.work()
    assert site.waiting() == 0


def test_what_the_ehr_does_not_answer_is_tried_again_and_then_left_to_the_schedule(site: Site) -> None:
    site.proxy.spoil = _refuse
    site.told(FATHER)
    for attempt in range(ATTEMPTS):
        assert site.due() and site.waiting() == 1, f"attempt {attempt + 1}"
        site.work()
        assert not site.due()
        site.now += FIRST_WAIT * 64
    assert site.waiting() == 0
    assert set(site.runs()) <= {("person", "incomplete"), ("person", "failed")} and len(site.runs()) == ATTEMPTS
    assert site.opens(MATS) == {"lindgren-elsa": "active"}


@pytest.mark.parametrize(("deleted", "kind"), [(False, "incremental"), (True, "full")])
def test_a_contact_that_cannot_be_read_by_that_name_makes_us_read_whatever_changed(
    site: Site, deleted: bool, kind: str
) -> None:
    site.proxy.spoil = lambda address, good: Reply(403, b"") if "/RelatedPerson/elsewhere" in address else good
    site.told("RelatedPerson/elsewhere", deleted=deleted)
    site.work()
    assert site.runs() == [] and site.waiting() == 1 and site.due()
    site.work()
    assert site.runs() == [(kind, "complete")] and site.waiting() == 0


def test_when_the_ehr_is_not_well_the_rest_waits_unharmed(site: Site) -> None:
    site.proxy.spoil = _refuse
    charts = ("okafor-ada", "okafor-ben", "lindgren-elsa", "whitfield-max", "moreau-theo")
    site.told(*(f"Patient/{chart}" for chart in charts))
    site.work()
    assert len(site.runs()) == 3 and site.waiting() == 5
    site.proxy.spoil = None
    site.now += FIRST_WAIT
    site.work()
    assert site.waiting() == 0


def test_the_watch_asks_for_what_waits_in_its_own_practices_only(site: Site) -> None:
    asked: list[str] = []
    site.told("Patient/okafor-ada")
    with begin(site.engine) as connection:
        nudges.receive(connection, "hillside", [SOMETHING], site.now)

    def ask(practice: str) -> None:
        asked.append(practice)
        site.work()

    with NudgeWatch(site.engine, [HERE], clock=site.clock, ask=ask):
        limit = datetime.now(UTC) + timedelta(seconds=20)
        while not asked and datetime.now(UTC) < limit:
            time.sleep(0.05)
    assert asked == [HERE] and site.waiting() == 0
