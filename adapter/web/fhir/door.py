"""Who may come in: a vendor with a token that lives, to its own practices, for the types its scopes name.

Without a token every address answers alike, whether there is such a practice or record, or not; with one, so does
every practice that is not the vendor's.
"""

import re
from dataclasses import dataclass

from fastapi import Request

from adapter.bootstrap import App
from adapter.core.fhir_face.scopes import Rights, rights
from adapter.store import vendor_tokens
from adapter.store.engine import read
from adapter.web.fhir.answers import Refused

_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/=-]{20,500})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A vendor, and what its token allows today."""

    client_id: str
    practices: tuple[str, ...]
    rights: Rights

    @property
    def sees_addresses(self) -> bool:
        """Only who may read accounts sees e-mail addresses anywhere else."""
        return any(kind == "Person" for kind, _ in self.rights)

    def check(self, kind: str, interaction: str) -> None:
        """Raises Refused (403) when the scopes do not allow it."""
        if (kind, interaction) not in self.rights:
            scope = f"system/{kind}.{interaction}"
            challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
            raise Refused(403, "forbidden", f"The token has no scope {scope}.", challenge)


def admit(app: App, request: Request, practice: str) -> Visitor:
    """The vendor behind a request. Raises Refused: 401 without a token that counts, 403 for another's practice."""
    given = request.headers.getlist("authorization")
    if not given:
        raise Refused(401, "login", "A bearer token is needed.", {"WWW-Authenticate": "Bearer"})
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    with read(app.engine) as connection:
        issued = vendor_tokens.find(connection, match[1], now=app.clock()) if match else None
    vendor = next((one for one in app.settings.vendor if issued and one.client_id == issued.client_id), None)
    if issued is None or vendor is None:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Refused(401, "login", "The token is not known or has expired.", challenge)
    if practice not in vendor.practices:
        raise Refused(403, "forbidden", "This practice is not open to the client.")
    return Visitor(vendor.client_id, vendor.practices, rights(issued.scope.split()) & rights(vendor.scopes))
