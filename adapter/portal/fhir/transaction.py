"""One account's resources as a transaction, and what a server says of each (FHIR R4 http.html §3.1.0.11).

A resource that was read goes back under its id, and only over the version that was read. A new one is a conditional
create by its last identifier; the server chooses its id, since many servers do not let anybody else do it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from adapter.errors import RetriableError
from adapter.portal.wire import Answer, Wire

Resource = dict[str, Any]
_KEPT = ("profile", "security", "tag")
"""Of ``meta``, what is whoever's that writes; the rest is the server's."""


def send(wire: Wire, resources: Sequence[Resource], found_by: Mapping[str, str]) -> Answer:
    """All of them at once; what was said of the first that was refused, when one was.

    ``found_by`` is the search parameter for what is new, by type. That a server answers 200 to the whole is not enough:
    some do so although they refused a part, and did the rest.
    """
    entries = [_entry(one, found_by) for one in resources]
    answer = wire.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    if not answer.ok:
        return answer
    done = answer.value.get("entry")
    if not isinstance(done, list) or len(done) != len(entries):
        raise RetriableError("The portal's answer to a transaction is not the one to it.")
    said = (_refused(answer, sent, one) for sent, one in zip(entries, done, strict=True))
    return next((one for one in said if one), answer)


def version_of(resource: Resource) -> str:
    """What If-Match has to say to write over just this version; empty when the server does not tell it."""
    meta = resource.get("meta")
    number = meta.get("versionId") if isinstance(meta, dict) else None
    return f'W/"{number}"' if isinstance(number, str) else ""


def _entry(resource: Resource, found_by: Mapping[str, str]) -> Resource:
    kind = resource["resourceType"]
    if "id" in resource:
        version = version_of(resource)
        meta = {name: value for name, value in resource.get("meta", {}).items() if name in _KEPT}
        request = {"method": "PUT", "url": f"{kind}/{resource['id']}"} | ({"ifMatch": version} if version else {})
        return {"resource": resource | {"meta": meta}, "request": request}
    mine = resource["identifier"][-1]
    query = urlencode({found_by[kind]: f"{mine['system']}|{mine['value']}"})
    return {"resource": resource, "request": {"method": "POST", "url": kind, "ifNoneExist": query}}


def _status(entry: Any) -> str:
    response = entry.get("response") if isinstance(entry, dict) else None
    status = response.get("status") if isinstance(response, dict) else None
    return status if isinstance(status, str) else ""


def _refused(answer: Answer, sent: Resource, entry: Any) -> Answer | None:
    """As if the server had said it of the whole: its status and its OperationOutcome; None when it was done.

    A new resource that is there already (200, not 201) was not seen when we looked: 409, look again. No status is 502.
    """
    status = _status(entry)[:3]
    if sent["request"]["method"] == "POST" and status == "200":
        return replace(answer, status=409, value={})
    if status.startswith("2"):
        return None
    outcome = entry["response"].get("outcome") if status else None
    code = int(status) if status.isdigit() else 502
    return replace(answer, status=code, value=outcome if isinstance(outcome, dict) else {})
