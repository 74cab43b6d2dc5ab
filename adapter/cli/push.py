"""What ``adapter check`` says of an EHR that pushes, and its ``--subscribe`` and ``--unsubscribe``."""

from datetime import datetime
from typing import Any, Literal

from adapter.ehr import Check

Task = Literal["look", "subscribe", "unsubscribe"]


def push_checks(built: Any, practice: Any, task: Task) -> list[Check]:
    """The lines about one practice's push; none where it has no ``[practice.push]`` and none is asked for.

    Raises AdapterError when the database or the secret cannot be had.
    """
    push = practice.push
    if push is None:
        if task == "look":
            return []
        return [Check("push", False, "there is no [practice.push] table", "config.example.toml shows one.")]
    assert push.header_value  # made on first use, so that an admin finds it
    subscriptions = built.subscriptions(practice)
    if subscriptions is None:
        detail = f"notifications are accepted at /notify/{practice.id}, with the secret in the header {push.header}"
        if task == "look":
            return [Check("push", True, detail), _heard(built, practice.id)]
        return [
            Check("push", False, "public_url is missing", "Say in [practice.push] how the EHR reaches this service.")
        ]
    configured = Check("push", True, f"{subscriptions.endpoint}, with the secret in the header {push.header}")
    if task == "subscribe":
        return [configured, *subscriptions.subscribe()]
    if task == "unsubscribe":
        return [configured, *subscriptions.unsubscribe()]
    return [configured, *subscriptions.check(), _heard(built, practice.id)]


def _heard(built: Any, practice: str) -> Check:
    """The last sign of life; an EHR that calls its own Subscription broken is a failure, silence is none."""
    from adapter.store import nudges
    from adapter.store.engine import read

    with read(built.engine) as connection:
        heard = nudges.heard(connection, practice)
        waiting = nudges.waiting(connection, practice)
    if not heard:
        return Check("push heard", True, "no notification has come yet")
    last = heard[0]
    told = f", Subscription {last.status}" if last.status else ""
    queue = f"; {waiting} waiting to be read" if waiting else ""
    detail = f"the last notification came {_ago(built.clock(), last.seen_at)}{told}{queue}"
    remedy = "Renew it: adapter check --subscribe"
    return Check("push heard", last.status not in ("error", "off"), detail, remedy)


def _ago(now: datetime, then: datetime) -> str:
    minutes = max(0, int((now - then).total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} minutes ago"
    return f"{minutes // 60} hours ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
