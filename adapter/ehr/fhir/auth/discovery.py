"""Where the EHR's tokens come from, in its own words: smart-configuration, else the CapabilityStatement.

``token_endpoint`` of ``.well-known/smart-configuration`` (https://hl7.org/fhir/smart-app-launch/conformance.html);
before SMART 2, the extension ``oauth-uris`` of the CapabilityStatement.
"""

from typing import Any

from adapter.ehr.fhir.auth.address import endpoint_of, is_loopback
from adapter.ehr.fhir.client import Client
from adapter.errors import SourceError
from adapter.http.decode import Undecodable, decode
from adapter.http.urls import shown_origin

_WELL_KNOWN = ".well-known/smart-configuration"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


class Discovery:
    """Finds the token endpoint: the configured one, else the EHR's own. ``client`` asks without authorization.

    Raises ValueError for a ``token_url`` that may not be told a secret.
    """

    def __init__(self, client: Client, token_url: str | None) -> None:
        self._client = client
        if token_url:
            endpoint_of(token_url)
        self._token_url = token_url
        self._told: dict[str, Any] | None = None

    def token_url(self) -> str:
        """Raises SourceError when the EHR names no endpoint, or one that may not be told a secret."""
        if self._token_url:
            return self._token_url
        if url := self.configuration().get("token_endpoint"):
            return self._safe(url, _WELL_KNOWN)
        if url := _oauth_uri(self._shown("metadata") or {}):
            return self._safe(url, "metadata")
        raise SourceError(
            f"GET {_WELL_KNOWN}: the EHR does not say where its tokens come from, nor does its metadata. Set token_url."
        )

    def configuration(self) -> dict[str, Any]:
        """The EHR's smart-configuration; empty when it has none. Asked for once, until ``forget``."""
        if self._told is None:
            self._told = self._shown(_WELL_KNOWN) or {}
        return self._told

    def forget(self) -> None:
        """Asks again next time: what the EHR says may have changed."""
        self._told = None

    def _safe(self, url: Any, source: str) -> str:
        """The address, if it may be told a secret. An EHR elsewhere may not name an address of this machine."""
        text = url if isinstance(url, str) else ""
        try:
            safe = not is_loopback(endpoint_of(text)) or is_loopback(self._client.base)
        except ValueError:
            safe = False
        if not safe:
            raise SourceError(
                f"GET {source}: the EHR names a token endpoint ({shown_origin(text)}) that is not https, so no secret "
                "was sent there. Ask the EHR's support, or set token_url."
            )
        return text

    def _shown(self, path: str) -> dict[str, Any] | None:
        """A JSON object that the EHR shows to everybody; None when it shows none there."""
        answer = self._client.get(self._client.base.join(path), f"GET {path}")
        if answer.status != 200:
            return None
        try:
            value = decode(answer.body, max_bytes=self._client.max_body)
        except Undecodable:
            return None
        return value if isinstance(value, dict) else None


def _oauth_uri(statement: dict[str, Any]) -> Any:
    """``rest.security.extension(oauth-uris).extension(token).valueUri`` of a CapabilityStatement."""
    for rest in _dicts(statement.get("rest")):
        security = rest.get("security")
        for uris in _extensions(security if isinstance(security, dict) else {}, _OAUTH_URIS):
            for token in _extensions(uris, "token"):
                return token.get("valueUri")
    return None


def _extensions(element: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return [item for item in _dicts(element.get("extension")) if item.get("url") == url]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
