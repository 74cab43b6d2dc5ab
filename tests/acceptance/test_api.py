"""The JSON API: the command line's shapes page by page, each role its due, a write that comes twice done once."""

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.core.staff import StaffRole
from adapter.jobs.people import add as add_person
from adapter.store import api_tokens, audit_trail, people
from adapter.store.engine import begin, read
from adapter.web.cookies import csrf_token
from tests.acceptance.adapter_cli import GRACE, Adapter
from tests.acceptance.programs import Program, programs

LISTS = ("accounts", "findings", "runs", "outbox")


@pytest.fixture(scope="module")
def shown(first_sync: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Adapter, dict[str, Program]]]:
    """One installation for the tests that only read."""
    folder = shutil.copytree(first_sync, tmp_path_factory.mktemp("shown") / "site")
    site = Adapter(folder, policy="hold_first_welcome = false")
    with programs(site) as found:
        yield site, found


@pytest.fixture
def viewer(shown: tuple[Adapter, dict[str, Program]]) -> Program:
    return shown[1]["viewer"]


@pytest.fixture
def known(site: Adapter) -> Iterator[dict[str, Program]]:
    """Programs of an installation that a test may change."""
    with programs(site) as found:
        yield found


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_the_commands_page_by_page(shown: tuple[Adapter, dict[str, Program]], name: str) -> None:
    site, found = shown
    by_command = site.json(name)
    assert by_command and found["viewer"].all(name) == by_command
    assert found["viewer"].all(name, limit=500) == by_command


def test_the_audit_trail_comes_in_its_order(shown: tuple[Adapter, dict[str, Program]]) -> None:
    site, found = shown
    newest_first = site.json("audit", "--limit", "1000")
    assert found["viewer"].all("audit", limit=40) == newest_first[::-1]
    mine = found["viewer"].all("audit", email=GRACE.upper())
    assert {entry["email"] for entry in mine} == {GRACE} and len(mine) == len(site.json("audit", "--email", GRACE))


def test_single_records_are_the_commands_too(shown: tuple[Adapter, dict[str, Program]]) -> None:
    site, found = shown
    viewer = found["viewer"]
    assert viewer.get(f"accounts/{GRACE.upper()}") == site.account(GRACE)
    assert viewer.get("explain", who=GRACE) == site.json("explain", GRACE)
    (run,) = site.json("runs")
    assert viewer.get(f"runs/{run['run']}") == run
    assert (viewer.get("widgets"), viewer.get("held")) == (site.json("widgets"), site.json("held"))
    code = site.json("findings")[0]["code"]
    assert {one["code"] for one in viewer.get("findings", code=code)["items"]} == {code}
    assert {one["state"] for one in viewer.get("outbox", state="queued")["items"]} == {"queued"}


def test_a_plan_is_the_commands(site: Adapter, known: dict[str, Program]) -> None:
    answer = known["reconciler"].ask("POST", "plan", json={"full": True})
    assert answer.status_code == 200
    assert answer.json() == site.json("plan", "--full")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("accounts?cursor=nonsense", 422),
        ("accounts?cursor=WzFd", 422),
        ("findings?cursor=WzEsIngiLCJ5Il0", 422),
        ("accounts?limit=0", 422),
        ("accounts?limit=501", 422),
        ("runs?limit=many", 422),
        ("outbox?state=lost", 422),
        ("explain", 422),
        ("audit?since=yesterday", 422),
        ("audit?since=0001-01-01T00:00:00%2B14:00", 422),
        ("runs?cursor=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwXQ", 422),
        ("explain?who=%00", 422),
        ("accounts/%00", 422),
        ("accounts/nobody@mail.example", 404),
        ("runs/999999", 404),
        ("runs/0", 422),
        ("nothing", 404),
        ("../high-street/accounts", 404),
    ],
)
def test_every_refusal_is_a_problem(viewer: Program, path: str, status: int) -> None:
    request = requests.Request("GET", f"{viewer.base}/x", headers=dict(viewer.session.headers)).prepare()
    request.url = f"{viewer.base}/{path}" if ".." not in path else viewer.base.replace("main-street", path[3:])
    is_problem(viewer.session.send(request, timeout=10), status)


