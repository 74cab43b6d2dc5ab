"""The Welcome email's rules: its link, its Message-ID, and the decision just before it leaves."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.state import AccountStatus
from adapter.core.welcome import (
    Recipient,
    WelcomeStop,
    link_expiry,
    link_life,
    link_token,
    may_send,
    message_id,
    registration_link,
    token_hash,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = bytes(range(32))


def recipient(**facts: object) -> Recipient:
    return Recipient(**{"status": AccountStatus.PENDING, "active_grants": 1, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "stop"),
    [
        ({}, None),
        ({"status": AccountStatus.INVITED}, None),
        ({"status": AccountStatus.REGISTERED}, None),
        ({"active_grants": 0}, WelcomeStop.NO_ACTIVE_GRANT),
        ({"status": AccountStatus.SUSPENDED}, WelcomeStop.ACCOUNT_SUSPENDED),
        ({"status": AccountStatus.CLOSED}, WelcomeStop.ACCOUNT_CLOSED),
        ({"address_current": False}, WelcomeStop.ADDRESS_CHANGED),
        ({"link_closed_at": NOW}, WelcomeStop.LINK_CLOSED),
        ({"link_closed_at": NOW - timedelta(days=1), "active_grants": 0}, WelcomeStop.LINK_CLOSED),
        ({"link_closed_at": NOW + timedelta(minutes=1)}, None),
    ],
)
def test_eligibility_is_decided_again_just_before_sending(facts: dict[str, object], stop: WelcomeStop | None) -> None:
    assert may_send(recipient(**facts), NOW) == stop


def test_sending_the_same_welcome_again_carries_the_same_link() -> None:
    first = link_token(KEY, practice="main-street", welcome_id="w1")
    assert link_token(KEY, practice="main-street", welcome_id="w1") == first
    assert len(urlsafe_b64decode(first + "=")) == 32


@given(
    st.tuples(st.sampled_from(["a", "a-b", "b"]), st.text(max_size=8)),
    st.tuples(st.sampled_from(["a", "a-b", "b"]), st.text(max_size=8)),
)
def test_two_welcomes_never_share_a_link(one: tuple[str, str], other: tuple[str, str]) -> None:
    tokens = {link_token(KEY, practice=practice, welcome_id=welcome) for practice, welcome in (one, other)}
    assert len(tokens) == len({one, other})


def test_another_key_gives_another_link_and_a_short_key_is_refused() -> None:
    assert link_token(KEY, practice="p", welcome_id="w") != link_token(KEY[::-1], practice="p", welcome_id="w")
    with pytest.raises(ValueError, match="32 bytes"):
        link_token(KEY[:31], practice="p", welcome_id="w")


def test_the_store_keeps_a_hash_that_does_not_give_the_token_away() -> None:
    token = link_token(KEY, practice="p", welcome_id="w")
    assert len(token_hash(token)) == 64
    assert token not in token_hash(token)
    assert token_hash(token) != token_hash(token + "x")


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("https://portal.example/register", "https://portal.example/register?token=T"),
        ("https://portal.example/register?lang=es&x=", "https://portal.example/register?lang=es&x=&token=T"),
        ("https://portal.example/register?token=old", "https://portal.example/register?token=T"),
        ("https://portal.example/#/register", "https://portal.example/?token=T#/register"),
        ("http://127.0.0.1:8000/register", "http://127.0.0.1:8000/register?token=T"),
        ("http://[::1]:8000/register", "http://[::1]:8000/register?token=T"),
    ],
)
def test_the_link_joins_the_practices_registration_page(page: str, link: str) -> None:
    assert registration_link(page, "T") == link


@pytest.mark.parametrize(
    "page",
    ["http://portal.example/register", "ftp://portal.example", "//portal.example", "register", "https:///register"],
)
def test_a_link_is_never_sent_in_the_clear(page: str) -> None:
    with pytest.raises(ValueError, match="https"):
        registration_link(page, "T")


@given(st.text(min_size=1, max_size=60))
def test_any_token_survives_the_link(token: str) -> None:
    link = registration_link("https://portal.example/register?a=1", token)
    assert parse_qs(urlsplit(link).query, keep_blank_values=True)["token"] == [token]


def test_the_links_life_counts_from_sending() -> None:
    assert link_expiry(NOW, 48) == datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "life"),
    [
        (1, (1, "hour")),
        (12, (12, "hours")),
        (24, (24, "hours")),
        (36, (36, "hours")),
        (48, (2, "days")),
        (720, (30, "days")),
    ],
)
def test_the_links_life_in_words(hours: int, life: tuple[int, str]) -> None:
    assert link_life(hours) == life


@given(st.text(max_size=100))
def test_a_message_id_is_stable_and_well_formed_whatever_the_row_is_called(identity: str) -> None:
    made = message_id("welcome", identity, "no-reply@portal.example")
    assert made == message_id("welcome", identity, "no-reply@portal.example")
    assert made.startswith("<welcome.")
    assert made.endswith("@portal.example>")
    assert made.isascii()
    assert not any(char.isspace() for char in made)
