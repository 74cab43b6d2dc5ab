"""What only this contract asks of a portal, each tried: signatures, versions, and errors that say what is wrong."""

import secrets
from collections.abc import Iterator
from typing import Any

from adapter.errors import FatalError
from adapter.portal import Trial
from adapter.portal.wire import Answer, Wire


def trials(wire: Wire, path: str, record: dict[str, Any]) -> Iterator[Trial]:
    """``record`` is at ``path`` just now. Each trial returns what is wrong; empty when nothing is."""

    def put(headers: dict[str, str]) -> Answer:
        return wire.ask("PUT", path, record, headers={"Idempotency-Key": secrets.token_hex(16), **headers})

    def stale() -> str:
        return _is(put({"If-Match": '"never-was"'}), 412)

    def there() -> str:
        return _is(put({"If-None-Match": "*"}), 412)

    def careless() -> str:
        return _is(put({}), 428)

    def explained() -> str:
        answer = wire.ask("GET", f"{path}-nobody")
        media = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if media != "application/problem+json" or answer.value.get("status") != answer.status:
            return f"it answers {answer.status} with {media or 'nothing'}, not with a problem of RFC 9457"
        return _is(answer, 404)

    def twice() -> str:
        headers = {"If-Match": wire.ask("GET", path).version, "Idempotency-Key": secrets.token_hex(16)}
        answers = [put(headers) for _ in range(2)]
        same = answers[0].version == answers[1].version or answers[1].status == 412
        return "" if answers[0].ok and same else f"it answers {answers[0].status}, then {answers[1].status}"

    yield "refuses a change of what is not as it was read (If-Match)", stale
    yield "refuses to make what is there (If-None-Match)", there
    yield "refuses a change that does not say of what (428)", careless
    yield "does a request once that comes twice (Idempotency-Key)", twice
    yield "says what is wrong as RFC 9457 does", explained
    yield "answers nobody who does not prove who they are", lambda: _shuts_out(wire.unproven(), path)
    if wire.signs:
        yield "takes no signed request twice", lambda: _replayed(wire.repeating(), path)


def _is(answer: Answer, status: int) -> str:
    return "" if answer.status == status else f"it answers {answer.status} instead of {status}"


def _shuts_out(wire: Wire, path: str) -> str:
    try:
        answer = wire.ask("GET", path)
    except FatalError:  # 401 or 403
        return ""
    return f"it answers {answer.status} instead of 401"


def _replayed(wire: Wire, path: str) -> str:
    if not wire.ask("GET", path).ok:
        return "it does not answer the first one"
    return _shuts_out(wire, path)
