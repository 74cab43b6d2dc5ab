"""The page for parents: nothing happens by looking, and whatever is wrong, it says calmly what to do."""

import http.client
import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from adapter.web.headers import SECURITY_HEADERS
from adapter.web.registration.limit import MOST_CLIENTS, Limit
from adapter.web.registration.pages import WORDS
from adapter.web.registration.routes import ANSWERS
from tests.acceptance.adapter_cli import GRACE
from tests.acceptance.registration import HERE, Site, birth_dates, welcomed, with_page

API = "[practice.registration]\nsecret_file = 'registration'\n"
LONG_AGO = date(1999, 1, 1)


@pytest.fixture
def site(tmp_path: Path, sqlite_url: str) -> Iterator[Site]:
    with welcomed(tmp_path, sqlite_url, more=API) as found, with_page(found) as served:
        yield served


@pytest.fixture
def born() -> date:
    return birth_dates("okafor")[0]


def verify(site: Site, secret: str | None, **body: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
    return requests.post(f"{site.address}/register/{HERE}/verify", json=body, headers=headers, timeout=30)


def test_a_mail_scanner_can_open_the_link_a_hundred_times_and_the_mother_still_registers(
    site: Site, born: date
) -> None:
    token = site.token()
    for number in range(100):
        answer = site.get(token, method="HEAD" if number % 2 else "GET")
        assert answer.status_code == 200
    assert site.account()["status"] == "invited"
    done = site.post(token, born)
    assert done.status_code == 200
    assert "Your account is ready" in done.text and GRACE in done.text
    assert site.account()["status"] == "registered"
    assert [one.email for one in site.app.portals[HERE].accounts() if one.registered_at] == [GRACE]


def test_the_question_names_the_practice_and_nobody_else(site: Site) -> None:
    page = site.get(site.token()).text
    assert "Main Street Pediatrics" in page
    for name in ("Grace", "Okafor", GRACE, "Ada", "Ben"):
        assert name not in page
    for born in birth_dates("okafor"):
        assert born.isoformat() not in page


def test_every_link_that_does_not_work_gets_the_same_page(site: Site, born: date) -> None:
    used, tried = site.token(), "x" * 43
    site.post(used, born)
    locked = site.token("karin.lindgren@post.example")
    for _ in range(5):
        site.post(locked, LONG_AGO)
    foreign, expired = site.token(name="elm-street"), site.token("mats.lindgren@post.example")
    bodies = set()
    for token in (used, tried, locked, foreign, "", "short", "\u00e9" * 43):
        for answer in (site.get(token), site.post(token, born), site.post(token, None)):
            assert answer.status_code == 410
            bodies.add(answer.text.replace(token, "") if token else answer.text)
    site.later(hours=48)
    bodies.add(site.get(expired).text)
    (body,) = bodies
    assert "call Main Street Pediatrics at (555) 010-0100" in body


def test_a_wrong_date_can_be_put_right_and_a_date_that_is_none_costs_nothing(site: Site, born: date) -> None:
    token = site.token()
    for fields in ({"month": "13", "day": "1", "year": "2019"}, {"month": "4", "day": "27", "year": "19"}, {}):
        answer = site.post(token, None, **fields)
        assert answer.status_code == 422
        assert "Enter a whole date" in answer.text and 'aria-invalid="true"' in answer.text
    wrong = site.post(token, LONG_AGO)
    assert "You can try 4 more times." in wrong.text and "1999" not in wrong.text
    for _ in range(3):
        wrong = site.post(token, LONG_AGO)
    assert "You can try once more." in wrong.text
    assert site.post(token, born).status_code == 200


def test_the_page_speaks_spanish_where_the_browser_or_the_reader_does(site: Site, born: date) -> None:
    token = site.token()
    assert 'lang="es"' in site.get(token, lang="es").text.split("<head>")[0]
    address = f"{site.address}/register/{HERE}"
    asked = requests.get(address, params={"token": token}, headers={"Accept-Language": "es-MX,en;q=0.5"}, timeout=30)
    assert "Fecha de nacimiento de uno de sus hijos" in asked.text
    done = site.post(token, born, lang="es")
    assert done.headers["Content-Language"] == "es" and "Su cuenta está lista" in done.text


def test_both_languages_say_the_same_things() -> None:
    assert WORDS["en"].keys() == WORDS["es"].keys()
    for key, words in WORDS["en"].items():
        assert sorted(re.findall(r"\{\w+\}", words)) == sorted(re.findall(r"\{\w+\}", WORDS["es"][key])), key


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_loads_nothing_runs_nothing_and_labels_every_field(site: Site) -> None:
    answer = site.post(site.token(), LONG_AGO)
    outline = _Outline()
    outline.feed(answer.text)
    tags = [tag for tag, _ in outline.tags]
    assert not {"script", "img", "link", "iframe", "object", "svg"} & set(tags)
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on") or name == "src"]
    fields = [one for tag, one in outline.tags if tag == "input" and one.get("type") == "text"]
    assert [field["id"] for field in fields] == ["month", "day", "year"]
    assert {one["for"] for tag, one in outline.tags if tag == "label"} == {field["id"] for field in fields}
    ids = {one["id"] for _, one in outline.tags if "id" in one}
    described = [one["aria-describedby"] for _, one in outline.tags if "aria-describedby" in one]
    assert described and {name for names in described for name in str(names).split()} <= ids
    assert tags.count("h1") == tags.count("main") == 1


def test_headers_let_nothing_be_kept_framed_or_told_to_others(site: Site) -> None:
    for answer in (site.get(site.token()), site.get("nothing"), site.post(site.token(), LONG_AGO)):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "form-action 'self'" in policy and "unsafe" not in policy
        others = {name: value for name, value in SECURITY_HEADERS.items() if name != "Content-Security-Policy"}
        assert {name: answer.headers[name] for name in others} == others
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_body_that_is_no_form_uses_nothing_up(site: Site, born: date) -> None:
    token = site.token()
    address = urlsplit(site.address)
    for kind, body in (
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded", b"token=" + b"x" * 10_000),
        ("application/x-www-form-urlencoded", b"\xff\xfe&&&=="),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(100))),
    ):
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        connection.request("POST", f"/register/{HERE}", body, {"Content-Type": kind})
        assert connection.getresponse().status == 410
        connection.close()
    assert site.post(token, born).status_code == 200


