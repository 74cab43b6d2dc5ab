"""An EHR that gives out tokens, on loopback; it verifies assertions with another library than the one that signs."""

import json
import secrets
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus

import jwt

CLIENT = "adapter-at-main-street"
SECRET = "canary secret:with/signs"
READ = "system/Patient.rs system/RelatedPerson.rs"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Json = dict[str, Any]


@dataclass
class Reply:
    """What will be sent."""

    status: int = 200
    json: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    pause: float = 0


class TokenServer:
    """``/token``, ``/fhir/.well-known/smart-configuration``, ``/fhir/metadata`` and ``/fhir/Patient/<any id>``.

    ``faults`` spoil the next answers of ``/token``, one each; ``always`` every one. ``posts`` are the forms that came,
    ``granted`` the tokens in force (any other gets a 401), ``reads`` the Authorization headers of reads.
    """

    def __init__(self, jwks: Json | None = None, *, now: Callable[[], float] = time.time) -> None:
        self.jwks, self.now = jwks, now
        self.scope: str | None = READ
        self.expires_in: Any = 300
        self.configuration: Json | None = None
        self.security: Json = {}
        self.faults: list[Callable[[Reply], None]] = []
        self.always: Callable[[Reply], None] | None = None
        self.posts: list[Json] = []
        self.headers: list[str | None] = []
        self.reads: list[str | None] = []
        self.gets: list[tuple[str, str | None]] = []
        self.granted: set[str] = set()
        self.claims: list[Json] = []
        self.jose_headers: list[Json] = []
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.base_url, self.token_url = f"{self.origin}/fhir", f"{self.origin}/token"
        self.configuration = {"token_endpoint": self.token_url, "capabilities": ["permission-v2", "permission-v1"]}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str, authorization: str | None) -> Reply:
        """Answers a GET; only what is a patient's needs a token."""
        self.gets.append((path, authorization))
        if path == "/fhir/.well-known/smart-configuration":
            return Reply(404) if self.configuration is None else Reply(json=self.configuration)
        if path == "/fhir/metadata":
            rest = [{"mode": "server", "security": self.security}]
            return Reply(json={"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})
        self.reads.append(authorization)
        if authorization is None or authorization.removeprefix("Bearer ") not in self.granted:
            return Reply(401, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]})
        return Reply(json={"resourceType": "Patient", "id": path.rsplit("/", 1)[1]})

    def post(self, form: Json, authorization: str | None) -> Reply:
        """Answers a POST to the token endpoint."""
        with self._lock:
            self.posts.append(form)
            self.headers.append(authorization)
            fault = self.faults.pop(0) if self.faults else self.always
            problem = self._problem(form, authorization)
        if problem:
            return Reply(400, {"error": "invalid_client", "error_description": f"canary-words {problem}"})
        token = f"canary-token-{secrets.token_hex(8)}"
        reply = Reply(json={"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in})
        if self.scope is not None:
            reply.json["scope"] = self.scope
        if fault:
            fault(reply)
        if reply.status == 200 and reply.body is None:
            self.granted.add(token)
        return reply

    def _problem(self, form: Json, authorization: str | None) -> str:
        if form.get("grant_type") != "client_credentials":
            return "grant_type"
        if self.jwks is not None:
            return self._assertion_problem(form)
        if authorization is not None:
            name, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return "" if (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET) else "secret"
        return "" if (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET) else "secret"

    def _assertion_problem(self, form: Json) -> str:
        """Signature by the registered key, issuer, subject, audience, at most five minutes, and never seen before."""
        if form.get("client_assertion_type") != ASSERTION:
            return "client_assertion_type"
        assertion = form.get("client_assertion", "")
        try:
            header = jwt.get_unverified_header(assertion)
            key = next(one for one in jwt.PyJWKSet.from_dict(self.jwks or {}).keys if one.key_id == header["kid"])
            options: Any = {"require": ["exp", "iss", "sub", "aud", "jti"], "verify_exp": False}
            claims = jwt.decode(
                assertion, key.key, ["RS384", "ES384"], audience=self.token_url, issuer=CLIENT, options=options
            )
        except (jwt.PyJWTError, StopIteration, KeyError) as error:
            return type(error).__name__
        self.claims.append(claims)
        self.jose_headers.append(header)
        if claims["sub"] != CLIENT:
            return "sub"
        if not self.now() < claims["exp"] <= self.now() + 300:
            return "exp"
        if claims["jti"] in self._seen:
            return "jti"
        self._seen.add(claims["jti"])
        return ""


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(server.get(self.path, self.headers.get("Authorization")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
            self._send(server.post(form, self.headers.get("Authorization")))

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.pause)
            body = json.dumps(reply.json).encode() if reply.body is None else reply.body
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | reply.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # the other side may have had enough
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence: tests say themselves what went wrong."""

    return Handler


def says(**keys: Any) -> Callable[[Reply], None]:
    """A fault: other values in the granted token; None takes a key out."""

    def change(reply: Reply) -> None:
        for key, value in keys.items():
            if value is None:
                reply.json.pop(key, None)
            else:
                reply.json[key] = value

    return change


def status(code: int, error: str = "", **headers: str) -> Callable[[Reply], None]:
    """A fault: an error status, with an OAuth error code."""

    def change(reply: Reply) -> None:
        reply.status = code
        reply.json = {"error": error, "error_description": "canary-words"} if error else {}
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return change


def body(content: bytes, kind: str = "text/html") -> Callable[[Reply], None]:
    """A fault: 200 with something else than a token."""

    def change(reply: Reply) -> None:
        reply.body = content
        reply.headers["Content-Type"] = kind

    return change


def slow(seconds: float) -> Callable[[Reply], None]:
    """A fault: the answer comes late."""

    def change(reply: Reply) -> None:
        reply.pause = seconds

    return change
