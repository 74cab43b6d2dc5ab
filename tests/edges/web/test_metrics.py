"""What Prometheus reads: true numbers, nobody's data, and to nobody who should not; and the rules that go by them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from adapter.core.findings import Finding
from adapter.core.reasons import Severity
from adapter.store import findings, runs
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.edges.web.door import HERE, NOW, Door, serving

RULES = Path(__file__).parents[3] / "deploy" / "alerts.yml"
SECRET = "canary-metrics-secret-0123456789"


@pytest.fixture
def door(store_url: str, tmp_path: Path) -> Iterator[Door]:
    with serving(tmp_path, store=store_url) as found:
        yield found


def scrape(door: Door, **headers: str) -> dict[tuple[str, str], float]:
    """Samples by name and labels, ``name`` and ``a=1,b=2``."""
    answer = requests.get(f"{door.address}/metrics", headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text
    assert "canary" not in answer.text.lower()
    return {
        (sample.name, ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def fill(door: Door) -> None:
    """A practice at work: runs, things to deliver, findings, a brake."""
    read = {"patients": 30, "contacts": 50, "ignored_because": {"x": 1}}
    with begin(door.app.engine) as connection:
        for status, seconds in (("complete", 60), ("failed", 1)):
            number = runs.start(connection, HERE, "full", NOW)
            report = {"read": read, "held": {"welcome": 3}}
            ended = NOW + timedelta(seconds=seconds)
            runs.finish(connection, number, status=status, plan_hash=None, report=report, now=ended)
        finding = Finding(
            code="email-missing", message="Canary", scope="s", email="canary@mail.example", severity=Severity.WARNING
        )
        findings.settle(connection, HERE, ["s"], [finding], NOW)
        for number, (kind, state) in enumerate(
            [("account", "queued"), ("account", "queued"), ("welcome", "sent"), ("welcome", "unknown")]
        ):
            row: dict[str, Any] = {
                "id": str(number),
                "practice": HERE,
                "kind": kind,
                "subject": "s",
                "to": "canary@mail.example",
            }
            row |= {"state": state, "attempts": 0, "created_at": NOW + timedelta(minutes=number)}
            connection.execute(t.effect.insert().values(**row))
        plan = {"run": 1, "practice": HERE, "brakes": '["revocation"]', "cause": "x", "hold_welcome": False}
        connection.execute(t.held_plan.insert().values(**plan, created_at=NOW, expires_at=NOW))


def test_the_numbers_are_those_of_the_database(door: Door) -> None:
    fill(door)
    found, here = scrape(door), f"practice={HERE}"
    expected = {
        ("adapter_up", ""): 1,
        ("adapter_runs_total", f"kind=full,{here},status=complete"): 1,
        ("adapter_runs_total", f"kind=full,{here},status=failed"): 1,
        ("adapter_last_complete_run_timestamp_seconds", here): NOW.timestamp() + 60,
        ("adapter_last_run_ok", here): 0,
        ("adapter_last_run_seconds", here): 1,
        ("adapter_last_run_read", f"{here},what=contacts"): 50,
        ("adapter_held", f"{here},what=welcome"): 3,
        ("adapter_findings_open", f"code=email-missing,{here},severity=warning"): 1,
        ("adapter_outbox", f"kind=account,{here},state=queued"): 2,
        ("adapter_outbox", f"kind=welcome,{here},state=unknown"): 1,
        ("adapter_outbox_oldest_timestamp_seconds", f"kind=account,{here}"): NOW.timestamp(),
        ("adapter_mail_sent_total", f"kind=welcome,{here}"): 1,
        ("adapter_brake_on", f"brake=revocation,{here}"): 1,
        ("adapter_brake_on", f"brake=grant,{here}"): 0,
        ("adapter_notifications_waiting", here): 0,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert ("adapter_outbox_oldest_timestamp_seconds", f"kind=welcome,{here}") not in found, (
        "nothing is to be delivered"
    )


def test_before_the_first_run_the_last_complete_one_is_at_zero(door: Door) -> None:
    assert scrape(door)["adapter_last_complete_run_timestamp_seconds", f"practice={HERE}"] == 0


def test_what_the_ehr_took_to_answer_is_counted(tmp_path: Path) -> None:
    with serving(tmp_path) as door:
        reader: Any = door.app.practices[HERE].reader
        for ended, seconds in (("answered", 0.05), ("answered", 0.3), ("answered", 60.0), ("failed", 1.0)):
            reader.client.timings.note(ended, seconds)
        found, answered = scrape(door), f"ended=answered,practice={HERE}"
        name = "adapter_ehr_request_seconds"
        within = {
            le: found[f"{name}_bucket", f"ended=answered,le={le},practice={HERE}"] for le in ("0.1", "0.5", "+Inf")
        }
        assert within == {"0.1": 1, "0.5": 2, "+Inf": 3}
        assert found[f"{name}_sum", answered] == pytest.approx(60.35)
        assert found[f"{name}_count", f"ended=failed,practice={HERE}"] == 1


def test_a_database_that_does_not_answer_is_told_as_such(tmp_path: Path) -> None:
    with serving(tmp_path) as door:
        with begin(door.app.engine) as connection:
            connection.exec_driver_sql("DROP TABLE nudge")
        found = scrape(door)
        assert found["adapter_up", ""] == 0 and not [name for name, _ in found if name.startswith("adapter_run")]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_without_a_secret_what_a_proxy_passes_on_is_refused(tmp_path: Path, header: str) -> None:
    with serving(tmp_path) as door:
        assert scrape(door)
        answer = requests.get(f"{door.address}/metrics", headers={header: "203.0.113.9"}, timeout=10)
        assert answer.status_code == 403 and "adapter_up" not in answer.text


def test_with_a_secret_nothing_else_opens_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    with serving(tmp_path, web="port = 0\n[web.metrics]\nsecret_file = 'token'") as door:
        for given in (None, "", SECRET, f"Bearer {SECRET}x", f"Basic {SECRET}", "Bearer é"):
            headers = {"Authorization": given.encode()} if given is not None else {}
            answer = requests.get(f"{door.address}/metrics", headers=headers, timeout=10)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert scrape(door, Authorization=f"Bearer {SECRET}", **{"X-Forwarded-For": "203.0.113.9"})


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


WORDS = {"absent", "by", "histogram_quantile", "on", "or", "rate", "sum", "time", "unless", "le", "practice"}


def test_every_rule_asks_for_what_there_is(door: Door) -> None:
    fill(door)
    reader: Any = door.app.practices[HERE].reader
    reader.client.timings.note("answered", 0.1)
    labels: dict[str, set[str]] = {}
    for name, text in scrape(door):
        labels.setdefault(name, set()).update(part.partition("=")[0] for part in text.split(",") if part)
    for rule in rules():
        expression = rule["expr"]
        for name, asked in re.findall(r"\b(adapter_\w+)(?:{([^}]*)})?", expression):
            assert name in labels, f"{rule['alert']} asks for {name}"
            for label in re.findall(r"(\w+)=~?\"", asked):
                assert label in labels[name], f"{rule['alert']} asks for {label} of {name}"
        plain = re.sub(r"\badapter_\w+|{[^}]*}|\[\d+[mhd]\]|\"[^\"]*\"|\b[\d.]+\b", " ", expression)
        assert set(re.findall(r"[a-z_]+", plain)) <= WORDS, rule["alert"]
        assert plain.count("(") == plain.count(")")
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert (
                f"{label}" in expression
                or (label == "practice" and "sum by (practice" in expression)
                or all(label in labels[name] for name in re.findall(r"\badapter_\w+", expression))
            )


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found) > 8
    for rule in found:
        assert re.fullmatch(r"Adapter[A-Z]\w+", rule["alert"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert re.fullmatch(r"\d+[mhd]", rule.get("for", "0m"))
        assert set(rule["annotations"]) == {"summary", "description"}
        assert all(text.endswith(".") for text in rule["annotations"].values())
