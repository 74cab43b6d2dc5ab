"""Rows for the tests of the outbox and of delivery: accounts, charts, and the effects that are about them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.state import AccountStatus, EffectKind, EffectState, GrantState
from adapter.store import tables as t
from adapter.store.engine import begin

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PRACTICE = "main-street"


def add_account(engine: sa.Engine, id_: str, **changes: Any) -> None:
    """An account with one chart it may open (``charts=0``: none)."""
    email = changes.pop("email", f"{id_}@mail.example")
    charts = changes.pop("charts", 1)
    row = {
        "id": id_,
        "practice": PRACTICE,
        "email_key": email.lower(),
        "email": email,
        "name": "Ana Rivera",
        "language": "en",
        "status": AccountStatus.PENDING,
        "reason": "eligible",
        "since": NOW,
    }
    with begin(engine) as connection:
        connection.execute(sa.insert(t.account).values(row | changes))
        for number in range(charts):
            add_grant(connection, id_, f"Patient/{id_}-{number}")


def add_grant(connection: sa.Connection, account: str, patient: str, state: GrantState = GrantState.ACTIVE) -> None:
    """A mother's grant."""
    connection.execute(
        sa.insert(t.grant).values(
            account_id=account,
            patient=patient,
            contact=patient.replace("Patient", "RelatedPerson"),
            role="mother",
            authority="joint",
            access="full",
            state=state,
            reason="eligible",
            source="RelatedPerson/1/_history/1",
            is_self=False,
            since=NOW,
        )
    )


def add_effect(engine: sa.Engine, id_: str, kind: EffectKind, subject: str, **changes: Any) -> None:
    """An effect that is due now."""
    row = {
        "id": id_,
        "practice": PRACTICE,
        "kind": kind,
        "subject": subject,
        "to": f"{subject}@mail.example",
        "state": EffectState.QUEUED,
        "attempts": 0,
        "next_at": NOW,
        "run": 1,
        "created_at": NOW,
    }
    with begin(engine) as connection:
        connection.execute(sa.insert(t.effect).values(row | changes))


def add_welcome(engine: sa.Engine, id_: str, account: str, **changes: Any) -> None:
    """A Welcome email ``id_`` and its effect ``id_-mail``; changes are the effect's or its own."""
    email = changes.pop("email", f"{account}@mail.example")
    generation = changes.pop("generation", 1)
    closed = changes.pop("link_closed_at", None)
    add_effect(engine, f"{id_}-mail", EffectKind.WELCOME, id_, **{"to": email, **changes})
    row = {"id": id_, "practice": PRACTICE, "account_id": account, "generation": generation, "effect_id": f"{id_}-mail"}
    with begin(engine) as connection:
        values = row | {"email": email, "reason": "eligible", "created_at": NOW, "link_closed_at": closed}
        connection.execute(sa.insert(t.welcome).values(values))


def row_of(engine: sa.Engine, table: sa.Table, id_: str) -> dict[str, Any]:
    """One row by its id."""
    with begin(engine) as connection:
        return dict(connection.execute(sa.select(table).where(table.c.id == id_)).mappings().one())


def states(engine: sa.Engine) -> dict[str, str]:
    """The state of every effect, by id."""
    with begin(engine) as connection:
        rows = connection.execute(sa.select(t.effect.c.id, t.effect.c.state).order_by(t.effect.c.id)).all()
    return {row.id: row.state for row in rows}
