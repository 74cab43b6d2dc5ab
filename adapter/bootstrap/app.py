"""The assembled adapter: everything a start point needs, made when it is first used."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from adapter.bootstrap.ehr import make_reader
from adapter.bootstrap.merchant import make_merchant
from adapter.bootstrap.portal import make_portal
from adapter.bootstrap.practice import make_practice
from adapter.core.mapping import MappingProfile
from adapter.core.merchant import Merchant
from adapter.core.vendors import Vendor
from adapter.ehr import Reader
from adapter.errors import ConfigError, FatalError, Fault
from adapter.jobs.practice import Practice
from adapter.jobs.scheduled import ScheduledJob, jobs_of
from adapter.jobs.watching import Watcher
from adapter.mail import Mailer
from adapter.mail.key import read_or_create_key
from adapter.portal import Portal
from adapter.schedule_files import load_schedule, schedule_folders
from adapter.settings import PracticeSettings, Settings
from adapter.store.engine import make_engine
from adapter.store.exports import untouched_since
from adapter.store.migrations import is_new, migrate, pending
from adapter.vendor_files import load_vendors, vendor_folders

if TYPE_CHECKING:
    from adapter.ehr.fhir.subscription import Subscriptions
    from adapter.jobs.bounces import Collector
    from adapter.jobs.letters import PracticeMail
    from adapter.mail.signature import Signer


@dataclass(frozen=True)
class App:
    """Everything the start points need. Nothing is connected before it is used, and what only some commands need is not
    even imported before: a small sync is over in less time than all of it takes."""

    settings: Settings
    folder: Path
    """The configuration's own folder: profiles and schedules beside it come first."""
    clock: Callable[[], datetime]

    @cached_property
    def engine(self) -> sa.Engine:
        """The database, created on first use. Raises FatalError when it needs ``adapter migrate``."""
        engine = make_engine(self.settings.store.url.get_secret_value())
        if is_new(engine):
            migrate(engine)
        elif pending(engine):
            raise FatalError("The database is of an older version. Make a backup, then run `adapter migrate`.")
        return engine

    @cached_property
    def practices(self) -> dict[str, Practice]:
        """Every practice by id. Raises ConfigError listing the faults of all their profiles at once."""
        faults, found = [], {}
        for practice in self.settings.practice:
            try:
                found[practice.id] = make_practice(practice, self._reader, self.folder)
            except ConfigError as error:
                faults += [fault for fault in error.faults if fault not in faults]
        if faults:
            raise ConfigError(faults)
        return found

    @cached_property
    def scheduled(self) -> list[ScheduledJob]:
        """Every scheduled job of every practice. Raises ConfigError listing the faults of all schedules at once."""
        faults, found = [], []
        for practice in self.settings.practice:
            try:
                schedule = load_schedule(practice.schedule, schedule_folders(self.folder))
                found += jobs_of(practice.id, schedule, time_zone=practice.time_zone)
            except ConfigError as error:
                faults += [fault for fault in error.faults if fault not in faults]
        if faults:
            raise ConfigError(faults)
        return found

    @cached_property
    def vendors(self) -> dict[str, Vendor]:
        """Every payment vendor by id. Raises ConfigError listing the faults of all their files at once."""
        return load_vendors(vendor_folders(self.folder))

    @cached_property
    def merchants(self) -> dict[str, Merchant]:
        """What every practice shows for payments. Raises ConfigError listing every fault of every practice."""
        faults: list[Fault] = []
        found = {practice.id: make_merchant(practice, self.vendors, faults) for practice in self.settings.practice}
        if faults:
            raise ConfigError(faults)
        return found

    @cached_property
    def portals(self) -> dict[str, Portal]:
        """Every practice's portal."""
        return {practice.id: self.portal_for(practice, practice.id) for practice in self.settings.practice}

    def portal_for(self, practice: PracticeSettings, name: str) -> Portal:
        """The practice's portal, with accounts of its own for another name: to try it without meeting anybody."""
        return make_portal(practice.portal, practice=name, own=lambda: self.engine, clock=self.clock)

    @cached_property
    def watchers(self) -> dict[str, Watcher]:
        """Who waits for each practice's runs."""
        return {one.id: Watcher(one.id, one.alerts.ping_url) for one in self.settings.practice}

    def subscriptions(self, practice: PracticeSettings) -> "Subscriptions | None":
        """The practice's Subscriptions at its EHR; None where nothing says how the EHR could reach us.

        Raises ConfigError when the secret of ``[practice.push]`` cannot be had.
        """
        from adapter.ehr.fhir import FhirReader
        from adapter.ehr.fhir.subscription import Subscriptions

        push, reader = practice.push, self.practices[practice.id].reader
        if push is None or push.public_url is None or not isinstance(reader, FhirReader):
            return None
        return Subscriptions(
            reader.client,
            endpoint=f"{push.public_url.rstrip('/')}/notify/{practice.id}",
            header=f"{push.header}: {push.header_value.get_secret_value()}",
            payload=push.payload == "full",
            kinds=reader.kinds,
        )

    def make_mailer(self) -> Mailer:
        """A way for mail to leave. It may hold a connection, so every delivery makes its own and closes it."""
        from adapter.bootstrap.mail import make_mailer

        return make_mailer(self.settings.mail, self.signer)

    @cached_property
    def bounces(self) -> "Collector":
        """Looks into the mailbox of delivery reports. Raises ConfigError when its password cannot be had."""
        from adapter.bootstrap.mail import make_bounce_box
        from adapter.jobs.bounces import Collector

        return Collector(make_bounce_box(self.settings.bounces))

    @cached_property
    def signer(self) -> "Signer":
        """Signs mail by its sender. Raises ConfigError listing every key that cannot be used."""
        from adapter.bootstrap.mail import make_signer

        return make_signer(self.settings.practice)

    @cached_property
    def key(self) -> bytes:
        """The secret the links in Welcome emails are derived from."""
        return read_or_create_key(self.settings.store.key_file)

    @cached_property
    def identities(self) -> "dict[str, PracticeMail]":
        """What each practice's mails say of the practice."""
        from adapter.bootstrap.mail import letterhead

        return {practice.id: letterhead(practice, self.settings.mail) for practice in self.settings.practice}

    def _reader(self, practice: PracticeSettings, profile: MappingProfile) -> Reader:
        return make_reader(
            practice,
            profile,
            notes=self.settings.store.key_file.parent / "exports" / f"{practice.id}.json",
            untouched=lambda began: untouched_since(self.engine, practice.id, began),
            clock=self.clock,
        )


def build(settings: Settings, folder: Path, *, clock: Callable[[], datetime] | None = None) -> App:
    """The application for these settings; ``folder`` is where config.toml lies."""
    return App(settings, folder, clock or (lambda: datetime.now(UTC)))


def actor() -> str:
    """Who is at the command line, for the audit trail."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):
        return "person:unknown"
