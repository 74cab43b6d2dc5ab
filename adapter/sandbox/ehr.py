"""The demo EHR: a FHIR R4 server on this machine, with the edits a practice's staff would make."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, cast

import orjson

from adapter.sandbox.charts import AUTHORITY, ROLE_CODES, Resource, authority_extension, relationship
from adapter.sandbox.ehr_app import Ehr, build_app
from adapter.sandbox.ehr_store import Store, Version
from adapter.sandbox.loopback import HOST, LoopbackServer, listen


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SandboxEhr:
    """A FHIR server filled with ``resources``, running inside a ``with`` block.

    ``token`` makes it ask for that bearer token. ``revinclude=False`` makes it a server without ``_revinclude``.
    ``port=0`` takes any free one. ``clock`` gives the server's time, for ``meta.lastUpdated``.
    The editing methods work from any thread, on the running server or before; each returns the new version.
    They raise KeyError when there is no such resource, or no longer.
    """

    def __init__(
        self,
        resources: Iterable[Resource] = (),
        *,
        token: str | None = None,
        revinclude: bool = True,
        port: int = 0,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.requests: list[str] = []
        """One ``GET /fhir/Patient`` per request, in order: method and path, nothing that could name a person."""
        self.base_url = ""
        """The FHIR base, ``http://127.0.0.1:<port>/fhir``, while the server runs."""
        self._token, self._revinclude, self._port, self._clock = token, revinclude, port, clock
        self._store = Store(clock=clock)
        self._running = ExitStack()
        for resource in resources:
            self._store.put(resource)

    def __enter__(self) -> Self:
        listener = listen(self._port)
        self.base_url = f"http://{HOST}:{listener.getsockname()[1]}/fhir"
        ehr = Ehr(
            store=self._store,
            base_url=self.base_url,
            token=self._token,
            revinclude=self._revinclude,
            clock=self._clock,
            requests=self.requests,
        )
        self._running.enter_context(LoopbackServer(listener, build_app(ehr)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def put(self, resource: Resource) -> Resource:
        """Creates or updates. Raises ``ehr_store.Unacceptable`` without a known type and a proper id."""
        return _decoded(self._store.put(resource))

    def get(self, ref: str) -> Resource:
        """The current version of ``Patient/..`` or ``RelatedPerson/..``."""
        versions = self._store.versions(ref)
        if not versions or versions[-1].body is None:
            raise KeyError(ref)
        return _decoded(versions[-1])

    def delete(self, ref: str) -> None:
        """Deletes; the server answers 410 from now on."""
        self._store.delete(ref)

    def change_role(self, ref: str, text: str, code: str | None = None) -> Resource:
        """Changes a Family Contact's Role/Reason; the code is the v3-RoleCode of that text when left out."""
        return self.put(self.get(ref) | {"relationship": [relationship(text, code or ROLE_CODES.get(text))]})

    def change_authority(self, ref: str, value: str | None) -> Resource:
        """Changes a Family Contact's Authority: ``joint``, ``exclusive``, ``none``; None clears the field."""
        contact = self.get(ref)
        others = [extension for extension in contact.pop("extension", []) if extension.get("url") != AUTHORITY]
        extensions = others if value is None else [*others, authority_extension(value)]
        return self.put(contact | ({"extension": extensions} if extensions else {}))

    def change_email(self, ref: str, value: str | None) -> Resource:
        """Puts this address in place of every other; None clears the field."""
        resource = self.get(ref)
        others = [point for point in resource.pop("telecom", []) if point.get("system") != "email"]
        points = others if value is None else [*others, {"system": "email", "value": value, "use": "home"}]
        return self.put(resource | ({"telecom": points} if points else {}))


def _decoded(version: Version) -> Resource:
    return cast(Resource, orjson.loads(version.body or b"{}"))
