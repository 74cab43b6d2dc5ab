"""Next links and redirects that try to lead elsewhere: nobody but the EHR is asked, and nobody gets the token."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from adapter.ehr import ReadResult
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.bearer import Bearer
from tests.edges.ehr.families import families, quiet
from tests.edges.ehr.scripted import Reply, ScriptedEhr

TOKEN = "canary-token"
# fmt: off
TRICKS = [
    # another origin, plainly
    "http://{there}/fhir/Patient", "http://{there}", "http://{there}/fhir/Patient?page=2", "//{there}/fhir/Patient",
    "HTTP://{there}/fhir/Patient", "http:////{there}/fhir/Patient", "http:/{there}/fhir/Patient",
    "http:{there}/fhir/Patient", "https://{there}/fhir/Patient", "///{there}/fhir/Patient", "////{there}/fhir",
    # user names, ports and marks that parsers read differently
    "http://{here}@{there}/fhir/Patient", "http://{here}:pass@{there}/fhir/Patient", "http://@{there}/fhir/Patient",
    "http://{here}%40{there}/fhir/Patient", "http://{there}#@{here}/fhir/Patient", "http://{there}?@{here}/fhir/Patient",
    "http://{there}\\@{here}/fhir/Patient", "http://{here}\\@{there}/fhir/Patient", "http:\\\\{there}\\fhir\\Patient",
    "/\\{there}/fhir/Patient", "\\\\{there}/fhir/Patient", "http://{there}/\\{here}/fhir/Patient",
    "http://{there};@{here}/fhir", "http://{there},{here}/fhir", "http://{there} {here}/fhir",
    # blanks and control characters, which some parsers drop
    " http://{there}/fhir/Patient", "\thttp://{there}/fhir/Patient", "ht\ntp://{there}/fhir/Patient",
    "http://\n{there}/fhir/Patient", "http://{there}\t/fhir/Patient", "\u00a0http://{there}/fhir/Patient",
    "/\t/{there}/fhir/Patient", "\x00http://{there}/fhir",
    # other ways to write this machine
    "http://localhost:{port}/fhir/Patient", "http://127.1:{port}/fhir/Patient", "http://0x7f000001:{port}/fhir/Patient",
    "http://2130706433:{port}/fhir/Patient", "http://0177.0.0.1:{port}/fhir/Patient", "http://[::1]:{port}/fhir/Patient",
    "http://[::ffff:127.0.0.1]:{port}/fhir/Patient", "http://127.0.0.1.:{port}/fhir/Patient",
    "http://127。0。0。1:{port}/fhir/Patient", "http://①②⑦.0.0.1:{port}/fhir/Patient", "http://0:{port}/fhir/Patient",
    # other schemes
    "ftp://{there}/fhir/Patient", "file:///etc/hostname", "file://{there}/etc/hostname", "gopher://{there}/_GET",
    "data:application/json,{{}}", "javascript:alert(1)", "ws://{there}/fhir", "jar:http://{there}/fhir!/",
    # the EHR's own origin, but not its FHIR base
    "http://{here}/admin", "http://{here}/fhir/../admin", "http://{here}/fhir/%2e%2e/admin",
    "http://{here}/fhir/..;/admin", "http://{here}/fhirx/Patient", "/admin", "../../admin", "http://{here}/",
]
# fmt: on
FIRST_TOKEN_ONLY = {f"Bearer {TOKEN}"}


@pytest.fixture
def elsewhere() -> Iterator[ScriptedEhr]:
    with ScriptedEhr(families()) as server:
        yield server


def _next_link(url: str) -> Callable[[Reply], None]:
    def spoil(reply: Reply) -> None:
        reply.json["link"] = [{"relation": "next", "url": url}]

    return spoil


def _location(url: str) -> Callable[[Reply], None]:
    def spoil(reply: Reply) -> None:
        reply.status, reply.json, reply.headers["Location"] = 302, {}, _one_line(url)

    return spoil


def _one_line(url: str) -> str:
    """A header cannot hold line ends, nor anything but Latin-1."""
    return url.replace("\n", " ").encode("utf-8").decode("latin-1")


@pytest.mark.parametrize("way", [_next_link, _location])
@pytest.mark.parametrize("page", [1, 2, 3])
def test_no_address_leads_a_question_or_the_token_away(
    elsewhere: ScriptedEhr, way: Callable[[str], Any], page: int
) -> None:
    assert len(TRICKS) >= 40
    there = elsewhere.origin.removeprefix("http://")
    for trick in TRICKS:
        with ScriptedEhr(families(6)) as ehr:
            here, port = ehr.origin.removeprefix("http://"), there.partition(":")[2]
            ehr.fault("Patient", way(trick.format(here=here, there=there, port=port)), page=page)
            result = ReadResult(full=True)
            reader = FhirReader(
                ehr.base_url, authorization=Bearer(SecretStr(TOKEN)), page_size=2, sleep=lambda seconds: None
            )
            list(reader.read(result, marks={}, progress=quiet))
            assert not result.complete, trick
            assert result.marks == {}, trick
            assert all(path.startswith("/fhir/") for path in ehr.requests), trick
            assert "admin" not in "".join(ehr.requests), trick
            assert ehr.tokens == FIRST_TOKEN_ONLY, trick
        assert elsewhere.requests == [], trick
        assert elsewhere.tokens == set(), trick
