"""What guards every route: generated from the routes, so that a new one is tested before anybody thinks of it."""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from adapter.web.guard import Door
from adapter.web.headers import SECURITY_HEADERS
from adapter.web.pages import CSP
from adapter.web.permissions import Need
from tests.edges.web.desk import Desk, all_doors, name_of, path_of, serving

DOORS = all_doors()
PAGES = [door for door in DOORS if door.need is not Need.SECRET]
CHANGES = [door for door in PAGES if door.method != "GET"]
SIGNED_IN = [door for door in CHANGES if door.need is not Need.NOTHING]
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.mark.parametrize("door", SIGNED_IN, ids=name_of)
def test_a_form_without_this_sessions_token_changes_nothing(desk: Desk, door: Door) -> None:
    visitor, other = desk.session_of("admin"), desk.session_of("admin")
    for given in ("", "0" * 64, other.csrf):
        assert visitor.ask(door.method, path_of(door), {"csrf": given}).status_code == 403


@pytest.mark.parametrize("door", CHANGES, ids=name_of)
def test_a_form_of_another_site_changes_nothing(desk: Desk, door: Door) -> None:
    visitor = desk.session_of("admin")
    for origin in (EVIL, "null", "http://127.0.0.1:1", "", None):
        assert visitor.ask(door.method, path_of(door), headers={"Origin": origin}).status_code == 403, origin


@pytest.mark.parametrize("door", CHANGES, ids=name_of)
def test_a_browser_that_says_cross_site_changes_nothing(desk: Desk, door: Door) -> None:
    headers = {"Origin": None, "Sec-Fetch-Site": "cross-site"}
    assert desk.session_of("admin").ask(door.method, path_of(door), headers=headers).status_code == 403


@pytest.mark.parametrize("door", PAGES, ids=name_of)
def test_every_answer_has_its_security_headers(desk: Desk, door: Door) -> None:
    answer = desk.session_of("admin").ask(door.method, path_of(door))
    own = {"Content-Security-Policy", "Referrer-Policy", "Cache-Control"}
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value or name in own, name
    policy = answer.headers["Content-Security-Policy"]
    assert policy in (CSP, SECURITY_HEADERS["Content-Security-Policy"]) and "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    cached = answer.headers["Cache-Control"]
    assert cached == "no-store" or door.route.path.startswith("/static/")
    assert "server" not in answer.headers


@pytest.mark.parametrize("door", PAGES, ids=name_of)
def test_a_host_that_is_not_ours_reaches_no_route(desk: Desk, door: Door) -> None:
    answer = desk.session_of("admin").ask(door.method, path_of(door), headers={"Host": "evil.example"})
    assert answer.status_code == 400


@pytest.mark.parametrize("door", PAGES, ids=name_of)
def test_no_header_makes_one_method_another(desk: Desk, door: Door) -> None:
    headers = dict.fromkeys(("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"), door.method)
    plain, tricked = desk.session_of("admin"), desk.session_of("admin")
    other = "PATCH"
    refused = 404 if "/oidc" in door.route.path else 405  # there is no provider here
    assert plain.ask(other, path_of(door)).status_code == refused
    assert tricked.ask(other, path_of(door), {"_method": door.method}, headers=headers).status_code == refused


@pytest.mark.parametrize("door", PAGES, ids=name_of)
def test_no_header_changes_where_an_answer_leads(desk: Desk, door: Door) -> None:
    headers = dict.fromkeys(("X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL"), urlsplit(EVIL).netloc)
    headers["Forwarded"] = f"host={urlsplit(EVIL).netloc}"
    answer = desk.session_of("admin").ask(door.method, path_of(door), headers=headers)
    assert "evil.example" not in answer.headers.get("Location", "") + answer.text


@pytest.mark.parametrize("door", [door for door in PAGES if door.method == "GET"], ids=name_of)
def test_no_page_leads_elsewhere(desk: Desk, door: Door) -> None:
    visitor = desk.session_of("admin")
    for next_ in ("//evil.example", EVIL, "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y"):
        answer = visitor.ask("GET", path_of(door), params={"next": next_, "url": next_, "to": next_})
        assert "evil.example" not in answer.headers.get("Location", "") and "X" not in answer.headers, next_


def test_a_form_that_is_too_large_is_not_read_to_its_end(desk: Desk) -> None:
    visitor = desk.nobody()
    assert visitor.ask("POST", "/sign-in", {"name": "x" * 70_000}).status_code == 413
    assert visitor.ask("POST", "/sign-in", {f"f{n}": "" for n in range(2500)}).status_code == 400


def test_a_form_of_an_unknown_visitor_is_not_read_at_all(desk: Desk) -> None:
    connection = http.client.HTTPConnection(urlsplit(desk.address).netloc, timeout=10)
    connection.putrequest("POST", "/sign-out")
    connection.putheader("Content-Length", "1000000")
    connection.putheader("Content-Type", "application/x-www-form-urlencoded")
    connection.endheaders()
    assert connection.getresponse().status == 401  # although none of the body was sent
    connection.close()
