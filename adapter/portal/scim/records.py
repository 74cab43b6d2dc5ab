"""An account as a SCIM User with our extension, and back. What is written is strict, what is read may be sloppy.

``externalId`` is the practice and the account's key, so two practices can share one portal and never meet.
"""

from collections.abc import Mapping
from typing import Any

from adapter.core.portal import PortalAccount, PortalDependent
from adapter.core.widget import Widget, widget_from_json, widget_json
from adapter.portal import HomePage
from adapter.portal.values import moment, stamp, text

EXTENSION = "urn:fhir-portal-adapter:scim:schemas:1.0:PortalUser"
HOME_PAGE = "urn:fhir-portal-adapter:scim:schemas:1.0:HomePage"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

SHUT = {"schemas": [USER, EXTENSION], "active": False, EXTENSION: {"status": "closed", "dependents": []}}
"""What makes any User of ours open nothing."""


def external_id(practice: str, key: str) -> str:
    """By which the portal knows an account of ours."""
    return f"{practice}/{key}"


def key_of(practice: str, value: Mapping[str, Any]) -> str | None:
    """The account's key; None for somebody else's User."""
    external = value.get("externalId")
    mine = isinstance(external, str) and external.startswith(f"{practice}/")
    return str(external).removeprefix(f"{practice}/") if mine else None


def to_user(practice: str, account: PortalAccount) -> dict[str, Any]:
    """The User as it is sent. An account that is not active has no dependents."""
    shown = account.dependents if account.active else ()
    user = {
        "schemas": [USER, EXTENSION],
        "externalId": external_id(practice, account.key),
        "userName": account.email,
        "name": {"formatted": account.name},
        "emails": [{"value": account.email, "type": "home", "primary": True}],
        "preferredLanguage": account.language,
        "active": account.active,
        EXTENSION: {"status": account.status, "dependents": [_dependent(one) for one in shown]},
    }
    return {key: value for key, value in user.items() if value not in ("", {"formatted": ""})}


def merged(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What replaces a User: what the portal has, with ours in place of what we say. So a PUT takes nothing else."""
    own = {key: value for key, value in current.items() if key not in ("id", "meta", "groups", "password")}
    extension = {**own.get(EXTENSION, {}), **wanted.get(EXTENSION, {})}
    others = [one for one in own.get("schemas", []) if one not in wanted["schemas"]]
    both = {**own, **wanted, "schemas": [*wanted["schemas"], *others]}
    return both | {EXTENSION: extension} if extension else both


def patch_of(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a PATCH (RFC 7644 §3.5.2): replaces ours, attribute by attribute, and nothing else."""
    plain = {key: value for key, value in wanted.items() if key not in ("schemas", EXTENSION)}
    operations = [{"op": "replace", "path": key, "value": value} for key, value in plain.items()]
    for key, value in wanted.get(EXTENSION, {}).items():
        path = f"{EXTENSION}:{key}"
        empty = value == []
        operations.append({"op": "remove", "path": path} if empty else {"op": "replace", "path": path, "value": value})
    return {"schemas": [PATCH], "Operations": operations}


def from_user(key: str, value: Mapping[str, Any]) -> PortalAccount:
    """The account that a User shows. What cannot be read counts as open: then it differs, and is put right."""
    extension = value.get(EXTENSION)
    extension = extension if isinstance(extension, dict) else {}
    name = value.get("name")
    dependents = extension.get("dependents")
    return PortalAccount(
        key,
        text(value.get("userName")),
        text(name.get("formatted")) if isinstance(name, dict) else "",
        value.get("active") is not False,
        text(extension.get("status")),
        tuple(_from_dependent(one) for one in dependents if isinstance(one, dict)) if dependents else (),
        text(value.get("preferredLanguage")),
        moment(extension.get("registeredAt")),
        extension.get("locked") is True,
        moment(extension.get("lastSignIn")),
    )


def home_to_resource(home: HomePage) -> dict[str, Any]:
    """A home page as a resource of its own; the widget is JSON text, as the adapter keeps it."""
    content = widget_json(home.widget)
    external = home_id(home.practice, home.organization)
    return {"schemas": [HOME_PAGE], "externalId": external, "revision": home.revision, "content": content}


def home_from_resource(practice: str, organization: str, value: Mapping[str, Any]) -> HomePage:
    """And back. Something else than a widget shows as none."""
    revision, widget = value.get("revision"), _widget(value.get("content"))
    number = revision if isinstance(revision, int) else 0
    return HomePage(practice=practice, revision=number, widget=widget, organization=organization)


def home_id(practice: str, organization: str) -> str:
    """By which the portal knows the home page of a practice, or of one of its Organizations."""
    return f"{practice}/{organization}" if organization else practice


def _widget(content: Any) -> Widget | None:
    try:
        return widget_from_json(content) if isinstance(content, str) else None
    except ValueError:
        return None


def _dependent(one: PortalDependent) -> dict[str, Any]:
    value = {
        "patient": one.patient,
        "relationship": one.role,
        "authority": one.authority,
        "access": one.access,
        "reason": one.reason,
        "since": stamp(one.since),
        "until": stamp(one.until),
        "isSelf": one.is_self,
        "organization": one.organization or None,
    }
    return {key: word for key, word in value.items() if word is not None}


def _from_dependent(one: Mapping[str, Any]) -> PortalDependent:
    return PortalDependent(
        text(one.get("patient")),
        text(one.get("relationship")),
        text(one.get("authority")),
        text(one.get("access")),
        text(one.get("reason")),
        moment(one.get("since")),
        one.get("isSelf") is True,
        moment(one.get("until")),
        text(one.get("organization")),
    )
