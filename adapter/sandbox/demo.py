"""A whole practice on this machine: EHR, mailbox and portal on loopback, and an adapter configured for them."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapter.bootstrap import App
from adapter.core.email import email_key
from adapter.core.state import GrantState
from adapter.errors import FatalError
from adapter.jobs.explain import explain
from adapter.sandbox.charts import Family, Resource
from adapter.sandbox.demo_files import MARKER, PRACTICE, ZONE, configured
from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.families import EMAILLESS_ROW, SELF_ROW, WITHDRAWN_ROW, population, story
from adapter.sandbox.mailbox import Mailbox
from adapter.sandbox.portals import PortalKind, RunningPortal, running_portal
from adapter.store import runs, views
from adapter.store.engine import read

STORY_BEGINS = timedelta(minutes=30)
"""How long before now the first sync is: what follows then never lies in the future."""
_CHARTS_ENTERED = timedelta(days=1)


class DemoClock:
    """The time of the whole demo. It starts in the past and is moved on by hand, never beyond the real time."""

    def __init__(self, behind: timedelta) -> None:
        self._behind = behind

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self._behind

    def forward(self, step: timedelta) -> None:
        self._behind = max(timedelta(), self._behind - step)

    def catch_up(self) -> None:
        """From now on it is the real time."""
        self._behind = timedelta()


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demo while it runs."""

    folder: Path
    app: App
    ehr: SandboxEhr
    mailbox: Mailbox
    portal: RunningPortal | None
    """None with the embedded one."""
    kind: PortalKind
    clock: DemoClock
    families: list[Family]
    """Those of the story; ``others`` are so many more that make it a practice."""
    others: int
    records: int
    """How many Patients and Family Contacts the EHR has."""

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def accounts(self, *emails: str) -> list[dict[str, Any]]:
        """Accounts in the shape of ``adapter accounts --json``: those of these addresses, or all."""
        with read(self.app.engine) as connection:
            found = views.accounts(connection, [PRACTICE])
        return [account for account in found if not emails or account["email"] in emails]

    def open_accounts(self) -> list[dict[str, Any]]:
        """The accounts that may open a chart."""
        active = GrantState.ACTIVE
        return [one for one in self.accounts() if any(chart["state"] == active for chart in one["dependents"])]

    def runs_since(self, number: int) -> list[dict[str, Any]]:
        """Later runs that have ended, in the shape of ``adapter runs --json``, oldest first."""
        with read(self.app.engine) as connection:
            listed = reversed(runs.listing(connection, [PRACTICE]))
            return [run for run in listed if run["run"] > number and run["finished_at"]]


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """What became of one family: accounts, charts that somebody may open, and why the other rows open nothing."""

    family: Family
    accounts: int
    open_charts: int
    charts: int
    left_out: tuple[str, ...]
    """Reason codes, in the order of the family's contacts."""


@contextmanager
def running_demo(
    folder: Path, *, families: int, port: int = 0, kind: PortalKind = PortalKind.EMBEDDED
) -> Iterator[Demo]:
    """Fills ``folder`` and runs everything inside the block; the folder stays, the servers do not.

    The portal is the embedded one, or a server of its own.

    ``families`` beyond those of the story are generated. Nothing is synced yet. Raises FatalError when the folder holds
    something that no demo wrote, when another demo runs in it, or when the port is taken.
    """
    with _own_folder(folder):
        clock = DemoClock(_CHARTS_ENTERED)
        today = clock().astimezone(ZoneInfo(ZONE)).date() + _CHARTS_ENTERED
        families_told = story(today)
        others = max(0, families - len(families_told))
        resources = [resource for family in families_told for resource in family.resources]
        resources += population(others, today=today)
        ehr = SandboxEhr(resources, port=port, clock=clock)
        clock.forward(_CHARTS_ENTERED - STORY_BEGINS)
        with ehr, Mailbox() as mailbox, running_portal(kind, clock) as portal:
            app = configured(folder, ehr, mailbox, portal, kind, clock)
            try:
                yield Demo(
                    folder=folder,
                    app=app,
                    ehr=ehr,
                    mailbox=mailbox,
                    portal=portal,
                    kind=kind,
                    clock=clock,
                    families=families_told,
                    others=others,
                    records=len(resources),
                )
            finally:
                app.engine.dispose()


def family_results(demo: Demo) -> list[FamilyResult]:
    """Each family of the story as the accounts are now."""
    opened: dict[str, set[str]] = {}
    for account in demo.open_accounts():
        for dependent in account["dependents"]:
            if dependent["state"] == GrantState.ACTIVE:
                opened.setdefault(dependent["patient"], set()).add(email_key(account["email"]))
    practice = demo.app.practices[PRACTICE]
    results = []
    for family in demo.families:
        charts = [f"Patient/{item['id']}" for item in family.resources if item["resourceType"] == "Patient"]
        reasons: list[str] = []
        for row in (item for item in family.resources if item["resourceType"] == "RelatedPerson"):
            if email_key(_email(row)) not in opened.get(row["patient"]["reference"], ()):
                ref = f"RelatedPerson/{row['id']}"
                reasons.append(explain(demo.app.engine, practice, ref, clock=demo.clock).reason)
        accounts = set().union(*(opened.get(chart, set()) for chart in charts))
        results.append(
            FamilyResult(
                family,
                len(accounts),
                sum(chart in opened for chart in charts),
                len(charts),
                tuple(dict.fromkeys(reasons)),
            )
        )
    return results


def follow_the_remedy(ehr: SandboxEhr) -> str:
    """What the FAQ advises for a parent with only a Self row: another Role there, the same address in the child's.

    Returns the address.
    """
    email = _email(ehr.change_role(SELF_ROW, "Other Relative"))
    ehr.change_email(EMAILLESS_ROW, email)
    return email


def withdraw_authority(ehr: SandboxEhr) -> str:
    """Sets one parent's Authority to None; returns the parent's address."""
    return _email(ehr.change_authority(WITHDRAWN_ROW, "none"))


def _email(row: Resource) -> str:
    return next((point["value"] for point in row["telecom"] if point["system"] == "email"), "")


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Makes the folder, or empties it of what an earlier demo left; nobody else's file is ever touched."""
    config = folder / "config.toml"
    if folder.exists() and not folder.is_dir():
        raise FatalError(f"{folder} is not a folder. Move it away, or name another one with --folder.")
    known = {"config.toml", "lock", "schedules", "var"}
    if folder.exists() and any(folder.iterdir()):
        ours = config.is_file() and config.read_text(encoding="utf-8", errors="replace").startswith(MARKER)
        if not ours or {item.name for item in folder.iterdir()} - known:
            raise FatalError(f"{folder} holds other files. Move it away, or name another folder with --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FatalError(f"A demo is running in {folder} already. Stop it first, or name another folder.") from None
        for name in ("schedules", "var"):
            shutil.rmtree(folder / name, ignore_errors=True)
        yield
