"""Values as programs get them, from the command line and the JSON API alike."""

from typing import Any

import msgspec

from adapter.core.plan import Action
from adapter.jobs.finding_answers import Decided
from adapter.jobs.merge_view import Merging
from adapter.jobs.undo import Undo


def action_shape(action: Action) -> dict[str, Any]:
    """One action of a plan as ``adapter plan --json`` prints it."""
    shown = {
        "action": str(action.action),
        "account": action.account,
        "patient": action.patient,
        "reason": action.reason,
        "source": action.source,
    }
    if action.grant:
        grant = action.grant
        shown |= {
            "state": str(grant.state),
            "access": str(grant.access),
            "role": str(grant.role),
            "authority": str(grant.authority),
        }
    if action.new_key:
        shown |= {"new_account": action.new_key}
    return shown


def merge_shape(shown: Merging) -> dict[str, Any]:
    """What a merge does or did as ``adapter merge --json`` prints it."""
    shape: dict[str, Any] = msgspec.to_builtins(shown)
    return shape


def decided_shape(done: Decided, answer: str) -> dict[str, Any]:
    """What came of an answer as ``adapter decide --json`` prints it."""
    return {
        "practice": done.practice,
        "answer": answer,
        "findings": done.findings,
        "changes": done.changes,
        "waits": done.waits,
    }


def undo_shape(done: Undo) -> dict[str, Any]:
    """What taking a run back does, or did, as ``adapter undo --json`` prints it."""
    shown: dict[str, Any] = msgspec.to_builtins(done)
    return shown
