"""A portal that keeps the HTTP contract (adapter/portal/http/openapi.json), on this machine only: one to read.

It checks signatures as any portal has to: who, what, when, and never twice.
"""

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import orjson
from fastapi import FastAPI, Request, Response
from http_message_signatures import HTTPMessageSignaturesException, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256
from starlette.exceptions import HTTPException

from adapter.portal.http.portal import CONTRACT, TAKEN
from adapter.portal.signature import ALWAYS, TAG, WHEN_SENT
from adapter.sandbox.loopback import LoopbackServer, listen

KEY_ID = "adapter"
WINDOW = timedelta(minutes=5)
_PAGE = 100
_REMEMBERED = 10_000
_OWN = ("registered_at", "locked", "last_sign_in")
Account = dict[str, Any]


class Signatures:
    """Says whether a request is signed by who may sign, not long ago, and for the first time."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, None] = OrderedDict()
        keys = MappingKeyResolver(public_keys={KEY_ID: secret.encode()}, private_keys={})
        self._verifier = HTTPMessageVerifier(signature_algorithm=HMAC_SHA256, key_resolver=keys)

    def accepts(self, request: Request, body: bytes) -> bool:
        """Whether the request may be answered."""
        wanted = [*ALWAYS, *(name for name in WHEN_SENT if name in request.headers)]
        try:
            (found,) = self._verifier.verify(
                request, expect_tag=TAG, require_components=wanted, body=body, max_age=None
            )
        except (HTTPMessageSignaturesException, ValueError):
            return False
        signed_at = int(found.parameters["created"])
        if abs(self._clock().timestamp() - signed_at) > WINDOW.total_seconds():
            return False
        if not found.nonce or found.nonce in self._seen:
            return False
        self._seen[found.nonce] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True


class HttpSandboxPortal:
    """The portal inside a ``with`` block, at ``base_url``; it takes only what is signed with ``secret``."""

    def __init__(self, *, clock: Callable[[], datetime], page: int = _PAGE, version: str = "1.0") -> None:
        self.secret = secrets.token_urlsafe(32)
        self.practices: dict[str, dict[str, Account]] = {}
        self.unlinked: list[Account] = []
        self.homes: dict[tuple[str, str], Any] = {}
        self.lock = threading.RLock()
        self._clock = clock
        self._page = page
        self._version = version
        self._answers: OrderedDict[str, tuple[int, Account, str]] = OrderedDict()
        self._signatures = Signatures(self.secret, clock)
        listener = listen()
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/adapter/v1"
        self._server = LoopbackServer(listener, self._app())

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def register(self, email: str, at: datetime) -> None:
        """A parent chooses a password. Raises KeyError when nobody has this address."""
        with self.lock:
            account = next((one for one in self._everybody() if one["email"] == email), None)
            if account is None:
                raise KeyError(email)
            account["registered_at"] = at.isoformat()

    def _app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        root, account = "/adapter/v1", "/adapter/v1/practices/{practice}/accounts/{key}"

        async def guarded(request: Request) -> bytes:
            body = await request.body()
            with self.lock:
                if not self._signatures.accepts(request, body):
                    raise _Problem(401, "The signature is missing, wrong, too old, or was seen before.")
            return body

        @app.get(f"{root}/capabilities")
        async def capabilities(request: Request) -> Response:
            await guarded(request)
            offers = {"registration": True, "home_page": True, "until": True, "adoption": True}
            return _json({"contract": CONTRACT, "version": self._version, "offers": offers})

        @app.get(f"{root}/practices/{{practice}}/accounts")
        async def listing(request: Request, practice: str) -> Response:
            await guarded(request)
            with self.lock:
                return self._listed(self.practices.get(practice, {}), "key", request)

        @app.get(f"{root}/unlinked-accounts")
        async def unlinked(request: Request) -> Response:
            await guarded(request)
            with self.lock:
                return self._listed({one["handle"]: one for one in self.unlinked}, "handle", request)

        @app.get(account)
        async def read(request: Request, practice: str, key: str) -> Response:
            await guarded(request)
            with self.lock:
                return self._shown(self._found(practice, key))

        @app.put(account)
        async def put(request: Request, practice: str, key: str) -> Response:
            body = _object(await guarded(request))
            with self.lock:
                return self._put(request, practice, key, body)

        @app.delete(account)
        async def remove(request: Request, practice: str, key: str) -> Response:
            await guarded(request)
            with self.lock:
                self._found(practice, key)
                del self.practices[practice][key]
            return Response(status_code=204)

        @app.put(f"{account}/link")
        async def link(request: Request, practice: str, key: str) -> Response:
            handle = _object(await guarded(request)).get("handle")
            with self.lock:
                return self._link(practice, key, handle)

        @app.api_route(f"{root}/practices/{{practice}}/home-page", methods=["GET", "PUT"])
        async def home(request: Request, practice: str, organization: str = "") -> Response:
            return self._home(request, practice, organization, await guarded(request))

        @app.exception_handler(HTTPException)
        async def problem(request: Request, error: HTTPException) -> Response:
            kind = error.kind if isinstance(error, _Problem) else "about:blank"
            value = {"type": kind, "title": str(error.detail), "status": error.status_code}
            return Response(orjson.dumps(value), error.status_code, media_type="application/problem+json")

        return app

    def _put(self, request: Request, practice: str, key: str, wanted: Account) -> Response:
        match, none = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        if match is None and none is None:
            raise _Problem(428, "Say of what this is a change: If-Match or If-None-Match.")
        memory = f"{practice} {key} {request.headers.get('Idempotency-Key', '')}"
        if memory in self._answers:
            status, value, tag = self._answers[memory]
            return _json(value, status, {"ETag": tag})
        current = self.practices.get(practice, {}).get(key)
        if (current is None) != (match is None) or (current is not None and _tag(current) != match):
            raise _Problem(412, "The account is not as it was read.")
        if wanted.get("key") != key or "@" not in str(wanted.get("email")):
            raise _Problem(400, "The account cannot be taken as it is.")
        if any(one is not current and _same(one, wanted) for one in self._everybody()):
            raise _Problem(409, "Another account has this address.", TAKEN)
        own = {name: (current or {}).get(name, False if name == "locked" else None) for name in _OWN}
        account = {**wanted, **own}
        self.practices.setdefault(practice, {})[key] = account
        status = 201 if current is None else 200
        self._answers[memory] = (status, account, _tag(account))
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return self._shown(account, status)

    def _link(self, practice: str, key: str, handle: Any) -> Response:
        account = next((one for one in self.unlinked if one["handle"] == handle), None)
        if account is None or key in self.practices.get(practice, {}):
            raise _Problem(409, "The account is linked already, or gone.")
        self.unlinked.remove(account)
        own = {"key": key, "language": "", "status": "pending"} | {name: account.get(name) for name in _OWN}
        linked = {**{name: value for name, value in account.items() if name != "handle"}, **own}
        linked["locked"] = bool(linked["locked"])
        self.practices.setdefault(practice, {})[key] = linked
        return self._shown(linked)

    def _home(self, request: Request, practice: str, organization: str, body: bytes) -> Response:
        with self.lock:
            if request.method == "PUT":
                self.homes[practice, organization] = _object(body)
            if (practice, organization) not in self.homes:
                raise _Problem(404, "No home page was ever put.")
            return _json(self.homes[practice, organization])

    def _listed(self, accounts: dict[str, Account], name: str, request: Request) -> Response:
        limit = request.query_params.get("limit", "")
        size = min(self._page, int(limit)) if limit.isdecimal() and int(limit) else self._page
        rest = sorted(key for key in accounts if key > request.query_params.get("after", ""))
        page = [accounts[key] for key in rest[:size]]
        return _json({"accounts": page, "next": page[-1][name] if len(rest) > size else None})

    def _found(self, practice: str, key: str) -> Account:
        account = self.practices.get(practice, {}).get(key)
        if account is None:
            raise _Problem(404, "There is no such account.")
        return account

    def _everybody(self) -> list[Account]:
        return [*self.unlinked, *(one for accounts in self.practices.values() for one in accounts.values())]

    def _shown(self, account: Account, status: int = 200) -> Response:
        return _json(account, status, {"ETag": _tag(account)})


class _Problem(HTTPException):
    def __init__(self, status: int, title: str, kind: str = "about:blank") -> None:
        super().__init__(status, title)
        self.kind = kind


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _Problem(400, "The body is no JSON object.")
    return value


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, media_type="application/json")


def _tag(account: Account) -> str:
    return f'"{hashlib.sha256(orjson.dumps(account)).hexdigest()[:24]}"'


def _same(one: Account, other: Account) -> bool:
    return str(one["email"]).casefold() == str(other["email"]).casefold()
