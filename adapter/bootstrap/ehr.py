"""An EHR's reader, as a practice's settings and mapping profile want it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from adapter.core.mapping import MappingProfile
from adapter.core.search import RELATED_PERSON
from adapter.ehr import Reader
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.auth.basic import Basic
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.bulk.making import make_bulk
from adapter.ehr.files import FilesReader
from adapter.errors import ConfigError, Fault
from adapter.settings import FhirEhr, FilesEhr, PracticeSettings


def make_reader(
    settings: PracticeSettings,
    profile: MappingProfile,
    *,
    notes: Path,
    untouched: Callable[[datetime], bool],
    clock: Callable[[], datetime],
) -> Reader:
    """The practice's reader. ``notes`` is where an export under way is remembered, ``untouched`` says whether nothing
    newer was read since a time.

    Raises ConfigError for a profile that this kind of EHR cannot serve, and for a key or secret that cannot be had.
    """
    ehr = settings.ehr
    if isinstance(ehr, FilesEhr):
        _check_files(settings, profile)
        return FilesReader(ehr.path)
    authorization = _authorization(ehr, profile, clock)
    bulk = make_bulk(
        ehr.base_url,
        authorization=authorization,
        group=ehr.group or "",
        bulk_hosts=ehr.bulk_hosts,
        bulk_hosts_get_token=ehr.bulk_hosts_get_token,
        bulk_hours=ehr.bulk_hours,
        alone=ehr.strategy == "bulk",
        notes=notes,
        untouched=untouched,
        concurrency=ehr.concurrency,
        timeout_seconds=ehr.timeout_seconds,
        overlap_minutes=ehr.overlap_minutes,
        max_body_megabytes=ehr.max_body_megabytes,
        clock=clock,
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
        elements=ehr.elements,
        rules=profile.search,
        max_body_megabytes=ehr.max_body_megabytes,
        max_pages=ehr.max_pages,
        check_total=ehr.check_total,
        clock=clock,
    )


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
    if ehr.auth not in ("smart", "client_secret"):
        return NoAuthorization()
    from adapter.ehr.fhir.auth.oauth import oauth
    from adapter.http.client_secret import ClientSecret
    from adapter.http.keys import read_key  # cryptography, which only these need
    from adapter.http.smart import Assertion

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
