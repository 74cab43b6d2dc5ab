"""Accounts, grants, Welcome emails and findings as FHIR: what a status, a link and an address may say."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapter.core.facts import Authority, Role
from adapter.core.fhir_face import communication, consent, person, task
from adapter.core.fhir_face.elements import Ehr
from adapter.core.fhir_face.scopes import TYPES, granted, is_scope, rights
from adapter.core.fhir_face.search import PARAMS, RESULT, BadSearch, Kind, Span, parse
from adapter.core.policy import Access
from adapter.core.state import AccountStatus, EffectState, GrantState

NOW = datetime(2026, 6, 1, 13, 41, 5, 120, tzinfo=UTC)
EHR = Ehr("main-street", "https://ehr.example/fhir/")
FILES = Ehr("main-street")
NEW_YORK = ZoneInfo("America/New_York")

MOTHER = person.Link("Patient/ada", "RelatedPerson/grace", GrantState.ACTIVE, False)
ACCOUNT = person.AccountView(
    "a1", "grace@mail.example", "Grace Okafor", AccountStatus.INVITED, "eligible", None, NOW, (MOTHER,)
)
GRANT = consent.GrantView(
    "a1.0",
    "a1",
    AccountStatus.INVITED,
    "Patient/ada",
    "RelatedPerson/grace",
    Role.MOTHER,
    Authority.JOINT,
    Access.FULL,
    GrantState.ACTIVE,
    "eligible",
    NOW,
    None,
    NOW,
)
MAIL = communication.WelcomeView(
    "w1",
    "a1",
    AccountStatus.INVITED,
    "grace@mail.example",
    1,
    EffectState.SENT,
    NOW,
    NOW,
    NOW,
    ("RelatedPerson/grace",),
    ("Patient/ada",),
)
FINDING = task.FindingView(
    "f1", "email-missing", "warning", "Patient/ada", None, "Grace Okafor has none.", "Enter it.", NOW, None, NOW
)


def links(*given: person.Link, registered: bool = False) -> dict[str, str]:
    view = replace(ACCOUNT, links=given, registered_at=NOW if registered else None)
    return {link["target"]["reference"]: link["assurance"] for link in person.person(view, EHR).get("link", ())}


def test_a_mother_is_not_her_child() -> None:
    assert links(MOTHER) == {"https://ehr.example/fhir/RelatedPerson/grace": "level2"}


def test_a_parent_who_is_the_patient_is() -> None:
    own = person.Link("Patient/grace", "RelatedPerson/own", GrantState.ACTIVE, True)
    assert set(links(MOTHER, own)) == {
        "https://ehr.example/fhir/RelatedPerson/grace",
        "https://ehr.example/fhir/RelatedPerson/own",
        "https://ehr.example/fhir/Patient/grace",
    }


@pytest.mark.parametrize(
    ("state", "registered", "level"),
    [
        (GrantState.ACTIVE, True, "level3"),
        (GrantState.ACTIVE, False, "level2"),
        (GrantState.HELD, True, "level1"),
        (GrantState.SUSPENDED, True, "level1"),
        (GrantState.ENDED, True, None),
    ],
)
def test_assurance_is_no_higher_than_what_is_known(state: GrantState, registered: bool, level: str | None) -> None:
    assert list(links(replace(MOTHER, state=state), registered=registered).values()) == ([level] if level else [])


@pytest.mark.parametrize(
    ("state", "status", "type_"),
    [
        (GrantState.ACTIVE, "active", "permit"),
        (GrantState.HELD, "proposed", "deny"),
        (GrantState.SUSPENDED, "inactive", "deny"),
        (GrantState.ENDED, "inactive", "deny"),
    ],
)
def test_only_an_active_grant_permits(state: GrantState, status: str, type_: str) -> None:
    shown = consent.consent(replace(GRANT, state=state), EHR, NOW)
    assert (shown["status"], shown["provision"]["type"]) == (status, type_)
    assert ("end" in shown["provision"]["period"]) == (state is GrantState.ENDED)


@pytest.mark.parametrize(
    ("changed", "permits"),
    [
        ({"until": NOW + timedelta(seconds=1)}, True),
        ({"until": NOW}, False),
        ({"account_status": AccountStatus.SUSPENDED}, False),
        ({"account_status": AccountStatus.CLOSED}, False),
    ],
)
def test_a_grant_whose_time_is_over_or_whose_account_is_shut_permits_nothing(
    changed: dict[str, Any], permits: bool
) -> None:
    shown = consent.consent(replace(GRANT, **changed), EHR, NOW)
    assert (shown["status"] == "active", shown["provision"]["type"] == "permit") == (permits, permits)
    assert ("end" in shown["provision"]["period"]) == ("until" in changed)


def test_a_role_that_fhir_has_no_code_for_keeps_our_word() -> None:
    (actor,) = consent.consent(replace(GRANT, role=Role.OTHER), EHR, NOW)["provision"]["actor"]
    assert actor["role"]["coding"] == [{"system": "urn:fhir-portal-adapter:role", "code": "other"}]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "Welcome email sent 1 June 2026 at 09:41, not yet registered"),
        ({"account_status": AccountStatus.REGISTERED}, "Welcome email sent 1 June 2026 at 09:41, registered"),
        ({"account_status": AccountStatus.SUSPENDED}, "Welcome email sent 1 June 2026 at 09:41, account suspended"),
        ({"state": EffectState.HELD}, "Welcome email held for a release"),
        ({"state": EffectState.QUEUED}, "Welcome email queued"),
        ({"state": EffectState.FAILED}, "Welcome email could not be delivered"),
        (
            {"state": EffectState.CANCELLED, "account_status": AccountStatus.CLOSED},
            "Welcome email cancelled; account closed",
        ),
    ],
)
def test_what_a_contact_screen_shows(changed: dict[str, Any], sentence: str) -> None:
    shown = communication.communication(replace(MAIL, **changed), EHR, NEW_YORK, with_address=False)
    assert shown["payload"] == [{"contentString": sentence}]
    assert ("sent" in shown) == ("state" not in changed)


def test_every_state_of_a_mail_has_a_status() -> None:
    assert set(communication.STATUSES) == set(EffectState)


def test_the_address_shows_only_where_it_may() -> None:
    for allowed in (True, False):
        shown = str(communication.communication(MAIL, EHR, NEW_YORK, with_address=allowed))
        assert ("grace@mail.example" in shown) == allowed
        assert ("Grace" in str(task.task(FINDING, EHR, with_message=allowed))) == allowed


def test_the_version_changes_with_the_content_and_with_nothing_else() -> None:
    first, later = task.task(FINDING, EHR, with_message=True), replace(FINDING, closed_at=NOW)
    assert task.task(FINDING, EHR, with_message=True) == first
    assert task.task(later, EHR, with_message=True)["meta"]["versionId"] != first["meta"]["versionId"]
    assert (first["status"], task.task(later, EHR, with_message=True)["status"]) == ("requested", "completed")
    moved = replace(ACCOUNT, changed_at=NOW + timedelta(days=1))
    versions = {person.person(view, EHR)["meta"]["versionId"] for view in (ACCOUNT, moved)}
    assert len(versions) == 1


def test_a_record_of_a_folder_of_files_has_a_name_and_no_address() -> None:
    assert FILES.reference("Patient/ada") == {
        "type": "Patient",
        "identifier": {"system": "urn:fhir-portal-adapter:ehr:main-street", "value": "Patient/ada"},
    }


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("grace", ["RelatedPerson/grace"]),
        ("RelatedPerson/grace", ["RelatedPerson/grace"]),
        ("RelatedPerson/grace/_history/3", ["RelatedPerson/grace"]),
        ("https://ehr.example/fhir/RelatedPerson/grace", ["RelatedPerson/grace"]),
        ("https://ehr.example/fhirx/RelatedPerson/grace", []),
        ("https://elsewhere.example/fhir/RelatedPerson/grace", []),
        ("Patient/grace", []),
        ("RelatedPerson/../grace", []),
        ("", []),
    ],
)
def test_a_reference_means_a_record_of_this_ehr_or_nothing(given: str, meant: list[str]) -> None:
    assert EHR.named(given, ("RelatedPerson",)) == meant


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("system/Person.read", {("Person", "r"), ("Person", "s")}),
        ("system/Person.rs", {("Person", "r"), ("Person", "s")}),
        ("system/Person.s", {("Person", "s")}),
        ("system/Person.cud", set()),
        ("system/Person.write", set()),
        ("system/Patient.rs", set()),
        ("user/Person.rs", set()),
        ("system/Person.sr", set()),
        ("system/Person.", set()),
        ("system/Person.rs?_id=1", set()),
        ("system/*.read", {(kind, letter) for kind in TYPES for letter in "rs"}),
    ],
)
def test_scopes_of_both_versions(scope: str, expected: set[tuple[str, str]]) -> None:
    assert rights([scope]) == expected
    assert is_scope(scope) == bool(expected)


SCOPES = st.lists(
    st.builds(
        "system/{}.{}".format,
        st.sampled_from([*TYPES, "*", "Patient"]),
        st.sampled_from(["r", "s", "rs", "read", "write", "*", "cruds", "u"]),
    ),
    max_size=5,
)


@given(SCOPES, SCOPES)
def test_nobody_is_granted_more_than_was_asked_or_registered(asked: list[str], registered: list[str]) -> None:
    assert rights(granted(asked, registered)) == rights(asked) & rights(registered)


TEXT = st.text(alphabet="aeg12026-:.,|/TZ+", max_size=20)
NAMES = sorted({name for params in PARAMS.values() for name in params} | set(RESULT))


@given(st.sampled_from(TYPES), st.lists(st.tuples(st.sampled_from(NAMES), TEXT), max_size=4), st.booleans())
def test_any_search_is_read_or_refused_in_words(kind: str, params: list[tuple[str, str]], strict: bool) -> None:
    try:
        search = parse(kind, params, EHR, strict=strict)
    except BadSearch as error:
        assert str(error)
        return
    again = parse(kind, search.kept, EHR, strict=True)
    assert (again.words, again.spans, again.count) == (search.words, search.spans, search.count)


def meets(span: Span, at: datetime) -> bool:
    """What the prefixes mean (http://hl7.org/fhir/R4/search.html#prefix)."""
    inside = span.start <= at < span.end
    before, after = at < span.start, at >= span.end
    return {
        "eq": inside,
        "ne": not inside,
        "gt": after,
        "ge": inside or after,
        "lt": before,
        "le": inside or before,
    }[span.prefix]


@pytest.mark.parametrize(
    ("value", "before", "inside", "after"),
    [
        ("2026-06-01", False, True, False),
        ("eq2026-06", False, True, False),
        ("ne2026-06-01", True, False, True),
        ("gt2026-06-01", False, False, True),
        ("ge2026-06-01", False, True, True),
        ("lt2026-06-01", True, False, False),
        ("le2026-06-01", True, True, False),
        ("ge2026-06-01T09:41:00-04:00", False, True, True),
    ],
)
def test_dates_are_as_wide_as_they_are_written(value: str, before: bool, inside: bool, after: bool) -> None:
    ((_, spans),) = parse("Person", [("_lastUpdated", value)], EHR, strict=True).spans
    month = timedelta(days=31)
    assert [meets(spans[0], at) for at in (NOW - month, NOW, NOW + month)] == [before, inside, after]


def test_every_reference_parameter_says_where_it_may_lead() -> None:
    for params in PARAMS.values():
        for param in params.values():
            assert bool(param.targets) == (param.kind is Kind.REFERENCE)
