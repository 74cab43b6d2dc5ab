"""The rows of a practice's first accounts, made where they are planned, are what applying their actions writes."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.bootstrap import build
from adapter.core.plan import Action, ActionKind
from adapter.jobs.run import Request
from adapter.jobs.sync import plan
from adapter.sandbox.families import population, story, write_ndjson
from adapter.settings import load_settings
from adapter.store import tables as t
from adapter.store.apply import Applier
from adapter.store.rows import Opened, Writer, opened, stamp
from tests.acceptance.adapter_cli import practice as practice_table

NOW = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
PRACTICE = "main-street"
WRITER = Writer(practice=PRACTICE, run=7, actor="schedule", moment=stamp(NOW))


@pytest.fixture
def actions(tmp_path: Path) -> list[Action]:
    """What a first sync of the story's families and 60 others would do."""
    today = date(2026, 3, 2)
    told = [resource for family in story(today) for resource in family.resources]
    write_ndjson(tmp_path / "ehr", [*told, *population(60, today=today)])
    (tmp_path / "config.toml").write_text(practice_table(PRACTICE, 'kind = "files"\npath = "ehr"'))
    app = build(load_settings(tmp_path / "config.toml"), tmp_path)
    found: list[Action] = []
    plan(
        app.engine,
        app.practices[PRACTICE],
        Request(),
        clock=lambda: NOW,
        progress=lambda *_: None,
        take=found.extend,
    )
    app.engine.dispose()
    return found


def written(engine: sa.Engine, write: Any) -> dict[str, list[dict[str, Any]]]:
    """What ``write`` leaves in the database, each account named by its address; nothing is kept."""
    with engine.connect() as connection, connection.begin() as transaction:
        write(Applier(connection, PRACTICE, run=7, actor="schedule", now=NOW))
        named = {row.id: row.email_key for row in connection.execute(sa.select(t.account.c.id, t.account.c.email_key))}
        welcomes = connection.execute(sa.select(t.welcome.c.id, t.welcome.c.effect_id, t.welcome.c.account_id)).all()
        named |= {id_: f"welcome of {named[row.account_id]}" for row in welcomes for id_ in row[:2]}
        names = {**named, **{row.effect_id: f"mail of {named[row.account_id]}" for row in welcomes}}
        found = {}
        for table in (t.account, t.grant, t.effect, t.welcome, t.audit):
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for row in rows:
                row.pop("hash", None)
                if table is t.effect:
                    row["id"] = names.get(row["id"], "portal")
                row |= {key: names.get(value, value) for key, value in row.items() if isinstance(value, str)}
            found[table.name] = sorted(rows, key=repr)
        transaction.rollback()
    return found


def test_rows_made_with_the_plan_are_those_of_its_actions(engine: sa.Engine, actions: list[Action]) -> None:
    rows = opened(actions, WRITER)
    assert isinstance(rows, Opened)
    by_actions = written(engine, lambda applier: applier.apply(actions))
    by_rows = written(engine, lambda applier: applier.write(rows))
    assert by_actions == by_rows
    assert all(by_rows.values()) and len(by_rows["audit"]) == len(actions)
    assert {row["state"] for row in by_rows["grant"]} > {"active"}


def test_anything_but_opening_has_to_be_looked_up(actions: list[Action]) -> None:
    known = Action(ActionKind.GRANT, "a@x.example", "Patient/1", "eligible", "", account_id="1")
    cancelled = Action(ActionKind.CANCEL_WELCOME, "a@x.example", None, "no-open-chart", "")
    for one in (known, cancelled):
        assert opened([*actions, one], WRITER) is None
