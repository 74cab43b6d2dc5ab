"""The shapes of the command line's ``--json`` (docs/commands.md) as JSON Schema, for the API's own description.

They say what stays; more keys may come. The tests hold every answer against them.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
YES_OR_NO: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
COUNTS: Schema = {"type": "object"}


def record(**fields: Schema) -> Schema:
    """An object that has all of these."""
    return {"type": "object", "required": sorted(fields), "properties": fields}


def several(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


DEPENDENT = record(
    patient=TEXT, role=TEXT, authority=TEXT, access=TEXT, state=TEXT, reason=TEXT, self=YES_OR_NO, since=TIME
)
WELCOME = record(status=TEXT, sent_count=WHOLE, last_sent_at=TIME_OR_NULL)
ACCOUNT = record(practice=TEXT, email=TEXT, name=TEXT, status=TEXT, dependents=several(DEPENDENT), welcome=WELCOME)
FINDING = record(
    id=TEXT,
    practice=TEXT,
    code=TEXT,
    severity=TEXT,
    patient=TEXT_OR_NULL,
    contact=TEXT_OR_NULL,
    email=TEXT_OR_NULL,
    message=TEXT,
    remedy=TEXT,
    since=TIME,
)
STEP = record(rule=TEXT, outcome=TEXT, because=TEXT, source=TEXT_OR_NULL)
EXPLANATION = record(practice=TEXT, who=TEXT, verdict=TEXT, reason=TEXT, remedy=TEXT_OR_NULL, steps=several(STEP))
RUN = record(
    run=WHOLE,
    practice=TEXT,
    kind=TEXT,
    status=TEXT,
    read=COUNTS,
    changes=COUNTS,
    held=COUNTS,
    findings=COUNTS,
    problems=several(TEXT),
    started_at=TIME,
    finished_at=TIME_OR_NULL,
)
ACTION = record(action=TEXT, account=TEXT, patient=TEXT_OR_NULL, reason=TEXT, source=TEXT)
PLAN = record(hash=TEXT, practice=TEXT, complete=YES_OR_NO, actions=several(ACTION))
HELD_PLAN = record(run=WHOLE, practice=TEXT, hash=TEXT, cause=TEXT, since=TIME, until=TIME, counts=COUNTS)
OUTBOX = record(id=TEXT, kind=TEXT, to=TEXT, state=TEXT, attempts=WHOLE, next_at=TIME_OR_NULL, last_error=TEXT_OR_NULL)
WIDGET = record(practice=TEXT)
AUDIT = record(practice=TEXT, seq=WHOLE, at=TEXT, actor=TEXT, action=TEXT, reason=TEXT, source=TEXT, hash=TEXT)
MERGE = record(
    practice=TEXT, source=TEXT, target=TEXT, path=several(TEXT), state=TEXT, said=TEXT, since=TIME, done_at=TIME_OR_NULL
)
MOVED = record(account=TEXT, name=TEXT, what=TEXT, why=TEXT, own=YES_OR_NO, mail=TEXT)
MERGING = record(
    practice=TEXT,
    source=TEXT,
    target=TEXT,
    unmerge=YES_OR_NO,
    path=several(TEXT),
    said=TEXT,
    hash=TEXT,
    moves=several(MOVED),
    changes=COUNTS,
    needs_second=YES_OR_NO,
)
RELEASED = record(practice=TEXT, run=WHOLE, welcome=WHOLE, changes=COUNTS, left=WHOLE, needs_second=YES_OR_NO)
DECIDED = record(practice=TEXT, answer=TEXT, findings=several(TEXT), changes=COUNTS, waits=YES_OR_NO)
REGISTERED = record(practice=TEXT, email=TEXT, status=TEXT)
DELIVERED = record(delivered=COUNTS, problems=several(TEXT))
UNDONE = record(run=WHOLE, practice=TEXT, hash=TEXT)
REVOKED = record(practice=TEXT, email=TEXT, patient=TEXT, status=TEXT, was_open=YES_OR_NO)
PUBLISHED = record(practice=TEXT, hash=TEXT, changes=several({"type": "object"}), published=WHOLE)
OF_OUTBOX = record(practice=TEXT, id=TEXT, status=TEXT)
VERIFIED = record(whole=YES_OR_NO, practices=several({"type": "object"}), more=WHOLE, lost_hash=YES_OR_NO)
PROBLEM = record(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT)


def page_of(item: Schema) -> Schema:
    """One page of a list."""
    return record(items=several(item), next=TEXT_OR_NULL)