def is_problem(answer: requests.Response, status: int) -> str:
    """The answer is a problem of this status; its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["type"], told["status"]) == ("about:blank", status) and told["title"] and told["detail"]
    return str(told["detail"])


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer adp_" + "x" * 43, "Basic adp_" + "x" * 43])
def test_without_a_token_that_lives_nothing_is_told(viewer: Program, given: str | None) -> None:
    headers = {"Authorization": given} if given else {}
    for path in ("accounts", f"accounts/{GRACE}", "accounts/nobody@mail.example", "runs/1"):
        is_problem(requests.get(f"{viewer.base}/{path}", headers=headers, timeout=10), 401)


def test_a_token_opens_its_own_practice_and_no_page(viewer: Program) -> None:
    elsewhere = viewer.base.replace("main-street", "elsewhere")
    is_problem(viewer.session.get(f"{elsewhere}/accounts", timeout=10), 404)
    home = viewer.base.partition("/api/")[0]
    assert viewer.session.get(f"{home}/", timeout=10).status_code == 401


def test_each_role_does_its_due(known: dict[str, Program]) -> None:
    viewer, reconciler, admin = (known[role] for role in ("viewer", "reconciler", "admin"))
    writes = [("sync", {"person": "Patient/okafor-ada"}), (f"accounts/{GRACE}/register", {}), ("plan", {})]
    for path, body in writes:
        is_problem(viewer.ask("POST", path, json=body), 403)
    assert reconciler.ask("POST", "sync", json={"person": "Patient/okafor-ada"}).json()["kind"] == "person"
    assert "one family" in is_problem(reconciler.ask("POST", "sync", json={}), 403)
    assert "queued already" in is_problem(reconciler.ask("POST", f"accounts/{GRACE}/register"), 409)
    is_problem(reconciler.ask("POST", "accounts/nobody@mail.example/register"), 404)
    run = admin.ask("POST", "sync", json={"full": True}).json()
    assert (run["kind"], run["practice"]) == ("full", "main-street")
    is_problem(reconciler.ask("POST", f"runs/{run['run']}/release"), 403)
    released = admin.ask("POST", f"runs/{run['run']}/release").json()
    assert (released["run"], released["welcome"], released["stale"]) == (run["run"], 0, [])
    is_problem(admin.ask("POST", "runs/999/release"), 404)
    is_problem(admin.ask("POST", f"runs/{run['run']}/release", json={"plan": "0" * 64}), 409)
    with read(admin.app.engine) as connection:
        wanted = audit_trail.Wanted(practices=["main-street"], actor="token:admin")
        assert list(audit_trail.entries(connection, wanted))


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"full": "yes"}},
        {"json": {"person": "Practitioner/1"}},
        {"json": {"person": ["Patient/1"]}},
        {"json": {"trust_clock": True}},
        {"json": ["full"]},
        {"data": "full=true", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"data": "{", "headers": {"Content-Type": "application/json"}},
        {"data": b"\xff", "headers": {"Content-Type": "application/json"}},
        {"json": {}, "headers": {"Idempotency-Key": "x" * 256}},
    ],
)
def test_a_body_that_is_not_understood_does_nothing(known: dict[str, Program], sent: dict[str, Any]) -> None:
    before = known["viewer"].all("runs")
    is_problem(known["admin"].ask("POST", "sync", **sent), 422)
    assert known["viewer"].all("runs") == before


def test_a_finding_is_answered_and_the_answer_taken_back(known: dict[str, Program]) -> None:
    reconciler, viewer = known["reconciler"], known["viewer"]
    finding = viewer.all("findings")[0]
    address = f"findings/{finding['id']}/decide"
    given = {"answer": "dismiss", "reason": "seen"}
    is_problem(viewer.ask("POST", address, json=given), 403)
    done = reconciler.ask("POST", address, json=given)
    assert done.status_code == 200 and done.json()["findings"] == [finding["id"]]
    assert finding["id"] not in {one["id"] for one in viewer.all("findings")}
    assert reconciler.ask("POST", address, json=given | {"answer": "withdraw"}).json()["answer"] == "withdraw"
    assert finding["id"] in {one["id"] for one in viewer.all("findings")}
    is_problem(reconciler.ask("POST", "findings/0123456789ab/decide", json=given), 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"answer": "dismiss"},
        {"answer": "dismiss", "reason": ""},
        {"answer": "dismiss", "reason": "a\0b"},
        {"answer": "dismiss", "reason": "x" * 501},
        {"answer": "dismiss\n", "reason": "x"},
        {"answer": None, "reason": "x"},
        {"answer": "perhaps", "reason": "x"},
        {"answer": "dismiss", "reason": "x", "until": "2026-02-31"},
    ],
)
def test_an_answer_that_is_none_changes_nothing(viewer: Program, shown: Any, body: dict[str, Any]) -> None:
    finding = viewer.all("findings")[0]
    is_problem(shown[1]["reconciler"].ask("POST", f"findings/{finding['id']}/decide", json=body), 422)
    assert viewer.all("findings")[0] == finding


def test_the_same_write_twice_is_done_once(known: dict[str, Program]) -> None:
    admin, viewer = known["admin"], known["viewer"]
    key = {"Idempotency-Key": "night-1"}
    first = admin.ask("POST", "sync", json={"full": True}, headers=key)
    second = admin.ask("POST", "sync", json={"full": True}, headers=key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content and second.headers["Idempotent-Replayed"] == "true"
    assert len(viewer.all("runs")) == 2
    assert "another request" in is_problem(admin.ask("POST", "sync", json={}, headers=key), 422)
    reconciler = known["reconciler"].ask("POST", "sync", json={"person": "Patient/okafor-ada"}, headers=key)
    assert reconciler.json()["kind"] == "person", "a key is its caller's own"


def test_what_could_not_be_done_may_be_tried_again_with_the_same_key(site: Adapter, known: dict[str, Program]) -> None:
    key = {"Idempotency-Key": "grace"}
    is_problem(known["reconciler"].ask("POST", f"accounts/{GRACE}/register", headers=key), 409)
    assert site.run("deliver").code == 0
    again = known["reconciler"].ask("POST", f"accounts/{GRACE}/register", headers=key)
    assert again.json() == {"practice": "main-street", "email": GRACE, "status": "queued"}
    replayed = known["reconciler"].ask("POST", f"accounts/{GRACE}/register", headers=key)
    assert replayed.json() == again.json() and site.run("deliver").code == 0
    assert known["viewer"].get(f"accounts/{GRACE}")["welcome"]["sent_count"] == 2


def test_of_many_at_once_one_does_it(known: dict[str, Program]) -> None:
    answers: list[int] = []

    def ask() -> None:
        headers = dict(known["admin"].session.headers) | {"Idempotency-Key": "one"}
        address = f"{known['admin'].base}/sync"
        answers.append(requests.post(address, json={"full": True}, headers=headers, timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409} and 200 in answers
    assert len(known["viewer"].all("runs")) == 2


def test_a_page_of_the_desk_needs_its_token_for_a_write(known: dict[str, Program]) -> None:
    admin = known["admin"]
    app, origin = admin.app, admin.base.partition("/api/")[0]
    add_person(app.engine, app.key, "alice", {"main-street": StaffRole.ADMIN}, actor="person:test", now=app.clock())
    token = "t" * 43
    with begin(app.engine) as connection:
        alice = people.by_name(connection, "alice")
        assert alice is not None
        hashed = sha256(token.encode()).hexdigest()
        people.open_session(connection, hashed, alice.id, app.clock())
    session = requests.Session()
    session.cookies.set("adapter", token)
    assert session.get(f"{admin.base}/accounts", timeout=10).status_code == 200
    address, csrf = f"{admin.base}/sync", {"X-CSRF-Token": csrf_token(token)}
    for headers in ({}, {"Origin": origin}, csrf, csrf | {"Origin": "https://evil.example"}):
        is_problem(session.post(address, json={}, headers=headers, timeout=10), 403)
    assert session.post(address, json={}, headers=csrf | {"Origin": origin}, timeout=30).status_code == 200


def test_a_token_is_shown_once_listed_and_revoked(site: Adapter) -> None:
    made = site.json("tokens", "add", "phone-system", "--role", "reconciler", "--days", "7")
    token = made.pop("token")
    assert made["roles"] == {"main-street": "reconciler"} and made["state"] == "active"
    assert site.json("tokens", "list") == [made]
    assert token.encode() not in (site.folder / "var/adapter.db").read_bytes()
    assert site.run("tokens", "add", "phone-system").code == 1
    assert site.run("tokens", "add", "Not A Name").code == 1
    with programs(site) as found:
        program = found["nobody"]
        program.session.headers["Authorization"] = f"Bearer {token}"
        assert program.get("accounts")["items"]
        with read(program.app.engine) as connection:
            assert api_tokens.find(connection, token, datetime.now(UTC) + timedelta(days=8)) is None
        assert site.run("tokens", "revoke", "phone-system").code == 0
        is_problem(program.ask("GET", "accounts"), 401)
    assert site.run("tokens", "revoke", "phone-system").code == 1
    assert site.json("tokens", "list")[-1]["state"] == "revoked"
    assert site.run("audit", "verify").code == 0
