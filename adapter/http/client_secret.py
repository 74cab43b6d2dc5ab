"""``auth = "client_secret"``: OAuth 2.0 client credentials with a shared secret (RFC 6749 §2.3.1)."""

from base64 import b64encode
from typing import Literal
from urllib.parse import quote_plus

from pydantic import SecretStr

from adapter.http.token_endpoint import Login

Method = Literal["client_secret_basic", "client_secret_post"]


class ClientSecret:
    """Proves who we are by the secret: in a header (client_secret_basic) or in the form (client_secret_post)."""

    def __init__(self, *, client_id: str, secret: SecretStr, method: Method = "client_secret_basic") -> None:
        self._client_id = client_id
        self._secret = secret
        self._method = method

    def __repr__(self) -> str:
        return "ClientSecret(**********)"

    def __call__(self, token_url: str) -> Login:
        secret = self._secret.get_secret_value()
        if self._method == "client_secret_post":
            return Login({"client_id": self._client_id, "client_secret": secret})
        pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}"
        return Login({}, SecretStr(f"Basic {b64encode(pair.encode()).decode()}"))
