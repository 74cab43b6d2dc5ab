"""What a token endpoint's refusal means, and the way out: the error codes of RFC 6749 §5.2."""

from typing import Any

_REMEDIES = {
    "invalid_client": "{Whom} does not know this client: check client_id, the secret or key_id, and that the key of "
    "`adapter check --jwks` is registered there.",
    "invalid_grant": "Check client_id and that the key of `adapter check --jwks` is registered there.",
    "invalid_request": "{Whom} wants to be asked otherwise: compare auth, token_url, scopes with its documentation.",
    "invalid_scope": "The client may not have these scopes: have them granted in {whom}, or correct scopes.",
    "invalid_target": "Compare base_url and token_url with {whom}'s documentation.",
    "server_error": "Try again later.",
    "temporarily_unavailable": "Try again later.",
    "unauthorized_client": "The client is not allowed to ask for tokens: have it activated in {whom}.",
    "access_denied": "The client is not allowed to ask for tokens: have it activated in {whom}.",
    "unsupported_grant_type": "{Whom} does not offer client credentials here: check token_url.",
}


def remedy_for(value: dict[str, Any] | None, whom: str = "the EHR") -> str:
    """`` (invalid_client). What to do.``: the end of a message. The endpoint's own words are never shown."""
    code = value.get("error") if value else None
    if isinstance(code, str) and code in _REMEDIES:
        return f" ({code}). {_REMEDIES[code].format(whom=whom, Whom=whom[:1].upper() + whom[1:])}"
    return f". Check token_url, client_id and what {whom} knows of this client. Ask {whom}'s support."
