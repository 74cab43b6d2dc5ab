"""The token and the questions stay with the configured EHR: links, redirects, look-alike addresses."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses
from pydantic import SecretStr

from adapter.ehr import ReadResult
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.errors import SourceError
from adapter.http import retry
from adapter.http.urls import Base, Guard, Verdict
from tests.edges.ehr import scripted
from tests.edges.ehr.families import families, quiet
from tests.edges.ehr.scripted import ScriptedEhr

BASE = Base.parse("https://ehr.example/api/fhir/")
TOKEN = "canary-token"
KNOWN = Bearer(SecretStr(TOKEN))
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def elsewhere() -> Iterator[ScriptedEhr]:
    """Another server that must never be asked."""
    with ScriptedEhr(families()) as server:
        yield server
        assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example/api/fhir",
        "https://ehr.example/api/fhir?_getpages=1",
        "https://ehr.example:443/api/fhir/Patient?page=2&_security=a|b",
        "https://EHR.example/api/fhir/Patient/p1",
    ],
)
def test_addresses_of_the_ehr_may_be_asked(url: str) -> None:
    assert BASE.allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/api/fhir/Patient",
        "https://ehr.example:8443/api/fhir/Patient",
        "https://ehr.example.evil.example/api/fhir/Patient",
        "https://evil.example/api/fhir/Patient",
        "https://ehr.example@evil.example/api/fhir/Patient",
        "https://user:pass@ehr.example/api/fhir/Patient",
        "https://ehr.example\\@evil.example/api/fhir/Patient",
        "https://ehr.example/api/fhirevil/Patient",
        "https://ehr.example/api/Patient",
        "https://ehr.example/api/fhir/../admin",
        "https://ehr.example/api/fhir/..;/admin",
        "https://ehr.example/api/fhir/%2e%2e/admin",
        "https://ehr.example/api/fhir/%252e%252e/admin",
        "https://ehr.example/api/fhir/..%2fadmin",
        "https://ehr.example/api/fhir/%5c..%5cadmin",
        "https://ehr.example/api/fhir/Pa tient",
        "https://ehr.example/api/fhir/Pat\tient",
        "https://ehr.example:0/api/fhir",
        "https://ehr.example:99999/api/fhir",
        "https://ehr.example/api/fhir/" + "x" * 20_000,
        "https://ehr.еxample/api/fhir/Patient",
        "//ehr.example/api/fhir/Patient",
        "file:///api/fhir/Patient",
        "ftp://ehr.example/api/fhir/Patient",
        "",
    ],
)
def test_any_other_address_may_not(url: str) -> None:
    assert not BASE.allows(url)


GUARD = Guard(BASE, files=(Base.parse("https://files.example/exports"), Base.parse("https://ehr.example/bulk")))


@pytest.mark.parametrize(
    ("url", "in_search", "in_export"),
    [
        ("https://ehr.example/api/fhir/Patient", Verdict.TRUSTED, Verdict.TRUSTED),
        ("https://files.example/exports/1.ndjson?signature=x", Verdict.REFUSED, Verdict.OPEN),
        ("https://ehr.example/bulk/1.ndjson", Verdict.REFUSED, Verdict.TRUSTED),
        ("https://files.example/1.ndjson", Verdict.REFUSED, Verdict.REFUSED),
        ("https://files.example/exports/../1.ndjson", Verdict.REFUSED, Verdict.REFUSED),
        ("http://files.example/exports/1.ndjson", Verdict.REFUSED, Verdict.REFUSED),
        ("https://files.example.evil.example/exports/1.ndjson", Verdict.REFUSED, Verdict.REFUSED),
        ("https://ehr.example/elsewhere/1.ndjson", Verdict.REFUSED, Verdict.REFUSED),
    ],
)
def test_a_listed_place_is_good_for_export_files_only_and_never_for_the_token(
    url: str, in_search: Verdict, in_export: Verdict
) -> None:
    for file, verdict in ((False, in_search), (True, in_export)):
        assert GUARD.judge(url, file=file) is verdict
        assert GUARD.may_fetch(url, file=file) is (verdict is not Verdict.REFUSED)
        assert GUARD.gets_token(url, file=file) is (verdict is Verdict.TRUSTED)


@pytest.mark.parametrize(
    "url", ["ehr.example/fhir", "ftp://ehr.example", "https://ehr.example/fhir?x=1", "https://a b/"]
)
def test_a_base_url_that_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        FhirReader(url)


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize(
    "form", ["{origin}/fhir/Patient?page=9", "//{host}/fhir/Patient", "http://{here}@{host}/fhir/Patient"]
)
def test_a_next_link_to_another_origin_is_not_followed(elsewhere: ScriptedEhr, form: str, page: int) -> None:
    with ScriptedEhr(families(6)) as ehr:
        host, here = elsewhere.origin.removeprefix("http://"), ehr.origin.removeprefix("http://")
        ehr.fault("Patient", scripted.next_link(form.format(origin=elsewhere.origin, host=host, here=here)), page=page)
        result = ReadResult(full=True)
        list(FhirReader(ehr.base_url, authorization=KNOWN, page_size=2).read(result, marks={}, progress=quiet))
        assert not result.complete
        assert "points to another address" in result.problems[0]
        assert ehr.tokens == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("path", ["metadata", "Patient", "RelatedPerson"])
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_origin_is_refused(elsewhere: ScriptedEhr, path: str, code: int) -> None:
    with ScriptedEhr(families(6), declares=frozenset({"patient"})) as ehr:
        ehr.fault(path, scripted.status(code, Location=f"{elsewhere.base_url}/{path}"))
        result = ReadResult(full=True)
        list(FhirReader(ehr.base_url, authorization=KNOWN).read(result, marks={}, progress=quiet))
        assert not result.complete
        assert "points to another address" in result.problems[0]


def test_a_redirect_inside_the_ehr_is_followed_and_an_endless_one_is_not() -> None:
    with ScriptedEhr(families(6)) as ehr:
        ehr.fault("Patient/p1", scripted.status(302, Location="Patient/p2"))
        with pytest.raises(SourceError, match="answered another resource"):
            FhirReader(ehr.base_url).read_one("Patient/p1")
        ehr.fault("Patient/p3", scripted.status(302, Location=f"{ehr.base_url}/Patient/p3"))
        with pytest.raises(SourceError, match="redirected more than 5 times"):
            FhirReader(ehr.base_url).read_one("Patient/p3")
        assert len(ehr.requests) == 8


class Astray(requests.Session):
    """A session that a broken proxy or plug-in sends to another address."""

    goal = ""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, self.goal, *args, **kwargs)


def test_even_a_session_that_goes_astray_does_not_take_the_token_along() -> None:
    with ScriptedEhr(families()) as other:
        session = Astray()
        session.goal = f"{other.base_url}/Patient/p1"
        FhirReader("https://ehr.example/fhir", authorization=KNOWN, session=session).read_one("Patient/p1")
        assert other.tokens == {None}


def test_a_netrc_file_does_not_replace_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with ScriptedEhr(families()) as ehr:
        FhirReader(ehr.base_url, authorization=KNOWN).read_one("Patient/p1")
        FhirReader(ehr.base_url).read_one("Patient/p1")
        assert ehr.tokens == {f"Bearer {TOKEN}", None}


def http_date(after: timedelta) -> str:
    return format_datetime(NOW + after, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": http_date(timedelta(seconds=9))}, 9),
        ({"Retry-After": http_date(timedelta(hours=1, seconds=9)), "Date": http_date(timedelta(hours=1))}, 9),
        ({"Retry-After": str(int(NOW.timestamp()) + 9)}, 9),
        ({"Retry-After": str((int(NOW.timestamp()) + 9) * 1000)}, 9),
        ({"Retry-After": "86400"}, 60),
        ({"Retry-After": "9" * 5000}, 60),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 60),
        ({"RateLimit": '"fhir";r=0;t=48'}, 48),
        ({"RateLimit": "limit=100, remaining=0, reset=48"}, 48),
        ({"RateLimit-Reset": "48"}, 48),
        ({"Retry-After": "3", "RateLimit": '"fhir";r=0;t=48'}, 3),
    ],
)
def test_the_wait_is_what_the_server_asks_for_and_a_little_more_within_a_minute(
    headers: dict[str, str], seconds: float
) -> None:
    waits = [retry.wait(1, headers, now=NOW) for _ in range(50)]
    assert all(seconds <= wait <= min(seconds * 1.1, 60) for wait in waits)
    assert len(set(waits)) > 1 or seconds in (0, 60), "those who were refused together come back apart"


@pytest.mark.parametrize(
    "after", ["", "-5", "soon", "1e9", "٣", "1767225600", "Thu, 01 Jan 2026 00:00:00 GMT", "Thu, 99 Foo 2026"]
)
def test_a_wait_that_makes_no_sense_is_our_own_and_grows(after: str) -> None:
    waits = [retry.wait(tried, {"Retry-After": after}, now=NOW) for tried in (1, 2, 3)]
    assert [0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits)] == [True] * 3


@responses.activate
def test_a_busy_server_is_asked_again_after_the_time_it_names() -> None:
    url = "https://ehr.example/fhir/Patient/p1"
    responses.get(url, status=429, headers={"Retry-After": "3"})
    responses.get(url, body=requests.exceptions.ReadTimeout("Canary"))
    responses.get(url, json={"resourceType": "Patient", "id": "p1"}, headers={"Content-Type": "application/json"})
    waits: list[float] = []
    assert FhirReader("https://ehr.example/fhir", sleep=waits.append).read_one("Patient/p1") is not None
    assert 3 <= waits[0] <= 3.3
    assert 0.5 <= waits[1] <= 1


@responses.activate
@pytest.mark.parametrize(
    ("error", "says", "tries"),
    [
        (requests.exceptions.ConnectionError("Canary"), "cannot be reached, 4 times", 4),
        (requests.exceptions.ReadTimeout("Canary"), "no answer within 30 s, 4 times", 4),
        (requests.exceptions.SSLError("Canary"), "TLS certificate is not accepted", 1),
        (requests.exceptions.InvalidHeader("Canary"), "cut off or damaged", 4),
    ],
)
def test_a_failed_connection_is_one_sentence_without_the_librarys_words(
    error: Exception, says: str, tries: int
) -> None:
    responses.get("https://ehr.example/fhir/Patient/p1", body=error)
    with pytest.raises(SourceError, match=says) as caught:
        FhirReader("https://ehr.example/fhir", sleep=lambda seconds: None).read_one("Patient/p1")
    assert "Canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(responses.calls) == tries
