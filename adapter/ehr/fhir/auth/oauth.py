"""Puts together what OAuth needs: where the tokens come from, how to ask there, what for."""

import time
from collections.abc import Callable
from datetime import datetime

from adapter.ehr.fhir.auth.discovery import Discovery
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.auth.scopes import TYPES
from adapter.ehr.fhir.auth.token import TokenAuthorization
from adapter.ehr.fhir.client import Client
from adapter.http.client_secret import ClientSecret
from adapter.http.smart import Assertion
from adapter.http.token_endpoint import TokenEndpoint
from adapter.http.urls import Base
from adapter.http.wire import make_session

_MAX_BODY = 16 * 1024 * 1024


def oauth(
    base_url: str,
    login: Assertion | ClientSecret,
    *,
    token_url: str | None = None,
    scopes: tuple[str, ...] | None = None,
    types: tuple[str, ...] = TYPES,
    timeout_seconds: float = 30,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime],
) -> TokenAuthorization:
    """Tokens for the EHR at ``base_url``, renewed as long as it is read; the other parameters are those of config.toml.

    ``types`` are the resource types that will be read. Raises ValueError for an address that may be told no secret.
    """
    session = make_session(1)
    asking = Client(
        Base.parse(base_url),
        authorization=NoAuthorization(),
        timeout=timeout_seconds,
        max_body=_MAX_BODY,
        session=session,
        sleep=sleep,
        clock=clock,
    )
    return TokenAuthorization(
        name="SMART Backend Services" if isinstance(login, Assertion) else "client credentials",
        login=login,
        discovery=Discovery(asking, token_url),
        endpoint=TokenEndpoint(session=session, timeout=timeout_seconds, sleep=sleep, clock=clock),
        clock=clock,
        wanted=scopes,
        types=types,
    )
