"""FHIR servers nobody here wrote (`make peers` installs them), each as a process on a free port of this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
import requests

from adapter.sandbox.charts import Resource

HERE = Path(__file__).parent
INSTALLED = Path(os.environ.get("PEERS") or HERE.parents[1] / ".venv" / "peers")
_PATIENCE = 60
"""Seconds; Medplum's definitions take a few on a busy machine."""


@contextmanager
def medplum(folder: Path, resources: Iterable[Resource]) -> Iterator[str]:
    """Medplum's search and batch; gives the FHIR base URL. Skips where node or the packages are not installed."""
    modules = INSTALLED / "medplum" / "node_modules"
    node = which("node")
    if node is None or not modules.is_dir():
        pytest.skip("Medplum's packages are not installed; run `make peers`")
    folder.mkdir()
    (folder / "node_modules").symlink_to(modules)
    (folder / "server.mjs").write_bytes((HERE / "medplum" / "server.mjs").read_bytes())
    (folder / "all.ndjson").write_text("".join(f"{json.dumps(resource)}\n" for resource in resources))
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}/fhir"
    with _running([node, "server.mjs", str(port), "all.ndjson"], folder, f"{base_url}/metadata"):
        yield base_url


@contextmanager
def fhirsnake(folder: Path, resources: Iterable[Resource]) -> Iterator[str]:
    """A server of files that neither pages nor searches; gives its base URL. Skips where it is not installed."""
    packages = INSTALLED / "fhirsnake"
    if not packages.is_dir():
        pytest.skip("fhirsnake is not installed; run `make peers`")
    for resource in resources:
        path = folder / "resources" / resource["resourceType"] / f"{resource['id']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(resource))
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": f"{packages}{os.pathsep}{packages / 'fhirsnake'}"}
    with _running(command, folder, f"{base_url}/Patient", environment):
        yield base_url


@contextmanager
def _running(
    command: Sequence[str], folder: Path, answers: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Runs a server until the block ends, which begins as soon as the address answers."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
        try:
            limit = time.monotonic() + _PATIENCE
            while not _is_up(answers):
                assert process.poll() is None and time.monotonic() < limit, log.read_text()[-2000:]
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(10)


def _is_up(address: str) -> bool:
    try:
        return requests.get(address, timeout=20).ok
    except requests.ConnectionError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
