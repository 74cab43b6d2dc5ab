"""An EHR vendor: its keys, its assertions made with PyJWT, and what it reads of a running installation."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from adapter.bootstrap import App
from adapter.web import WebServer, make_app
from tests.acceptance.adapter_cli import Adapter

CLIENT = "acme-ehr"
EHR = "https://ehr.example/fhir"
ALL = "system/*.rs"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@lru_cache
def keys() -> dict[str, Any]:
    """A private key for each algorithm; the key id is the algorithm's name."""
    return {"RS384": rsa.generate_private_key(65537, 2048), "ES384": ec.generate_private_key(ec.SECP384R1())}


def jwks() -> dict[str, Any]:
    """Their public halves."""
    shown = []
    for name, key in keys().items():
        algorithm = RSAAlgorithm if name == "RS384" else ECAlgorithm
        shown.append(json.loads(algorithm.to_jwk(key.public_key())) | {"kid": name, "alg": name, "use": "sig"})
    return {"keys": shown}


@dataclass
class Vendor:
    """One client of one running server."""

    address: str
    app: App
    folder: Path
    practice: str = "main-street"
    client_id: str = CLIENT
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def base(self) -> str:
        return f"{self.address}/fhir/{self.practice}"

    def assertion(self, algorithm: str = "ES384", *, key: Any = None, headers: Any = None, **changed: Any) -> str:
        """A good assertion, but for what is changed: None leaves a claim out, "+400" is so many seconds ahead."""
        now = time.time()
        claims: dict[str, Any] = {"iss": self.client_id, "sub": self.client_id, "aud": f"{self.address}/oauth2/token"}
        changed = {
            name: int(now) + int(value) if isinstance(value, str) and value[:1] == "+" else value
            for name, value in changed.items()
        }
        claims |= {"exp": int(now + 240), "iat": int(now), "jti": str(uuid.uuid4())}
        told = {name: value for name, value in (claims | changed).items() if value is not None}
        header = {"kid": algorithm} | (headers or {})
        return jwt.encode(told, keys()[algorithm] if key is None else key, algorithm=algorithm, headers=header)

    def ask_token(self, scope: str | None = ALL, *, assertion: str | None = None, **changed: Any) -> requests.Response:
        form = {"grant_type": "client_credentials", "scope": scope, "client_assertion_type": JWT_BEARER}
        form |= {"client_assertion": assertion or self.assertion()} | changed
        given = {name: value for name, value in form.items() if value is not None}
        return self.session.post(f"{self.address}/oauth2/token", data=given, timeout=10)

    def sign_in(self, scope: str = ALL) -> str:
        """A token, which goes along from now on."""
        answer = self.ask_token(scope)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        return token

    def get(self, path: str, *, method: str = "GET", **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", timeout=10, **more)

    def search(self, path: str) -> list[dict[str, Any]]:
        """The resources of one page, which must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return [entry["resource"] for entry in answer.json().get("entry", ())]


@contextmanager
def vendor_of(
    site: Adapter,
    *,
    scopes: tuple[str, ...] = (ALL,),
    keys_at: str = "jwks_file = 'jwks.json'",
    at: datetime | None = None,
) -> Iterator[Vendor]:
    """Serves the installation, whose EHR is now said to be a FHIR server, to one vendor."""
    (site.folder / "jwks.json").write_text(json.dumps(jwks()))
    site.configure(ehr=f'kind = "fhir"\nbase_url = "{EHR}"', more=registration(scopes, keys_at) + "[web]\nport = 0\n")
    app = site.app(at)
    with WebServer(make_app(app), app.settings.web) as server:
        yield Vendor(server.address, app, site.folder)


def registration(scopes: tuple[str, ...], keys_at: str, practices: str = '"main-street"') -> str:
    return f'[[vendor]]\nclient_id = "{CLIENT}"\npractices = [{practices}]\nscopes = {list(scopes)}\n{keys_at}\n'
