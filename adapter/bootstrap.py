"""The only place that wires objects together: ``build(settings)`` gives an ``App`` on which every job can run."""

import getpass
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from adapter.core.mapping import Mapper, MappingProfile
from adapter.core.search import RELATED_PERSON
from adapter.core.widget import Widget, read_widget
from adapter.ehr import Reader
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.auth.basic import Basic
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.ehr.fhir.auth.client_secret import ClientSecret
from adapter.ehr.fhir.auth.keys import read_key
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.auth.oauth import oauth
from adapter.ehr.fhir.auth.smart import Assertion
from adapter.ehr.fhir.bulk.making import make_bulk
from adapter.ehr.fhir.subscription import Subscriptions
from adapter.ehr.files import FilesReader
from adapter.errors import ConfigError, FatalError, Fault
from adapter.jobs.deliver import PracticeMail
from adapter.jobs.practice import Practice
from adapter.jobs.schedule import ScheduledJob, jobs_of
from adapter.mail import Mailer
from adapter.mail.folder import FolderMailer
from adapter.mail.key import read_or_create_key
from adapter.mail.smtp import SmtpMailer
from adapter.portal import Portal
from adapter.portal.embedded import EmbeddedPortal
from adapter.profiles import load_profile
from adapter.schedule_files import load_schedule, schedule_folders
from adapter.settings import FhirEhr, FilesEhr, FolderMail, PracticeSettings, Settings
from adapter.store.engine import make_engine
from adapter.store.exports import untouched_since
from adapter.store.migrations import is_new, migrate, pending


