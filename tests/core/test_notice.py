"""What a notification names, in every form that servers send; what cannot be understood is never "nothing changed"."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.notice import MOST_REFS, SOMETHING, Channel, Notice, missed, read_notice

BASE = "https://ehr.example/fhir"
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Canary"}]}
CONTACT = {"resourceType": "RelatedPerson", "id": "c1", "patient": {"reference": "Patient/other"}}


def named(*refs: str, **more: Any) -> Notice:
    return Notice(refs=frozenset(refs), **more)


def parameters(kind: str, events: int, *foci: str | None, first: int | None = None) -> dict[str, Any]:
    """A notification of the R4 backport; ``foci`` are the events' references, None for one without."""
    start = events - len(foci) + 1 if first is None else first
    told = [
        {"name": "subscription", "valueReference": {"reference": f"{BASE}/Subscription/s1"}},
        {"name": "status", "valueCode": "active"},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(events)},
    ]
    for number, focus in enumerate(foci, start):
        part = [{"name": "event-number", "valueString": str(number)}]
        if focus:
            part.append({"name": "focus", "valueReference": {"reference": focus}})  # type: ignore[dict-item]
        told.append({"name": "notification-event", "part": part})
    return bundle({"resourceType": "Parameters", "parameter": told})


def status(kind: str, events: int, *foci: str) -> dict[str, Any]:
    """A notification of the R4B backport."""
    told = [{"eventNumber": str(n), "focus": {"reference": focus}} for n, focus in enumerate(foci, 1)]
    return bundle(
        {
            "resourceType": "SubscriptionStatus",
            "type": kind,
            "status": "active",
            "subscription": {"reference": "Subscription/s1"},
            "eventsSinceSubscriptionStart": str(events),
            "notificationEvent": told,
        }
    )


def bundle(*resources: dict[str, Any], kind: str = "history") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": resource} for resource in resources]}


@pytest.mark.parametrize("body", [None, {}, [], "Patient/p1", 7, {"resourceType": "Consent", "id": "x"}, bundle()])
def test_a_notification_that_names_no_chart_says_that_something_changed(body: Any) -> None:
    assert read_notice(body, base_url=BASE) == SOMETHING


def test_a_full_payload_names_the_resource_and_nothing_in_it() -> None:
    assert read_notice(PATIENT, base_url=BASE) == named("Patient/p1")
    assert read_notice(CONTACT, base_url=BASE) == named("RelatedPerson/c1")


def test_the_address_names_it_with_or_without_a_body() -> None:
    for body in (PATIENT, None, {}):
        assert read_notice(body, base_url=BASE, named="Patient/p1") == named("Patient/p1")


def test_a_deletion_in_a_header_or_an_address_is_kept_as_one() -> None:
    found = read_notice({}, base_url=BASE, named="RelatedPerson/c1", deleted=True)
    assert found == named("RelatedPerson/c1", deleted=frozenset({"RelatedPerson/c1"}))


@pytest.mark.parametrize("odd", ["Patient/../p1", "Patient/", "patient/p1", "Patient/p1/x", "Consent/1", "Patient/a b"])
def test_an_address_that_is_no_chart_names_nothing(odd: str) -> None:
    assert read_notice(None, base_url=BASE, named=odd) == SOMETHING


@pytest.mark.parametrize("id", [7, None, "", "a/b", "x" * 65, "a b", ["p1"], {"id": "p1"}, "p1\n"])
def test_an_id_that_is_none_names_nothing(id: Any) -> None:
    assert read_notice({"resourceType": "Patient", "id": id}, base_url=BASE) == SOMETHING


@pytest.mark.parametrize("make", [parameters, status])
@pytest.mark.parametrize(
    "focus", ["RelatedPerson/c1", f"{BASE}/RelatedPerson/c1", f"{BASE}/RelatedPerson/c1/_history/4"]
)
def test_an_event_names_its_focus(make: Any, focus: str) -> None:
    found = read_notice(make("event-notification", 1, focus), base_url=BASE + "/")
    assert found == named("RelatedPerson/c1", channel=Channel("Subscription/s1", "active", 1, 1))


