"""A portal built on a FHIR server, on this machine only: sekmet-fhir, as a process of its own.

It comes with the extra ``sandbox``: ``pip install "fhir-portal-adapter[sandbox]"``.
"""

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from adapter.errors import FatalError
from adapter.portal.fhir.records import OURS, PRACTICE
from adapter.sandbox.loopback import HOST

_SETTINGS = """
base_url: {base_url}
host: {host}
port: {port}
data_dir: data
simulator: {{enabled: false}}
validation: {{inbound: "off"}}
log_inbound: false
"""
_STARTS = 60
"""Seconds it may take to start, at most."""
_TIMEOUT = 20


class FhirSandboxPortal:
    """The server inside a ``with`` block, at ``base_url``; it asks nobody who they are. Its data goes with it."""

    secret = ""

    def __init__(self) -> None:
        self._running = ExitStack()
        self.base_url = ""

    def __enter__(self) -> Self:
        program = Path(sys.executable).with_name("sekmet")
        if not program.exists():
            raise FatalError(
                "The FHIR portal of the sandbox is not installed. Install it with: pip install "
                '"fhir-portal-adapter[sandbox]"'
            )
        with self._running as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="adapter-portal-")))
            with socket.create_server((HOST, 0)) as probe:
                port = probe.getsockname()[1]
            self.base_url = f"http://{HOST}:{port}/fhir"
            (folder / "settings.yaml").write_text(_SETTINGS.format(base_url=self.base_url, host=HOST, port=port))
            command = [str(program), "serve", "-c", "settings.yaml", "--host", HOST]
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)  # noqa: S603 # our own words
            running.callback(process.wait, 10)
            running.callback(process.terminate)
            self._wait(process)
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        limit = time.monotonic() + _STARTS
        while process.poll() is None and time.monotonic() < limit:
            try:
                requests.get(f"{self.base_url}/metadata", timeout=_TIMEOUT).raise_for_status()
                return
            except requests.RequestException:
                time.sleep(0.05)
        raise FatalError("The FHIR server of the sandbox did not start.")

    def resources(self, kind: str) -> list[dict[str, Any]]:
        """Every Person or Consent that it has."""
        found: list[dict[str, Any]] = []
        url: str | None = f"{self.base_url}/{kind}?_count=200"
        while url:
            bundle = requests.get(url, timeout=_TIMEOUT).json()
            found += [one["resource"] for one in bundle.get("entry", [])]
            url = next((one["url"] for one in bundle.get("link", []) if one["relation"] == "next"), None)
        return found

    def register(self, email: str, at: datetime) -> None:
        """A parent chooses a password. Raises KeyError when nobody has this address."""
        for person in self.resources("Person"):
            ours = any(tag.get("system") == PRACTICE for tag in person.get("meta", {}).get("tag", []))
            if ours and any(point.get("value") == email for point in person.get("telecom", [])):
                moment = {"url": f"{OURS}:registered-at", "valueDateTime": at.isoformat(timespec="seconds")}
                self.put({**person, "extension": [*person.get("extension", []), moment]})
                return
        raise KeyError(email)

    def put(self, resource: dict[str, Any]) -> None:
        """Stores a resource as somebody at the portal would."""
        address = f"{self.base_url}/{resource['resourceType']}/{resource['id']}"
        headers = {"Content-Type": "application/fhir+json"}
        requests.put(address, json=resource, headers=headers, timeout=_TIMEOUT).raise_for_status()
