"""A practice of invented families that reads a folder: what happens in the EHR, and what the adapter does about it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapter.bootstrap import App, build
from adapter.core.email import email_key
from adapter.jobs.held import held_plans
from adapter.jobs.practice import Practice
from adapter.jobs.release import Released, release
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.charts import Resource, authority_extension, contact, patient
from adapter.settings import load_settings
from adapter.store import tables as t
from adapter.store import views
from adapter.store.engine import read
from tests.acceptance.adapter_cli import practice as practice_table

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
BORN = date(2019, 5, 1)
PRACTICE = "main-street"
Report = dict[str, Any]


class SmallPractice:
    """``number`` families with one child (``Patient/p1`` …) and one mother (``mother1@mail.example`` …) each."""

    def __init__(
        self, engine: sa.Engine, folder: Path, number: int, *, policy: str = "", more: str = "", id: str = PRACTICE
    ) -> None:
        self.engine = engine
        self.id = id
        self.folder = folder
        self.now = START
        (folder / "ehr").mkdir(parents=True)
        self.charts: dict[str, Resource] = {}
        self.contacts: dict[str, Resource] = {}
        for one in range(1, number + 1):
            self.add_family(one)
        self.configure(policy, more)

    @classmethod
    def again(cls, engine: sa.Engine, folder: Path, now: datetime) -> "SmallPractice":
        """The practice in a folder that another process has made; only for jobs, its EHR cannot be changed here."""
        practice = cls.__new__(cls)
        practice.engine, practice.folder, practice.id, practice.now = engine, folder, PRACTICE, now
        practice.app = build(load_settings(folder / "config.toml"), folder, clock=lambda: practice.now)
        return practice

    def configure(self, policy: str = "", more: str = "", *, mapping: str = "family-contacts") -> None:
        """Writes config.toml; a practice whose first Welcome emails are not held, unless told otherwise."""
        ehr = 'kind = "files"\npath = "ehr"'
        text = practice_table(
            self.id,
            ehr,
            policy=policy or "hold_first_welcome = false",
            more=more,
            keys=f'mapping = "{mapping}"',
        )
        (self.folder / "config.toml").write_text(text)
        self.app: App = build(load_settings(self.folder / "config.toml"), self.folder, clock=lambda: self.now)

    @property
    def practice(self) -> Practice:
        return self.app.practices[self.id]

    def add_family(self, number: int) -> None:
        chart = patient(f"p{number}", f"Child {_word(number)}", BORN, "female")
        self.charts[f"Patient/p{number}"] = chart
        self.add_contact(number)

    def add_contact(self, number: int, *, role: str = "Mother", email: str = "") -> str:
        """A contact on the child's chart; its reference."""
        key = "mother" if role == "Mother" else role.lower()
        email = email or f"{key}{number}@mail.example"
        name = f"{role} {_word(number)}"
        one = contact(self.charts[f"Patient/p{number}"], key, name, role, "joint", email)
        self.contacts[f"RelatedPerson/{one['id']}"] = one
        return f"RelatedPerson/{one['id']}"

    def mother(self, number: int) -> str:
        return f"RelatedPerson/p{number}-mother"

    def change(self, ref: str, **elements: Any) -> None:
        """Sets elements of a contact or chart."""
        table = self.charts if ref in self.charts else self.contacts
        table[ref] = table[ref] | elements

    def authority(self, ref: str, value: str) -> None:
        self.change(ref, extension=[authority_extension(value)])

    def new_email(self, ref: str, email: str) -> None:
        self.change(ref, telecom=[{"system": "email", "value": email}])

    def export(self) -> None:
        """Writes what the EHR has now."""
        records = [*self.charts.values(), *self.contacts.values()]
        (self.folder / "ehr" / "all.ndjson").write_text("".join(json.dumps(one) + "\n" for one in records))

    def sync(self, *, days: float = 0, stop_at: str = "", **request: Any) -> Report:
        """One sync, so many days after the last one; with ``stop_at`` somebody stops it at that step."""

        def progress(what: str, _done: int, _total: int | None) -> None:
            if what == stop_at:
                raise KeyboardInterrupt

        self.now += timedelta(days=days)
        self.export()
        return sync(self.engine, self.practice, Request(**request), clock=lambda: self.now, progress=progress)

    def held(self) -> list[dict[str, Any]]:
        return held_plans(self.engine, [self.id])

    def release(self, run: int, *, actor: str = "person:rita", expected: str | None = None) -> Released:
        return release(self.engine, self.app.practices, run, actor=actor, now=self.now, expected=expected)

    def states(self) -> dict[str, dict[str, str]]:
        """By address without its domain: each chart's state, or the reason where it is not open."""
        with read(self.engine) as connection:
            found = views.accounts(connection, [self.id])
        return {
            account["email"].split("@")[0]: {
                one["patient"].removeprefix("Patient/"): one["state"]
                + ("" if one["state"] == "active" else f" {one['reason']}")
                for one in account["dependents"]
            }
            for account in found
        }

    def open_charts(self) -> int:
        return sum(state == "active" for charts in self.states().values() for state in charts.values())

    def status(self, email: str) -> str:
        """One account's status."""
        here = t.account.c.email_key == email_key(email)
        with read(self.engine) as connection:
            return str(connection.scalar(sa.select(t.account.c.status).where(here)))

    def audit(self, action: str) -> list[dict[str, Any]]:
        """The details of the audit trail's entries of this kind."""
        with read(self.engine) as connection:
            rows = connection.execute(sa.select(t.audit).where(t.audit.c.action == action).order_by(t.audit.c.seq))
            return [row._asdict() | {"detail": json.loads(row.detail)} for row in rows]


def _word(number: int) -> str:
    """A surname of its own for each number: nobody is taken for somebody else."""
    letters = []
    while number:
        number, rest = divmod(number, 26)
        letters.append("abcdefghijklmnopqrstuvwxyz"[rest] * 2)
    return "".join(letters).capitalize() + "son"
