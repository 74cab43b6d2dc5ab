"""An account and a home page as the contract writes them (openapi.json), and back."""

from collections.abc import Mapping
from typing import Any

import orjson

from adapter.core.portal import PortalAccount, PortalDependent
from adapter.core.widget import Widget, widget_from_json, widget_json
from adapter.portal import HomePage
from adapter.portal.values import moment, stamp, text


def to_record(account: PortalAccount) -> dict[str, Any]:
    """The account as it is sent. One that is not active has no dependents."""
    shown = account.dependents if account.active else ()
    return {
        "key": account.key,
        "email": account.email,
        "name": account.name,
        "language": account.language,
        "active": account.active,
        "status": account.status,
        "dependents": [_dependent(one) for one in shown],
    }


def from_record(key: str, value: Mapping[str, Any]) -> PortalAccount:
    """The account that the portal shows. What cannot be read counts as open: then it differs, and is put right."""
    dependents = value.get("dependents")
    return PortalAccount(
        key,
        text(value.get("email")),
        text(value.get("name")),
        value.get("active") is not False,
        text(value.get("status")),
        tuple(_from_dependent(one) for one in dependents if isinstance(one, dict)) if dependents else (),
        text(value.get("language")),
        moment(value.get("registered_at")),
        value.get("locked") is True,
        moment(value.get("last_sign_in")),
    )


def to_home(home: HomePage) -> dict[str, Any]:
    """A home page as it is sent."""
    return {"revision": home.revision, "widget": orjson.loads(widget_json(home.widget))}


def from_home(practice: str, organization: str, value: Mapping[str, Any]) -> HomePage:
    """And back. Something else than a widget shows as none."""
    revision = value.get("revision")
    number = revision if isinstance(revision, int) else 0
    return HomePage(practice=practice, revision=number, widget=_widget(value.get("widget")), organization=organization)


def _widget(value: Any) -> Widget | None:
    try:
        return widget_from_json(orjson.dumps(value).decode())
    except ValueError:
        return None


def _dependent(one: PortalDependent) -> dict[str, Any]:
    return {
        "patient": one.patient,
        "role": one.role,
        "authority": one.authority,
        "access": one.access,
        "reason": one.reason,
        "since": stamp(one.since),
        "until": stamp(one.until),
        "self": one.is_self,
        "organization": one.organization,
    }


def _from_dependent(one: Mapping[str, Any]) -> PortalDependent:
    return PortalDependent(
        text(one.get("patient")),
        text(one.get("role")),
        text(one.get("authority")),
        text(one.get("access")),
        text(one.get("reason")),
        moment(one.get("since")),
        one.get("self") is True,
        moment(one.get("until")),
        text(one.get("organization")),
    )
