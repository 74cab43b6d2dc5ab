"""Signing in: what lets somebody in, what does not, how long it lasts, and what it leaves behind."""

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from adapter.core.staff import STAFF_TRAIL
from adapter.jobs.people import remove, reset
from adapter.jobs.sign_in import MOST_ATTEMPTS
from adapter.store import audit_trail
from adapter.store import tables as t
from adapter.store.audit_trail import Wanted
from adapter.store.engine import read
from tests.edges.web.desk import HERE, Desk, serving


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with serving(tmp_path) as found:
        yield found


def _home(visitor: requests.Session, desk: Desk) -> int:
    return visitor.get(f"{desk.address}/p/{HERE}/break-glass", allow_redirects=False, timeout=10).status_code


def _trail(desk: Desk, practice: str = STAFF_TRAIL) -> list[str]:
    with read(desk.app.engine) as connection:
        found = audit_trail.entries(connection, Wanted(practices=[practice]))
        return [f"{entry['actor']} {entry['action']}" for entry in found]


def test_name_password_and_code_open_the_desk(desk: Desk) -> None:
    desk.enrol("viewer")
    visitor, answer = desk.sign_in("viewer")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert _home(visitor, desk) == 200
    assert _trail(desk) == ["person:test person-added", "desk:viewer signed-in"]


def test_the_cookie_is_for_this_service_alone(desk: Desk, tmp_path: Path) -> None:
    desk.enrol("viewer")
    _, answer = desk.sign_in("viewer")
    parts = answer.headers["Set-Cookie"].split("; ")
    assert parts[0].startswith("adapter=") and {"HttpOnly", "SameSite=strict", "Path=/"} == set(parts[1:])
    (tmp_path / "two").mkdir()
    with serving(tmp_path / "two", "port = 0\npublic_url = 'https://desk.example'") as secure:
        secure.enrol("viewer")
        _, answer = secure.sign_in("viewer")
        assert answer.status_code == 403  # http is not how people reach this one
        visitor = secure.nobody()
        visitor.headers["Origin"] = "https://desk.example"
        known = secure.enrolled["viewer"]
        given = {"name": "viewer", "password": known.password, "code": secure.code("viewer")}
        answer = visitor.ask("POST", "/sign-in", given)
        parts = answer.headers["Set-Cookie"].split("; ")
        assert parts[0].startswith("__Host-adapter=") and {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} == set(
            parts[1:]
        )
        assert "max-age" in visitor.ask("GET", "/sign-in").headers["Strict-Transport-Security"]


def test_the_database_has_no_password_code_or_session_in_it(desk: Desk) -> None:
    known = desk.enrol("viewer")
    visitor, _ = desk.sign_in("viewer")
    with read(desk.app.engine) as connection:
        stored = str([connection.execute(sa.select(table)).all() for table in t.metadata.sorted_tables])
    for secret in (known.password, known.secret, visitor.token, visitor.csrf):
        assert len(secret) > 10 and secret not in stored


@pytest.mark.parametrize("wrong", ["name", "password", "code"])
def test_each_of_the_three_has_to_fit_and_which_one_did_not_is_not_told(desk: Desk, wrong: str) -> None:
    desk.enrol("viewer")
    visitor, answer = desk.sign_in("viewer", **{wrong: "000000"})
    told = answer.text.replace("000000", "viewer")
    _, unknown = desk.sign_in("viewer", name="nobody")
    assert answer.status_code == unknown.status_code == 401
    assert told == unknown.text.replace("nobody", "viewer")
    assert _home(visitor, desk) == 303 and "Set-Cookie" not in answer.headers


def test_an_unknown_name_takes_as_long_as_a_known_one(desk: Desk) -> None:
    desk.enrol("viewer")
    took: dict[str, list[float]] = {"viewer": [], "nobody": []}
    for number in range(4):
        for name, times in took.items():
            began = time.perf_counter()
            desk.sign_in(name if number else f"{name}", password="wrong", code="000000")
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times[1:]) for times in took.values())
    assert 0.4 < known / unknown < 2.5


def test_too_many_attempts_close_the_name_for_a_quarter_of_an_hour(desk: Desk) -> None:
    desk.enrol("viewer")
    for _ in range(MOST_ATTEMPTS):
        desk.sign_in("viewer", password="wrong")
    _, answer = desk.sign_in("viewer")
    assert answer.status_code == 401
    assert _trail(desk)[-1] == "desk sign-in-locked"
    desk.now += timedelta(minutes=16)
    _, answer = desk.sign_in("viewer")
    assert answer.status_code == 303


