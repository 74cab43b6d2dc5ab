"""The portals that a demo can have, beside the one that comes with the adapter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class PortalKind(StrEnum):
    """Where the demo's parents sign in."""

    EMBEDDED = "embedded"
    SCIM = "scim"
    FHIR = "fhir"
    HTTP = "http"


TITLES = {PortalKind.SCIM: "SCIM 2.0", PortalKind.FHIR: "FHIR R4", PortalKind.HTTP: "by the HTTP contract"}


class RunningPortal(Protocol):
    """A portal that is somebody else's program."""

    @property
    def base_url(self) -> str:
        """Where it is."""
        ...

    @property
    def secret(self) -> str:
        """By which it knows the adapter."""
        ...

    def register(self, email: str, at: datetime) -> None:
        """A parent chooses a password. Raises KeyError when nobody has this address."""
        ...


@contextmanager
def running_portal(kind: PortalKind, clock: Callable[[], datetime]) -> Iterator[RunningPortal | None]:
    """Runs it inside the block; None for the embedded one. Raises FatalError when what it needs is not installed."""
    if kind is PortalKind.EMBEDDED:
        yield None
    elif kind is PortalKind.SCIM:
        from adapter.sandbox.portal import SandboxPortal  # what it needs is an extra, and takes a second to load

        with SandboxPortal() as scim:
            yield scim
    elif kind is PortalKind.FHIR:
        from adapter.sandbox.fhir_portal import FhirSandboxPortal

        with FhirSandboxPortal() as fhir:
            yield fhir
    else:
        from adapter.sandbox.http_portal import HttpSandboxPortal

        with HttpSandboxPortal(clock=clock) as http:
            yield http
