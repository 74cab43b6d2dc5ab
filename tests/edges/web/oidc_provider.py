"""A small OpenID Connect provider on this machine, which can be told to lie."""

import json
import threading
from base64 import urlsafe_b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}, auto_kid=False)
OTHER = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
CLIENT, SECRET = "adapter", "canary-client-secret"


class OidcProvider:
    """``lie`` changes the claims of the next tokens; ``lies`` has other ways not to tell the truth."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.subject = "248289761001"
        self.claims: dict[str, Any] = {}
        self.way = ""
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, form: dict[str, str], login: str) -> Any:
        """What each address answers; a string is where to go next, None a refusal."""
        address = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/openid-configuration":
            issuer = "http://127.0.0.1:1" if self.way == "other issuer" else self.issuer
            paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            return {"issuer": issuer} | {name: f"{self.issuer}/{rest}" for name, rest in paths.items()}
        if address.path == "/authorize":
            self.asked.append(query)
            code = f"code{len(self._codes)}"
            self._codes[code] = query
            return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"
        if address.path == "/keys":
            return {"keys": [KEY.as_dict(private=False)]}
        begun = self._codes.pop(form.get("code", ""), None)
        if begun is None or not login or not self._fits(form, begun):
            return None
        return {"id_token": self._token(begun), "access_token": "unused", "token_type": "Bearer"}

    def _fits(self, form: dict[str, str], begun: dict[str, str]) -> bool:
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        return challenge == begun["code_challenge"] and form["redirect_uri"] == begun["redirect_uri"]

    def _token(self, begun: dict[str, str]) -> str:
        claims = {"iss": self.issuer, "sub": self.subject, "aud": CLIENT, "nonce": begun["nonce"]}
        claims |= {"iat": int(self.now), "exp": int(self.now) + 300} | self.claims
        header = {"alg": "RS256", "kid": "one"}
        if self.way == "hmac with the public key":
            secret = OctKey.import_key(json.dumps(KEY.as_dict(private=False)).encode())
            return jwt.encode(header | {"alg": "HS256"}, claims, secret, algorithms=["HS256"])
        if self.way == "no signature":
            plain = [json.dumps(part).encode() for part in (header | {"alg": "none"}, claims)]
            return ".".join([*(urlsafe_b64encode(part).rstrip(b"=").decode() for part in plain), ""])
        return jwt.encode(header, claims, OTHER if self.way == "another key" else KEY)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
                answer = provider.answer(self.path, form, self.headers.get("Authorization", ""))
                self.send_response(303 if isinstance(answer, str) else 400 if answer is None else 200)
                if isinstance(answer, str):
                    self.send_header("Location", answer)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        return Handler