def test_a_code_works_once(desk: Desk) -> None:
    desk.enrol("viewer")
    code = desk.code("viewer")
    assert desk.sign_in("viewer", code=code)[1].status_code == 303
    desk.now -= timedelta(seconds=30)
    assert desk.sign_in("viewer", code=code)[1].status_code == 401


@pytest.mark.parametrize(("idle", "stays"), [(14, True), (16, False)])
def test_a_quarter_of_an_hour_without_a_click_signs_out(desk: Desk, idle: int, stays: bool) -> None:
    visitor = desk.session_of("viewer")
    for _ in range(3):
        desk.now += timedelta(minutes=idle)
        status = _home(visitor, desk)
    assert status == (200 if stays else 303)


def test_after_twelve_hours_one_signs_in_again(desk: Desk) -> None:
    visitor = desk.session_of("viewer")
    for _ in range(6 * 12):
        desk.now += timedelta(minutes=10)
        assert _home(visitor, desk) == 200
    desk.now += timedelta(minutes=1)
    assert _home(visitor, desk) == 303


def test_a_token_that_somebody_planted_is_never_taken_over(desk: Desk) -> None:
    desk.enrol("viewer")
    victim = desk.nobody()
    victim.cookies.set("adapter", "planted")
    known = desk.enrolled["viewer"]
    given = {"name": "viewer", "password": known.password, "code": desk.code("viewer")}
    answer = victim.ask("POST", "/sign-in", given)
    assert answer.status_code == 303 and answer.cookies["adapter"] != "planted"
    attacker = desk.nobody()
    attacker.cookies.set("adapter", "planted")
    assert _home(attacker, desk) == 303


def test_signing_out_ends_the_session_itself(desk: Desk) -> None:
    visitor, thief = desk.session_of("viewer"), desk.nobody()
    thief.cookies.set("adapter", visitor.token)
    assert _home(thief, desk) == 200
    answer = visitor.ask("POST", "/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert _home(thief, desk) == 303


def test_who_is_removed_or_reset_is_out_at_once(desk: Desk) -> None:
    first, second = desk.session_of("viewer"), desk.session_of("admin")
    remove(desk.app.engine, "viewer", actor="person:test", now=desk.now)
    reset(desk.app.engine, desk.app.key, "admin", actor="person:test", now=desk.now)
    assert _home(first, desk) == _home(second, desk) == 303


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "\t//evil.example", "é"])
def test_signing_in_leads_to_no_other_site(desk: Desk, to: str) -> None:
    desk.enrol("viewer")
    assert desk.sign_in("viewer", next=to)[1].headers["Location"] == "/"
    assert desk.sign_in("viewer", next="/p/main-street/break-glass")[1].headers["Location"].startswith("/p/")


def test_before_there_is_anybody_the_page_says_how_to_add_the_first(desk: Desk) -> None:
    assert "adapter people add" in desk.nobody().ask("GET", "/sign-in").text
    desk.enrol("viewer")
    assert "adapter people add" not in desk.nobody().ask("GET", "/sign-in").text


def test_the_pages_speak_spanish(desk: Desk) -> None:
    visitor = desk.nobody()
    assert "Iniciar sesión" in visitor.ask("GET", "/sign-in", headers={"Accept-Language": "es-MX,en;q=0.5"}).text
    answer = visitor.ask("POST", "/language", {"language": "es", "next": "/sign-in"})
    assert answer.headers["Location"] == "/sign-in"
    assert 'lang="es"' in visitor.ask("GET", "/sign-in").text


def test_glass_that_is_broken_is_recorded_and_mends_itself(desk: Desk) -> None:
    viewer = desk.session_of("viewer")
    path = f"/p/{HERE}/break-glass"
    assert viewer.ask("POST", path, {"reason": "too short"}).status_code == 422
    assert viewer.ask("POST", path, {"reason": "The mother is at the desk, the others are ill."}).status_code == 303
    assert _trail(desk, HERE) == ["desk:viewer glass-broken"] and "desk:viewer glass-broken" in _trail(desk)
    assert "You may do more than usual" in viewer.ask("GET", path).text
    desk.now += timedelta(minutes=10)
    assert "You may do more than usual" in viewer.ask("GET", path).text
    desk.now += timedelta(minutes=14)
    viewer.ask("GET", path)
    desk.now += timedelta(minutes=7)
    assert "You may do more than usual" not in viewer.ask("GET", path).text
    assert desk.session_of("admin").ask("POST", path, {"reason": "There is nothing to gain."}).status_code == 422
