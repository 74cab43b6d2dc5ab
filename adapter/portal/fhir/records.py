"""An account as a FHIR Person, each chart it may open as a Consent, and back (R4, checked with fhir.resources).

Identifiers are derived from practice, key and chart, so writing twice is writing once; ids are the server's own. Tags
say the same again, for servers that do not search by identifier, and find what is the practice's.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fhir.resources.R4B.consent import Consent
from fhir.resources.R4B.person import Person

from adapter.core.portal import PortalAccount, PortalDependent
from adapter.portal import values
from adapter.portal.values import moment, stamp, text

OURS = "urn:fhir-portal-adapter"
ACCOUNT, GRANT, PRACTICE = f"{OURS}:account", f"{OURS}:grant", f"{OURS}:practice"
_TAGS = (ACCOUNT, GRANT, PRACTICE)
_SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
_CATEGORY = {"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]}
Resource = dict[str, Any]


def grant_identifier(practice: str, key: str, patient: str) -> Resource:
    """By which the Consent for one chart is found again."""
    return {"system": GRANT, "value": hashlib.sha256(f"{practice}/{key}/{patient}".encode()).hexdigest()[:40]}


def grant_of(consent: Mapping[str, Any]) -> str:
    """The value of that identifier; empty when it has none."""
    return next((text(one.get("value")) for one in _all(consent, "identifier") if one.get("system") == GRANT), "")


def key_of(practice: str, resource: Mapping[str, Any]) -> str | None:
    """The account's key; None for what is not this practice's."""
    found = [one.get("value") for one in _all(resource, "identifier") if one.get("system") == ACCOUNT]
    mine = [value for value in found if isinstance(value, str) and value.startswith(f"{practice}/")]
    return mine[0].removeprefix(f"{practice}/") if len(mine) == 1 else None


def to_person(practice: str, account: PortalAccount, current: Mapping[str, Any] | None) -> Resource:
    """The Person, with whatever else the portal has in it. Raises ValueError when it would not be valid."""
    kept = {name: value for name, value in (current or {}).items() if name != "text"}
    own = [one.patient for one in account.dependents if one.is_self and account.active]
    mine = _identifier(practice, account.key)
    person: Resource = {
        **kept,
        "resourceType": "Person",
        "meta": _meta(practice, kept, mine),
        "identifier": [*_others(kept, "identifier", "system", ACCOUNT), mine],
        "active": account.active,
        "name": [{"text": account.name}] if account.name else [],
        "telecom": [*_others(kept, "telecom", "system", "email"), {"system": "email", "value": account.email}],
        "link": [{"target": {"reference": patient}, "assurance": "level3"} for patient in own],
        "extension": [
            *_others(kept, "extension", "url", f"{OURS}:status"),
            {"url": f"{OURS}:status", "valueCode": account.status},
        ],
    }
    plain = {name: value for name, value in person.items() if value != []}
    Person.model_validate(plain)
    return plain


def to_consents(practice: str, account: PortalAccount, current: Iterable[Mapping[str, Any]]) -> list[Resource]:
    """One Consent for each chart that the account may open, over the one that is there.

    Raises ValueError when one would not be valid.
    """
    there = {grant_of(one): one for one in current}
    shown = account.dependents if account.active else ()
    consents = [_consent(practice, account.key, one, there) for one in shown]
    for consent in consents:
        Consent.model_validate(consent)
    return consents


def closed(consent: Mapping[str, Any]) -> Resource:
    """The same Consent, no longer in force."""
    return {name: value for name, value in consent.items() if name != "text"} | {"status": "inactive"}


def from_records(key: str, person: Mapping[str, Any], consents: Iterable[Mapping[str, Any]]) -> PortalAccount:
    """The account that a Person and its Consents show. What cannot be read counts as open: it is then put right."""
    emails = [one.get("value") for one in _all(person, "telecom") if one.get("system") == "email"]
    names = [one.get("text") for one in _all(person, "name")]
    return PortalAccount(
        key,
        text(emails[0]) if emails else "",
        text(names[0]) if names else "",
        person.get("active") is not False,
        text(_extension(person, "status", "valueCode")),
        tuple(_dependent(one) for one in consents if one.get("status") == "active"),
        registered_at=moment(_extension(person, "registered-at", "valueDateTime")),
        locked=_extension(person, "locked", "valueBoolean") is True,
        last_sign_in=moment(_extension(person, "last-sign-in", "valueDateTime")),
    )


def kept(account: PortalAccount) -> PortalAccount:
    """The account as it comes back: without its language."""
    return values.kept(account)._replace(language="")


def _consent(practice: str, key: str, one: PortalDependent, there: Mapping[str, Mapping[str, Any]]) -> Resource:
    grant = grant_identifier(practice, key, one.patient)
    current = there.get(grant["value"], {})
    period = {"start": stamp(one.since), "end": stamp(one.until)}
    actor = {
        "role": {"coding": [{"system": f"{OURS}:role", "code": one.role}]},
        "reference": {"type": "RelatedPerson", "identifier": _identifier(practice, key)},
    }
    extensions: list[Resource] = [
        {"url": f"{OURS}:access", "valueCode": one.access},
        {"url": f"{OURS}:reason", "valueCode": one.reason},
    ]
    extensions += [{"url": f"{OURS}:self", "valueBoolean": True}] if one.is_self else []
    extensions += [{"url": f"{OURS}:organization", "valueString": one.organization}] if one.organization else []
    return {
        "resourceType": "Consent",
        **({"id": current["id"]} if current else {}),
        "meta": _meta(practice, current, _identifier(practice, key), grant),
        "extension": extensions,
        "identifier": [_identifier(practice, key), grant],
        "status": "active",
        "scope": _SCOPE,
        "category": [_CATEGORY],
        "patient": {"reference": one.patient},
        "policy": [{"uri": f"{OURS}:authority:{one.authority}"}],
        "provision": {
            "type": "permit",
            "period": {name: value for name, value in period.items() if value},
            "actor": [actor],
        },
    }


def _dependent(consent: Mapping[str, Any]) -> PortalDependent:
    provision = consent.get("provision")
    provision = provision if isinstance(provision, dict) else {}
    period = provision.get("period")
    period = period if isinstance(period, dict) else {}
    roles = [coding for actor in _all(provision, "actor") for coding in _all(actor.get("role") or {}, "coding")]
    authorities = [text(one.get("uri")).removeprefix(f"{OURS}:authority:") for one in _all(consent, "policy")]
    patient = consent.get("patient")
    return PortalDependent(
        text(patient.get("reference")) if isinstance(patient, dict) else "",
        text(roles[0].get("code")) if roles else "",
        authorities[0] if authorities else "",
        text(_extension(consent, "access", "valueCode")),
        text(_extension(consent, "reason", "valueCode")),
        moment(period.get("start")),
        _extension(consent, "self", "valueBoolean") is True,
        moment(period.get("end")),
        text(_extension(consent, "organization", "valueString")),
    )


def _meta(practice: str, current: Mapping[str, Any], *identifiers: Resource) -> Resource:
    """What stands there, with the practice's tag and one for each identifier."""
    meta = current.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    mine = [{"system": PRACTICE, "code": practice}]
    mine += [{"system": one["system"], "code": one["value"]} for one in identifiers]
    return meta | {"tag": [*(one for one in _all(meta, "tag") if one.get("system") not in _TAGS), *mine]}


def _identifier(practice: str, key: str) -> Resource:
    return {"system": ACCOUNT, "value": f"{practice}/{key}"}


def _all(resource: Mapping[str, Any], name: str) -> list[Resource]:
    found = resource.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _others(resource: Mapping[str, Any], name: str, field: str, ours: str) -> Sequence[Resource]:
    return [one for one in _all(resource, name) if one.get(field) != ours]


def _extension(resource: Mapping[str, Any], name: str, value: str) -> Any:
    return next((one.get(value) for one in _all(resource, "extension") if one.get("url") == f"{OURS}:{name}"), None)