@dataclass(frozen=True)
class App:
    """Everything the start points need. Nothing is connected before it is used."""

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
                found[practice.id] = self._practice(practice)
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
    def widgets(self) -> dict[str, Widget | None]:
        """Every practice's payment widget; None where it has no merchant. Raises ConfigError listing every fault."""
        faults = []
        found: dict[str, Widget | None] = {}
        for practice in self.settings.practice:
            widget = read_widget(practice.merchant.model_dump()) if practice.merchant else None
            if isinstance(widget, list):
                key = f"practice {practice.id}: merchant"
                faults += [
                    Fault(file="config.toml", key=f"{key}.{fault.key}", problem=f"{fault.problem}.", remedy="")
                    for fault in widget
                ]
            else:
                found[practice.id] = widget
        if faults:
            raise ConfigError(faults)
        return found

    @cached_property
    def portals(self) -> dict[str, Portal]:
        """Every practice's portal."""
        found: dict[str, Portal] = {}
        for practice in self.settings.practice:
            url = practice.portal.store_url
            engine = make_engine(url.get_secret_value()) if url else self.engine
            found[practice.id] = EmbeddedPortal(
                engine, practice=practice.id, show_after_minutes=practice.portal.show_after_minutes, now=self.clock
            )
        return found

    def subscriptions(self, practice: PracticeSettings) -> Subscriptions | None:
        """The practice's Subscriptions at its EHR; None where nothing says how the EHR could reach us.

        Raises ConfigError when the secret of ``[practice.push]`` cannot be had.
        """
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
        mail = self.settings.mail
        if isinstance(mail, FolderMail):
            return FolderMailer(mail.path)
        password = mail.password
        return SmtpMailer(
            host=mail.host,
            port=mail.port,
            security=mail.security,
            username=mail.username,
            password=password.get_secret_value() if password else None,
            timeout=mail.timeout_seconds,
        )

    @cached_property
    def key(self) -> bytes:
        """The secret the links in Welcome emails are derived from."""
        return read_or_create_key(self.settings.store.key_file)

    @cached_property
    def identities(self) -> dict[str, PracticeMail]:
        """What each practice's mails say of the practice."""
        return {
            practice.id: PracticeMail(
                id=practice.id,
                name=practice.name,
                language=practice.language,
                zone=ZoneInfo(practice.time_zone),
                mail_from=practice.mail_from,
                phone=practice.phone,
                registration_url=practice.portal.registration_url,
                link_hours=practice.policy.welcome_link_hours,
            )
            for practice in self.settings.practice
        }

    def _practice(self, settings: PracticeSettings) -> Practice:
        profile = load_profile(settings.mapping, [self.folder / "mappings"])
        if isinstance(settings.ehr, FilesEhr):
            _check_files(settings, profile)
        policy = settings.policy.to_policy()
        base_url = None if isinstance(settings.ehr, FilesEhr) else settings.ehr.base_url
        rules = msgspec.json.encode(
            (profile.hash, msgspec.to_builtins(policy, order="deterministic"), settings.time_zone)
        )
        return Practice(
            id=settings.id,
            name=settings.name,
            policy=policy,
            zone=ZoneInfo(settings.time_zone),
            reader=self._reader(settings, profile),
            mapper=Mapper(profile, base_url=base_url),
            rules_hash=hashlib.sha256(rules).hexdigest(),
            authority_file=settings.authority_file,
        )

    def _reader(self, settings: PracticeSettings, profile: MappingProfile) -> Reader:
        ehr = settings.ehr
        if isinstance(ehr, FilesEhr):
            return FilesReader(ehr.path)
        authorization = _authorization(ehr, profile, self.clock)
        bulk = make_bulk(
            ehr.base_url,
            authorization=authorization,
            group=ehr.group or "",
            bulk_hosts=ehr.bulk_hosts,
            bulk_hosts_get_token=ehr.bulk_hosts_get_token,
            bulk_hours=ehr.bulk_hours,
            alone=ehr.strategy == "bulk",
            notes=self.settings.store.key_file.parent / "exports" / f"{settings.id}.json",
            untouched=lambda began: untouched_since(self.engine, settings.id, began),
            concurrency=ehr.concurrency,
            timeout_seconds=ehr.timeout_seconds,
            overlap_minutes=ehr.overlap_minutes,
            max_body_megabytes=ehr.max_body_megabytes,
            clock=self.clock,
        )
        return FhirReader(
            ehr.base_url,
            authorization=authorization,
            bulk=bulk,
            page_size=ehr.page_size,
            concurrency=ehr.concurrency,
            timeout_seconds=ehr.timeout_seconds,
            overlap_minutes=ehr.overlap_minutes,
            strategy=ehr.strategy,
            rules=profile.search,
            max_body_megabytes=ehr.max_body_megabytes,
            max_pages=ehr.max_pages,
            check_total=ehr.check_total,
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


def _check_files(settings: PracticeSettings, profile: MappingProfile) -> None:
    """A folder is read as it is. Raises ConfigError for a profile whose contacts only a FHIR reader can make out."""
    if profile.search.is_plain and profile.search.contacts == RELATED_PERSON:
        return
    key = f"practice {settings.id}: mapping"
    problem = f'"{settings.mapping}" finds contacts in a way that needs the EHR\'s FHIR API, not a folder of files.'
    remedy = 'Use [practice.ehr] kind = "fhir", or a profile without such a [search] table.'
    raise ConfigError([Fault(file="config.toml", key=key, problem=problem, remedy=remedy)])


def _types(profile: MappingProfile) -> tuple[str, ...]:
    """The resource types that a practice with this profile reads."""
    contacts = ("RelatedPerson",) if profile.search.contacts == "RelatedPerson" else ()
    return ("Patient", *contacts, *(("Consent",) if profile.consents else ()))


def _authorization(ehr: FhirEhr, profile: MappingProfile, clock: Callable[[], datetime]) -> Authorization:
    if token := ehr.token:
        return Bearer(token)
    if ehr.auth == "basic" and ehr.username and (password := ehr.password):
        return Basic(ehr.username, password)
    login: Assertion | ClientSecret
    if ehr.auth == "smart" and ehr.client_id and ehr.private_key_file:
        key = read_key(ehr.private_key_file, key_id=ehr.key_id, algorithm=ehr.algorithm)
        login = Assertion(client_id=ehr.client_id, key=key, clock=clock)
    elif ehr.auth == "client_secret" and ehr.client_id and (secret := ehr.client_secret):
        login = ClientSecret(client_id=ehr.client_id, secret=secret, method=ehr.client_auth)
    else:
        return NoAuthorization()
    return oauth(
        ehr.base_url,
        login,
        token_url=ehr.token_url,
        scopes=ehr.scopes,
        types=_types(profile),
        timeout_seconds=ehr.timeout_seconds,
        clock=clock,
    )
