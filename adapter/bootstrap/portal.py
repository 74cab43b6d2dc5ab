"""A practice's portal, as its settings want it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import requests
import sqlalchemy as sa

from adapter.http.client_secret import ClientSecret
from adapter.http.token_endpoint import Login, TokenEndpoint
from adapter.http.wire import make_session
from adapter.portal import Portal
from adapter.portal.embedded import EmbeddedPortal
from adapter.portal.sign_in import ClientCredentials, FixedToken, SignIn
from adapter.portal.wire import Wire
from adapter.settings import EmbeddedPortal as EmbeddedSettings
from adapter.settings import FhirPortal as FhirSettings
from adapter.settings import HttpPortal as HttpSettings
from adapter.settings import RemotePortal
from adapter.settings import ScimPortal as ScimSettings
from adapter.store.engine import make_engine

if TYPE_CHECKING:
    from adapter.portal.signature import Seal

SCIM, FHIR, JSON = "application/scim+json", "application/fhir+json", "application/json"


def make_portal(
    portal: EmbeddedSettings | ScimSettings | FhirSettings | HttpSettings,
    *,
    practice: str,
    own: Callable[[], sa.Engine],
    clock: Callable[[], datetime],
) -> Portal:
    """A practice's portal; ``own`` gives the adapter's database, in which the embedded one may keep its tables.

    Raises ConfigError when a secret cannot be had.
    """
    if isinstance(portal, EmbeddedSettings):
        engine = make_engine(portal.store_url.get_secret_value()) if portal.store_url else own()
        minutes = portal.show_after_minutes
        return EmbeddedPortal(engine, practice=practice, show_after_minutes=minutes, now=clock)
    from adapter.portal.fhir import FhirPortal  # FHIR's models take longer to load than a small sync to run
    from adapter.portal.http import HttpPortal
    from adapter.portal.scim import ScimPortal

    session = make_session(portal.concurrency)
    wire = Wire(
        portal.base_url,
        sign_in=_sign_in(portal, session, clock),
        session=session,
        timeout=portal.timeout_seconds,
        media=SCIM if isinstance(portal, ScimSettings) else FHIR if isinstance(portal, FhirSettings) else JSON,
        clock=clock,
        seal=_seal(portal, clock),
    )
    if isinstance(portal, HttpSettings):
        return HttpPortal(wire, practice=practice, concurrency=portal.concurrency)
    if isinstance(portal, FhirSettings):
        return FhirPortal(wire, practice=practice, concurrency=portal.concurrency)
    return ScimPortal(wire, practice=practice, concurrency=portal.concurrency)


def _seal(portal: RemotePortal, clock: Callable[[], datetime]) -> "Seal | None":
    secret = portal.signing_secret
    if secret is None or portal.key_id is None:
        return None
    from adapter.portal.signature import Seal

    return Seal(key_id=portal.key_id, secret=secret, clock=clock)


def _sign_in(portal: RemotePortal, session: requests.Session, clock: Callable[[], datetime]) -> SignIn:
    if portal.auth not in ("client_secret", "smart") or not portal.client_id or not portal.token_url:
        return FixedToken(portal.token)
    login = _login(portal, portal.client_id, clock)
    endpoint = TokenEndpoint(
        session=session, timeout=portal.timeout_seconds, sleep=time.sleep, clock=clock, whom="the portal"
    )
    return ClientCredentials(endpoint, login, token_url=portal.token_url, scopes=portal.scopes, clock=clock)


def _login(portal: RemotePortal, client_id: str, clock: Callable[[], datetime]) -> Callable[[str], Login]:
    """A secret, or with SMART Backend Services a signed assertion, by the same code as at the EHR."""
    if portal.auth == "smart" and portal.private_key_file:
        from adapter.http.keys import read_key  # cryptography, which only this needs
        from adapter.http.smart import Assertion

        key = read_key(portal.private_key_file, key_id=portal.key_id, algorithm=portal.algorithm)
        return Assertion(client_id=client_id, key=key, clock=clock)
    secret = portal.client_secret
    assert secret is not None
    return ClientSecret(client_id=client_id, secret=secret, method=portal.client_auth)
