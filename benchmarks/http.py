"""A first full sync over HTTP beside clients that only download: ``python -m benchmarks.http``.

The adapter downloads, maps, decides and stores; fhirpy and fhir-pyrate download the same pages of Patients and
RelatedPersons and keep nothing. Every part is a process of its own, by turns, medians count. Two servers: the sandbox
EHR and, with ``--sekmet``, one that nobody here wrote.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import requests

from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.families import population
from benchmarks.peers import HERE, environment
from benchmarks.practice import CHILDREN_PER_FAMILY, CONFIG

HELD = 3
KINDS = "Patient,RelatedPerson"
PEERS = ("fhirpy", "fhir-pyrate")
FILES_EHR = 'kind = "files"\npath = "../ehr/"'
SEKMET = """
base_url: {base_url}
host: 127.0.0.1
port: {port}
data_dir: data
simulator: {{enabled: false}}
validation: {{inbound: "off"}}
log_inbound: false
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__.partition("\n")[0])
    parser.add_argument("--patients", type=int, default=5_000, help="charts in the EHR (5000)")
    parser.add_argument("--page-size", type=int, default=200, help="of all of them (200)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--sekmet", action="store_true", help="measure with sekmet-fhir too; filling it takes minutes")
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    python = options.python or environment(Path("var/peers"))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for server in (sandbox, sekmet) if options.sekmet else (sandbox,):
            folder = Path(name) / server.__name__
            folder.mkdir()
            with server(folder, options.patients) as base_url:
                compare(server.__name__, folder, base_url, python, options.page_size, options.rounds)


def compare(name: str, folder: Path, base_url: str, python: Path, page_size: int, rounds: int) -> None:
    """Prints the seconds of each, and how the adapter's whole sync compares with the faster download.

    A peer that does not get every row is named and not compared with: to lose rows is no way to be fast.
    """
    times: dict[str, list[float]] = {"adapter sync": [], **{peer: [] for peer in PEERS}}
    got: dict[str, int] = {}
    script = str(HERE / "peers_download.py")
    for turn in range(rounds):
        config = write_config(folder / str(turn), base_url, page_size)
        took, report = run(sys.executable, "-m", "adapter", "--config", str(config), "sync", "--json")
        times["adapter sync"].append(took)
        got["adapter sync"] = report["read"]["resources"]
        for peer in PEERS:
            took, answer = run(str(python), "-P", script, peer, base_url, "none", KINDS, str(page_size))
            times[peer].append(took)
            got[peer] = len(set(answer["rows"]))
    for what, found in times.items():
        print(f"{name}: {what} {median(found):.2f} s, {got[what]:,} resources", flush=True)
    whole = [peer for peer in PEERS if got[peer] >= got["adapter sync"]]
    fastest = min(whole, key=lambda peer: median(times[peer]))
    ratio = median(times["adapter sync"]) / median(times[fastest])
    print(f"{name}: the whole sync takes {ratio:.2f} x the download by {fastest}", flush=True)


def run(*command: str) -> tuple[float, Any]:
    """How long a command takes, and the JSON document it prints. Raises SystemExit when it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    took = time.perf_counter() - started
    if done.returncode not in (0, HELD):
        raise SystemExit(f"{command} failed: {(done.stdout + done.stderr)[-500:]}")
    return took, json.loads(done.stdout if done.stdout.startswith("{\n") else done.stdout.splitlines()[-1])


def write_config(folder: Path, base_url: str, page_size: int) -> Path:
    folder.mkdir(parents=True)
    config = folder / "config.toml"
    assert FILES_EHR in CONFIG
    here = f'kind = "fhir"\nbase_url = "{base_url}"\npage_size = {page_size}'
    config.write_text(CONFIG.replace(FILES_EHR, here), encoding="utf-8")
    return config


@contextmanager
def sandbox(_folder: Path, patients: int) -> Iterator[str]:
    """The sandbox EHR in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.http", "--serve", str(patients)]
    with subprocess.Popen(
        command, cwd=HERE.parent, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def serve(patients: int) -> None:
    """Serves so many charts until stdin ends; prints the address."""
    today = datetime.now(UTC).date()
    with SandboxEhr(population(round(patients / CHILDREN_PER_FAMILY), today=today)) as ehr:
        print(ehr.base_url, flush=True)
        sys.stdin.read()


@contextmanager
def sekmet(folder: Path, patients: int) -> Iterator[str]:
    """sekmet-fhir, filled with the same families."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}/fhir"
    (folder / "settings.yaml").write_text(SEKMET.format(base_url=base_url, port=port), encoding="utf-8")
    program = str(Path(sys.executable).with_name("sekmet"))
    with (folder / "log").open("wb") as log:
        command = [program, "serve", "-c", "settings.yaml", "--host", "127.0.0.1"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            fill(base_url, patients)
            yield base_url
        finally:
            process.terminate()
            process.wait(10)


def fill(base_url: str, patients: int) -> None:
    """Waits for the server and puts the families into it, 500 at a time."""
    session = requests.Session()
    for _ in range(200):
        try:
            if session.get(f"{base_url}/metadata", timeout=5).ok:
                break
        except requests.ConnectionError:
            time.sleep(0.1)
    resources = population(round(patients / CHILDREN_PER_FAMILY), today=datetime.now(UTC).date())
    while some := list(islice(resources, 500)):
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in some
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        session.post(base_url, json=bundle, timeout=300).raise_for_status()


if __name__ == "__main__":
    main()
