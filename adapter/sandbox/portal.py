"""A portal that speaks SCIM 2.0, on this machine only: scim2-server with the adapter's extension and a home page.

It comes with the extra ``sandbox``: ``pip install "fhir-portal-adapter[sandbox]"``.
"""

import secrets
import threading
from datetime import datetime
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Annotated, Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from adapter.errors import FatalError
from adapter.portal.scim.records import EXTENSION, HOME_PAGE
from adapter.sandbox.loopback import HOST

try:
    from scim2_models import (
        URN,
        AuthenticationScheme,
        ComplexAttribute,
        Extension,
        Mutability,
        Required,
        Resource,
        ResourceType,
        ScimProvider,
        User,
    )
    from scim2_server.memory import InMemoryStorage
    from scim2_server.service import ScimService
    from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
    from scim2_server.utils import load_default_service_provider_config
except ImportError:
    raise FatalError(
        'The SCIM portal of the sandbox is not installed. Install it with: pip install "fhir-portal-adapter[sandbox]"'
    ) from None


class Dependent(ComplexAttribute):
    """A chart that the account may open, until its moment."""

    patient: str | None = None
    relationship: str | None = None
    authority: str | None = None
    access: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_self: bool | None = None
    organization: str | None = None


class PortalUser(Extension):
    """What a portal needs beyond a User. The last three are the portal's own."""

    __schema__ = URN(EXTENSION)

    status: str | None = None
    dependents: list[Dependent] | None = None
    registered_at: Annotated[datetime | None, Mutability.read_only] = None
    locked: Annotated[bool | None, Mutability.read_only] = None
    last_sign_in: Annotated[datetime | None, Mutability.read_only] = None


class HomePage(Resource[Any]):
    """The payment widget of a practice."""

    __schema__ = URN(HOME_PAGE)

    revision: Annotated[int | None, Required.true] = None
    content: Annotated[str | None, Required.true] = None


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: its lines would name the people of the demo."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class SandboxPortal:
    """A SCIM portal inside a ``with`` block, at ``base_url``; it takes only ``token``."""

    def __init__(self, *, port: int = 0, patch: bool = True, bulk: bool = True, extension: bool = True) -> None:
        self.token = secrets.token_urlsafe(24)
        self.storage = InMemoryStorage()
        config = load_default_service_provider_config()
        schemes: list[AuthenticationScheme] = [*(config.authentication_schemes or []), BEARER_TOKEN_SCHEME]
        config.authentication_schemes = schemes
        assert config.patch is not None and config.bulk is not None
        config.patch.supported, config.bulk.supported = patch, bulk
        user: Any = User[PortalUser] if extension else User
        types = [ResourceType.from_resource(user), ResourceType.from_resource(HomePage)]
        models: list[Any] = [User, HomePage, *((PortalUser,) if extension else ())]
        provider = ScimProvider(models=models, resource_types=types, config=config)
        self.app = BearerTokenApplication(self.storage, provider, ScimService(provider), bearer_tokens=[self.token])
        self._server = _Server((HOST, port), _Quiet)
        self._server.set_app(self.app)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def secret(self) -> str:
        """By which it knows the adapter."""
        return self.token

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._server.server_port}/v2"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def users(self) -> list[dict[str, Any]]:
        """Every User as it would be shown."""
        found: list[Any] = self.storage.resources
        return [one.model_dump() for one in found if isinstance(one, User)]

    def register(self, email: str, at: datetime) -> None:
        """A parent chooses a password. Raises KeyError when nobody has this address."""
        with self.storage.lock:
            found: list[Any] = self.storage.resources
            user = next((one for one in found if isinstance(one, User) and one.user_name == email), None)
            if user is None:
                raise KeyError(email)
            user[PortalUser].registered_at = at
            assert user.meta is not None
            user.meta.version = self.storage.next_version()
