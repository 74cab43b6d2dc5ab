"""Downloads every Patient with one of the peers; runs in the peers' own environment, where the adapter is not.

``python peers_download.py PEER BASE_URL TOKEN`` prints one JSON document: the ids that came, and the exception that
ended it, if any. ``fhir-pyrate`` is for ``benchmarks.http``, which also asks for other types and another page size.
"""

import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PAGE_SIZE = 4
Download = Callable[[str, str, str, int], list[str]]
"""``download(base_url, token, resource type, page size)`` gives the ids in the order in which they came."""


def fhirpy(base_url: str, token: str, kind: str, page_size: int) -> list[str]:
    from fhirpy import SyncFHIRClient

    client = SyncFHIRClient(base_url, authorization=f"Bearer {token}")
    return [str(resource["id"]) for resource in client.resources(kind).limit(page_size).fetch_all()]


def fhirclient(base_url: str, token: str, kind: str, page_size: int) -> list[str]:
    from fhirclient.auth import FHIRAuth
    from fhirclient.models import fhirsearch, patient, relatedperson
    from fhirclient.server import FHIRServer

    model: Any = {"Patient": patient.Patient, "RelatedPerson": relatedperson.RelatedPerson}[kind]
    server = FHIRServer(None, base_uri=base_url)
    server.auth = FHIRAuth.create("oauth2", {"access_token": token})
    search = fhirsearch.FHIRSearch(model, {"_count": str(page_size)})
    return [str(resource.id) for resource in search.perform_resources_iter(server)]


def smart_fetch(base_url: str, token: str, kind: str, page_size: int) -> list[str]:
    """Its own command; it knows no page size and no RelatedPerson, and wants ids: the hostile server ignores them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "token").write_text(token, encoding="utf-8")
        command = [str(Path(sys.executable).with_name("smart-fetch")), "crawl", "--no-compression", "--type", kind]
        command += [
            "--id-list",
            "p1",
            "--fhir-url",
            base_url,
            "--bearer-token",
            str(folder / "token"),
            str(folder / "out"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        lines = [
            line
            for path in sorted((folder / "out").glob(f"{kind}*.ndjson"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        found = [str(json.loads(line)["id"]) for line in lines]
        if done.returncode:
            raise Told(f"exit code {done.returncode}", found)
        return found


def fhir_pyrate(base_url: str, token: str, kind: str, page_size: int) -> list[str]:
    import requests
    from fhir_pyrate import Pirate

    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    pirate = Pirate(base_url=base_url, auth=session, num_processes=1)
    bundles = pirate.steal_bundles(resource_type=kind, request_params={"_count": page_size}, num_pages=-1)
    return [str(entry.resource.id) for bundle in bundles for entry in bundle.entry or ()]


class Told(Exception):
    """The peer said that something went wrong, and left these rows."""

    def __init__(self, how: str, rows: list[str]) -> None:
        self.how = how
        self.rows = rows
        super().__init__(how)


PEERS: dict[str, Download] = {
    "fhirpy": fhirpy,
    "fhirclient": fhirclient,
    "smart-fetch": smart_fetch,
    "fhir-pyrate": fhir_pyrate,
}


def main(arguments: Sequence[str]) -> None:
    logging.disable()
    peer, base_url, token = arguments[:3]
    kind, page_size = (arguments[3], int(arguments[4])) if len(arguments) > 3 else ("Patient", PAGE_SIZE)
    answer: dict[str, Any] = {"rows": [], "told": ""}
    try:
        answer["rows"] = [row for one in kind.split(",") for row in PEERS[peer](base_url, token, one, page_size)]
    except Told as error:
        answer = {"rows": error.rows, "told": error.how}
    except Exception as error:
        answer["told"] = type(error).__name__
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
