"""What follows from a difference between the portal and what was decided: an entry in the trail, or a finding."""

from typing import NamedTuple

import msgspec

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.portal import Drift, DriftKind
from adapter.core.reasons import REASONS

DRIFT = "portal-drift"
_SENTENCES = {
    DriftKind.EXTRA: "The account of {email} opens more in the portal than was decided: {where}.",
    DriftKind.ORPHAN: "The portal has an account of {email} that nothing was decided about.",
    DriftKind.MISSING: "The account of {email} is not in the portal, or opens less than was decided: {where}.",
    DriftKind.CHANGED: "The account of {email} is different in the portal: {where}.",
}
_MANY = {
    DriftKind.ORPHAN: "The portal has {number:,} accounts of the adapter that nothing was decided about; "
    "they were left alone.",
    DriftKind.MISSING: "{number:,} accounts are not in the portal; nothing was put back.",
}


class Difference(NamedTuple):
    """One account that differs."""

    key: str
    email: str
    drift: Drift


def scope_of(key: str) -> str:
    """What is compared again when a finding about this account may close."""
    return f"portal:{key}"


def audit_repair(one: Difference, actor: str) -> AuditEntry:
    """The account is put into the portal again, and why."""
    detail = {"found": one.drift.kind, "where": one.drift.where}
    return AuditEntry(
        action="repair-portal",
        account=one.key,
        reason=DRIFT,
        source=f"account/{one.key}",
        detail=msgspec.json.encode(detail).decode(),
        actor=actor,
    )


def finding_of(one: Difference) -> Finding:
    """A difference that is left for a human."""
    where = ", ".join(one.drift.where) or "the whole account"
    patients = [place for place in one.drift.where if place.startswith("Patient/")]
    return _finding(
        one.drift.kind,
        _SENTENCES[one.drift.kind].format(email=one.email, where=where),
        scope_of(one.key),
        email=one.email,
        patient=patients[0] if len(patients) == 1 else None,
    )


def many_finding(kind: DriftKind, number: int) -> Finding:
    """Too many at once to act on: something else is wrong."""
    return _finding(kind, _MANY[kind].format(number=number), str(kind))


def _finding(
    kind: DriftKind, message: str, scope: str, *, email: str | None = None, patient: str | None = None
) -> Finding:
    reason = REASONS[kind]
    return Finding(
        code=reason.code,
        message=message,
        scope=scope,
        remedy=reason.remedy,
        severity=reason.finding,
        email=email,
        patient=patient,
    )