def test_who_answers_all_the_time_is_asked_to_wait_and_the_link_stays_as_it_was(site: Site, born: date) -> None:
    token = site.token()
    codes = [site.post("x" * 43, LONG_AGO).status_code for _ in range(ANSWERS + 5)]
    assert 429 in codes
    waits = site.post(token, born)
    assert (waits.status_code, waits.headers["Retry-After"]) == (429, "60")
    assert site.account()["status"] == "invited"


def test_a_limit_refills_and_forgets_the_oldest() -> None:
    now = [0.0]
    limit = Limit(2, 60, lambda: now[0])
    assert [limit.allows("a") for _ in range(3)] == [True, True, False]
    assert limit.allows("b")
    now[0] = 30
    assert [limit.allows("a") for _ in range(2)] == [True, False]
    for number in range(MOST_CLIENTS):
        limit.allows(str(number))
    assert [limit.allows("a") for _ in range(2)] == [True, True]


@pytest.mark.parametrize("path", ["elm", "main-street/", "nobody", "main-street/verify/x"])
def test_there_is_no_page_of_a_practice_that_has_none(site: Site, path: str) -> None:
    assert requests.get(f"{site.address}/register/{path}", timeout=30).status_code == 404


def test_a_portal_of_its_own_can_ask_with_its_secret(site: Site, born: date) -> None:
    secret = (site.folder / "registration").read_text().strip()
    token, right = site.token(), born.isoformat()
    for given in (None, "", "wrong", secret + "x"):
        assert verify(site, given, token=token, birth_date=right).status_code == 401
    for odd in ("", "1999-1", "27.4.2019", "1999-13-01"):
        assert verify(site, secret, token=token, birth_date=odd).status_code == 422
    wrong = verify(site, secret, token=token, birth_date="1999-01-01")
    assert (wrong.status_code, wrong.json()) == (403, {"result": "wrong", "tries_left": 4})
    done = verify(site, secret, token=token, birth_date=right)
    assert done.status_code == 200
    assert done.json()["result"] == "registered" and done.json()["username"] == GRACE
    for gone in (token, "x" * 43, ""):
        again = verify(site, secret, token=gone, birth_date=right)
        assert (again.status_code, again.json()) == (410, {"result": "closed"})