@pytest.mark.parametrize("focus", ["https://other.example/fhir/Patient/p1", "Consent/1", "urn:uuid:1", "#p1", None])
def test_a_focus_elsewhere_or_of_another_kind_is_not_followed_but_something_changed(focus: str | None) -> None:
    found = read_notice(parameters("event-notification", 2, "Patient/p1", focus), base_url=BASE)
    assert found.refs == {"Patient/p1"}
    assert found.everything == (focus is not None)
    assert read_notice(parameters("event-notification", 1, focus), base_url=BASE).everything


@pytest.mark.parametrize("kind", ["handshake", "heartbeat"])
def test_a_handshake_and_a_heartbeat_name_nothing_and_keep_the_count(kind: str) -> None:
    found = read_notice(parameters(kind, 4), base_url=BASE)
    assert found == Notice(channel=Channel("Subscription/s1", "active", 4, None, begins=kind == "handshake"))


def test_full_content_names_its_resources() -> None:
    body = parameters("event-notification", 1, "Patient/p1")
    body["entry"] += [{"resource": PATIENT}, {"resource": CONTACT}]
    assert read_notice(body, base_url=BASE).refs == {"Patient/p1", "RelatedPerson/c1"}


def test_a_deletion_in_a_bundle_is_kept_as_one() -> None:
    body = bundle(kind="transaction") | {"entry": [{"request": {"method": "DELETE", "url": "RelatedPerson/c1"}}]}
    assert read_notice(body, base_url=BASE) == named("RelatedPerson/c1", deleted=frozenset({"RelatedPerson/c1"}))


def test_a_notification_that_names_very_many_says_that_something_changed_and_keeps_what_is_deleted() -> None:
    entries: list[dict[str, Any]] = [{"resource": {"resourceType": "Patient", "id": str(n)}} for n in range(MOST_REFS)]
    entries.append({"request": {"method": "DELETE", "url": "Patient/gone"}})
    found = read_notice({"resourceType": "Bundle", "type": "batch", "entry": entries}, base_url=BASE)
    assert found.refs == {"Patient/gone"} and found.everything


@pytest.mark.parametrize(
    ("first", "events", "known", "lost"),
    [
        (1, 1, 0, False),
        (5, 5, 4, False),
        (5, 7, 4, False),  # three events at once
        (6, 6, 4, True),
        (4, 4, 4, True),  # sent again, or counted anew
        (1, 1, None, False),
        (3, 3, None, True),
        (None, 4, 4, False),  # a heartbeat
        (None, 5, 4, True),
        (None, 0, None, False),
        (None, None, 4, True),
    ],
)
def test_a_gap_in_the_events_is_noticed(first: int | None, events: int | None, known: int | None, lost: bool) -> None:
    assert missed(Channel("Subscription/s1", "active", events, first), known) == lost


def test_a_handshake_starts_the_count() -> None:
    assert not missed(Channel("Subscription/s1", "requested", 0, begins=True), 40)
    assert missed(Channel("Subscription/s1", "requested", 9, begins=True), 4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["Patient", "Bundle", "history"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["resourceType", "id", "entry", "resource", "type", "parameter", "name", "part", "request"])
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_body_breaks_it_and_none_is_taken_for_silence(body: Any) -> None:
    found = read_notice(body, base_url=BASE)
    assert found.refs or found.everything or found.channel


@given(st.sampled_from(["subscription", "status", "type", "events-since-subscription-start"]), JSON)
def test_no_status_breaks_it(name: str, value: Any) -> None:
    body = parameters("event-notification", 1, "Patient/p1")
    told = body["entry"][0]["resource"]["parameter"]
    told[:] = [one for one in told if one["name"] != name] + [{"name": name, "valueAny": value}]
    found = read_notice(body, base_url=BASE)
    assert found.refs == {"Patient/p1"} or value in ("handshake", "heartbeat", "query-status")
