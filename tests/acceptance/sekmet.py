"""A FHIR server nobody here wrote (sekmet-fhir), as a process of its own on a free port of this machine only."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from adapter.sandbox.charts import Resource

SETTINGS = """
base_url: {base_url}
host: 127.0.0.1
port: {port}
data_dir: data
simulator: {{enabled: false}}
validation: {{inbound: "off"}}
log_inbound: false
"""
FHIR = {"Content-Type": "application/fhir+json"}


class Sekmet:
    """The running server."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()

    def put(self, resource: Resource) -> bool:
        """Stores a resource; False when the server will not have it."""
        address = f"{self.base_url}/{resource['resourceType']}/{resource['id']}"
        return self.session.put(address, json=resource, headers=FHIR, timeout=20).status_code in (200, 201)

    def delete(self, ref: str) -> None:
        self.session.delete(f"{self.base_url}/{ref}", timeout=20).raise_for_status()

    def ready(self) -> bool:
        try:
            return self.session.get(f"{self.base_url}/metadata", timeout=20).ok
        except requests.ConnectionError:
            return False


@contextmanager
def running_sekmet(folder: Path, *, more: str = "") -> Iterator[Sekmet]:
    """Runs the server in ``folder`` until the block ends; ``more`` are further lines of its settings (YAML)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir()
    base_url = f"http://127.0.0.1:{port}/fhir"
    (folder / "settings.yaml").write_text(SETTINGS.format(base_url=base_url, port=port) + more)
    command = [str(Path(sys.executable).with_name("sekmet")), "serve", "-c", "settings.yaml", "--host", "127.0.0.1"]
    server = Sekmet(base_url)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            limit = time.monotonic() + 30
            while not server.ready():
                assert process.poll() is None and time.monotonic() < limit, (folder / "log").read_text()
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait(10)
