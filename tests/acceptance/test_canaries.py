"""Nobody's name, birth date, record number, address or token leaves by a log, an error or a run; no child's by mail.

Every value of every family is a canary: the whole demo is played with all logs on, then things are made to go wrong.
"""

import contextlib
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from adapter.cli.story import tell_story
from adapter.errors import AdapterError
from adapter.jobs.register import register
from adapter.jobs.run import Request
from adapter.jobs.schedule import JobScheduler
from adapter.jobs.sync import sync
from adapter.jobs.work import deliver_all, run_job
from adapter.logs import configure_logs
from adapter.sandbox.charts import Resource
from adapter.sandbox.demo import Demo, running_demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.families import population, story
from adapter.schedule_files import JobName
from adapter.store import outbox
from adapter.store.engine import read
from tests.acceptance.adapter_cli import in_process

FAMILIES = 40
TODAY = datetime.now(UTC).date()
REFUSED = "lucia@ferreira.example"
_TOKEN = re.compile(r"token=([\w-]+)")


@dataclass
class Played:
    """What a demo left behind that could carry a value out."""

    logs: str = ""
    errors: list[str] = field(default_factory=list)
    """Texts of exceptions, problems of reports, last errors of the outbox."""
    run_reports: str = ""
    mails: list[str] = field(default_factory=list)
    """Each mail as its reader gets it: headers and both bodies, decoded."""
    tokens: set[str] = field(default_factory=set)
    database: bytes = b""


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    told = [resource for family in story(TODAY) for resource in family.resources]
    return [*told, *population(FAMILIES - len(story(TODAY)), today=TODAY)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("canaries") / "demo"
    left, stderr = Played(), io.StringIO()
    with _everything_logged() as logs, contextlib.redirect_stderr(stderr):
        with running_demo(folder, families=FAMILIES) as demo:
            demo.mailbox.answers[REFUSED] = f"550 5.1.1 <{REFUSED}> does not exist here"
            tell_story(demo, stays=False, kept=True)
            _go_wrong(demo, left)
            _serve(demo)
            left.mails = [_as_read(mail.message) for mail in demo.mailbox.messages]
            with read(demo.app.engine) as connection:
                effects = outbox.listing(connection, practice=PRACTICE)
            left.errors += [effect["last_error"] for effect in effects if effect["last_error"]]
        _go_wrong_without_servers(demo, left)
        left.logs = logs.getvalue() + stderr.getvalue()
    shown = in_process(["--config", str(folder / "config.toml"), "runs", "--limit", "1000", "--json"])
    left.run_reports = shown.out + shown.err
    left.tokens = {token for mail in left.mails for token in _TOKEN.findall(mail)}
    left.database = b"".join(path.read_bytes() for path in sorted((folder / "var").glob("adapter.db*")))
    yield left


@contextlib.contextmanager
def _everything_logged() -> Iterator[io.StringIO]:
    """Every logger at its most talkative, the libraries' too; put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    configure_logs(practices=[PRACTICE], level="debug", stream=stream)
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.handlers[:], root.level, logging.raiseExceptions = before
        logging.captureWarnings(False)
        structlog.reset_defaults()


def _go_wrong(demo: Demo, left: Played) -> None:
    """Damaged records full of names, a refused address, a silent rule: each is met by a full sync."""
    ada = demo.ehr.get("Patient/okafor-ada")
    demo.ehr.put(ada | {"birthDate": {"was": ada["birthDate"]}, "name": f"{ada['name']}"})
    grace = demo.ehr.get("RelatedPerson/okafor-ada-mother")
    demo.ehr.put(grace | {"patient": {"reference": "https://ehr.other/Patient/Ada Okafor"}})
    demo.ehr.put(grace | {"id": "odd", "modifierExtension": [{"url": "urn:Grace-Okafor", "valueString": "Okafor"}]})
    demo.ehr.change_email("RelatedPerson/moreau-theo-mother", "Alice Moreau <alice.moreau@mail.example")
    demo.ehr.delete("RelatedPerson/lindgren-elsa-father")
    _try(left, lambda: _sync(demo, full=True))
    _try(left, lambda: _sync(demo, person="Patient/Ada Okafor"))
    _try(left, lambda: register(demo.app.engine, PRACTICE, "nobody.okafor@mail.example", actor="t", now=demo.clock()))
    _try(left, lambda: deliver_all(demo.app))


def _serve(demo: Demo) -> None:
    """Each job of the service once, and the service itself for a moment."""
    for job in JobName:
        run_job(demo.app, PRACTICE, job)
    scheduler = JobScheduler(demo.app.scheduled, lambda practice, job: run_job(demo.app, practice, job))
    scheduler.start()
    assert scheduler.stop(30)


def _go_wrong_without_servers(demo: Demo, left: Played) -> None:
    """EHR and mail server are gone: the outbox and the run have to say so."""
    register(demo.app.engine, PRACTICE, "grace.okafor@mail.example", actor="t", now=demo.clock())
    _try(left, lambda: deliver_all(demo.app))
    _try(left, lambda: _sync(demo, full=True))
    demo.app.engine.dispose()


def _sync(demo: Demo, **request: Any) -> dict[str, Any]:
    def quiet(what: str, done: int, total: int | None) -> None:
        pass

    practice = demo.app.practices[PRACTICE]
    return sync(demo.app.engine, practice, Request(**request), clock=demo.clock, progress=quiet)


def _try(left: Played, do: Callable[[], dict[str, Any] | None]) -> None:
    try:
        report = do()
    except AdapterError as error:
        left.errors.append(str(error))
    else:
        left.errors += (report or {}).get("problems", [])


def _as_read(message: Any) -> str:
    bodies = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return "\n".join([*(f"{name}: {value}" for name, value in message.items()), *bodies])


def words_of(resource: Resource) -> set[str]:
    """Given and family names of one resource."""
    name = resource["name"][0]
    return {*name["given"], name["family"], f"{' '.join(name['given'])} {name['family']}"}


def canaries(resources: list[Resource]) -> set[str]:
    """Every value that must not get out."""
    values: set[str] = set()
    for resource in resources:
        values |= words_of(resource) | {item["value"] for item in resource.get("identifier", ())}
        values |= {point["value"] for point in resource["telecom"] if point["system"] == "email"}
        values |= {resource["birthDate"]} if "birthDate" in resource else set()
    return values


def sung(values: set[str], text: str) -> set[str]:
    """The values that occur in the text, as words of their own."""
    return {value for value in values if value in text and re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text)}


def test_the_canaries_are_there_and_can_be_heard(played: Played, resources: list[Resource]) -> None:
    values = canaries(resources)
    assert len(values) > 300
    assert sung(values, "Hello Grace Okafor, grace.okafor@mail.example") == {
        "Grace",
        "Okafor",
        "Grace Okafor",
        "grace.okafor@mail.example",
    }
    assert {"grace.okafor@mail.example", "Carmen Ramirez"} <= sung(values, "\n".join(played.mails))
    assert len(played.tokens) > 30


def test_no_log_line_names_anybody(played: Played, resources: list[Resource]) -> None:
    lines = [json.loads(line) for line in played.logs.splitlines() if line.startswith("{")]
    assert {"run-finished", "job-finished", "service-stopped", "library"} <= {line["event"] for line in lines}
    assert any(line.get("logger", "").startswith("mail") for line in lines), "the mail server's own log was not on"
    assert sung(canaries(resources) | played.tokens, played.logs) == set()


def test_no_error_names_anybody(played: Played, resources: list[Resource]) -> None:
    heard = "\n".join(played.errors)
    assert "refused the recipient's address (550" in heard
    assert "Cannot reach the mail server" in heard
    assert "There is no account with this address." in heard
    assert "metadata" in heard, "the EHR that is gone was not noticed"
    assert sung(canaries(resources) | played.tokens, heard) == set()


def test_no_run_report_names_anybody(played: Played, resources: list[Resource]) -> None:
    reports = json.loads(played.run_reports)
    assert len(reports) > 5 and any(report["problems"] for report in reports)
    assert any(report["read"]["quarantined"] for report in reports)
    assert sung(canaries(resources) | played.tokens, played.run_reports) == set()


def test_no_mail_tells_of_a_child(played: Played, resources: list[Resource]) -> None:
    charts = [resource for resource in resources if resource["resourceType"] == "Patient"]
    grown_up = {
        name for resource in resources if resource["resourceType"] == "RelatedPerson" for name in words_of(resource)
    }
    children = {name for chart in charts for name in words_of(chart)} - grown_up
    assert {"Ada", "Kofi Osei", "Elsa Lindgren"} <= children
    private = {item["value"] for chart in charts for item in chart["identifier"]} | {c["birthDate"] for c in charts}
    private |= {f"{kind}/{chart['id']}" for chart in charts for kind in ("Patient",)}
    assert len(played.mails) > 30
    for mail in played.mails:
        assert sung(children | private, mail) == set()


def test_each_mail_is_for_one_reader_and_names_nobody_else(played: Played, resources: list[Resource]) -> None:
    values = canaries(resources)
    for mail in played.mails:
        (to,) = re.findall(r"(?m)^To: (.*) <\S+>$", mail)
        strangers = {value for value in sung(values, mail) if " " in value} - {to}
        assert strangers == set()


def test_the_database_keeps_no_token(played: Played) -> None:
    assert b"grace.okafor@mail.example" in played.database
    assert [token for token in played.tokens if token.encode() in played.database] == []
