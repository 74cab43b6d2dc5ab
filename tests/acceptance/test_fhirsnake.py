"""fhirsnake gives every row whatever it is asked for: it is refused in plain words, never half believed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from adapter.sandbox.charts import Resource
from tests.acceptance.adapter_cli import Adapter
from tests.peers.running import fhirsnake

DECLARED = [
    {"type": "Patient", "searchParam": [{"name": "_lastUpdated"}], "searchRevInclude": ["RelatedPerson:patient"]},
    {"type": "RelatedPerson", "searchParam": [{"name": "_lastUpdated"}, {"name": "patient"}]},
]
CAPABILITY = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "rest": [{"mode": "server", "interaction": [{"code": "batch"}], "resource": DECLARED}],
}


@pytest.fixture
def base_url(tmp_path: Path, families: list[Resource]) -> Iterator[str]:
    with fhirsnake(tmp_path / "snake", families) as address:
        yield address


@contextmanager
def promising_everything(base_url: str) -> Iterator[str]:
    """The server behind a /metadata that declares whatever the adapter could wish for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, status = json.dumps(CAPABILITY).encode(), 200
            if self.path != "/metadata":
                answer = requests.get(f"{base_url}{self.path}", timeout=20)
                body, status = answer.content, answer.status_code
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_an_ehr_without_a_capability_statement_is_refused_in_one_line(base_url: str, adapter: Adapter) -> None:
    adapter.reads_http(base_url)
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["status"]) == (1, "incomplete")
    (problem,) = done.document["problems"]
    assert problem == "GET metadata: answered something else than a CapabilityStatement. Check base_url."
    assert adapter.accounts() == []


@pytest.mark.parametrize("strategy", ["auto", "revinclude", "list", "batch", "each"])
def test_a_server_that_ignores_every_parameter_is_refused_whatever_it_declares(
    base_url: str, adapter: Adapter, strategy: str
) -> None:
    with promising_everything(base_url) as address:
        adapter.reads_http(address, strategy=strategy)
        for arguments in (["sync"], ["sync", "--full"]):
            done = adapter.run(*arguments, "--json")
            assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
            (problem,) = done.document["problems"]
            assert "does not obey" in problem and len(problem) < 900 and "\n" not in problem
    assert adapter.accounts() == []
