"""Mail that comes back: who is believed, what staff see, and what lifts it; on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from adapter.core.bounce import Bounce, BounceKind
from adapter.jobs.bounces import Collector, receive
from adapter.jobs.register import look, register
from adapter.mail.bounces.maildir import MaildirBox
from adapter.store import outbox
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.acceptance.adapter_cli import GRACE
from tests.acceptance.delivery import Outbound, ScriptedMailer
from tests.acceptance.registration import welcomed, with_page
from tests.edges.effects import PRACTICE, add_account, add_welcome, states
from tests.edges.mail.reports import report

A1 = "a1@mail.example"
HARD = Bounce(kind=BounceKind.HARD, email_key=A1, message_id="<welcome.w1@portal.example>", status="5.1.1")


@pytest.fixture
def outbound(engine: sa.Engine) -> Iterator[Outbound]:
    made = Outbound(engine, ScriptedMailer())
    add_account(engine, "a1")
    add_account(engine, "a2")
    add_welcome(engine, "w1", "a1")
    assert made.deliver() == {"welcome": {"sent": 1}}
    made.later(minutes=5)
    yield made


def told(outbound: Outbound, **changes: object) -> dict[str, int]:
    values = {name: getattr(HARD, name) for name in HARD.__struct_fields__} | changes
    return dict(receive(outbound.engine, [Bounce(**values)], now=outbound.at))


def test_a_hard_bounce_fails_the_welcome_and_asks_for_a_correction_once(outbound: Outbound) -> None:
    assert told(outbound) == {"suppressed": 1}
    assert told(outbound) == {"stranger": 1}
    assert outbound.findings() == ["welcome-bounced"]
    assert outbound.audit() == [("welcome-sent", "a1", "eligible"), ("welcome-failed", "a1", "welcome-bounced")]
    assert states(outbound.engine) == {"w1-mail": "failed"}
    with begin(outbound.engine) as connection:
        (row,) = outbox.listing(connection)
    assert row["last_error"] == "The mail came back: the address does not take mail (5.1.1)."


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": BounceKind.SOFT},
        {"message_id": "<welcome.w2@portal.example>"},
        {"message_id": "<welcome.w1@evil.example>"},
        {"email_key": "a2@mail.example"},
        {"email_key": "a2@mail.example", "message_id": ""},
    ],
)
def test_what_does_not_fit_a_mail_of_ours_changes_nothing(outbound: Outbound, changes: dict[str, object]) -> None:
    assert "suppressed" not in told(outbound, **changes)
    assert outbound.findings() == []
    assert states(outbound.engine) == {"w1-mail": "sent"}


def test_a_report_without_the_mails_name_is_believed_for_a_week(outbound: Outbound) -> None:
    outbound.later(days=8)
    assert told(outbound, message_id="") == {"stranger": 1}
    outbound.at -= timedelta(days=2)
    assert told(outbound, message_id="") == {"suppressed": 1}


def test_who_has_registered_reads_their_mail_whatever_comes_back(outbound: Outbound) -> None:
    with begin(outbound.engine) as connection:
        connection.execute(sa.update(t.account).values(status="registered", registered_at=outbound.at))
    assert told(outbound) == {"stranger": 1}


def test_a_suppressed_address_gets_nothing_until_a_human_insists(outbound: Outbound) -> None:
    told(outbound)
    add_welcome(outbound.engine, "w2", "a1", generation=2)
    assert outbound.deliver() == {"welcome": {"failed": 1}}
    assert outbound.findings() == ["welcome-bounced"]
    asked = look(outbound.engine, PRACTICE, A1, outbound.at)
    assert "came back before" in asked.became and not asked.problem
    register(outbound.engine, PRACTICE, A1, actor="person:anna", now=outbound.at)
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert outbound.findings() == []


def test_a_changed_address_lifts_it_by_itself(outbound: Outbound) -> None:
    told(outbound)
    with begin(outbound.engine) as connection:
        moved = {"email": "new@mail.example", "email_key": "new@mail.example"}
        connection.execute(sa.update(t.account).where(t.account.c.id == "a1").values(moved))
    add_welcome(outbound.engine, "w2", "a1", generation=2, email="new@mail.example")
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert outbound.findings() == []


def test_a_complaint_is_no_bounce_but_stops_the_mail_too(outbound: Outbound) -> None:
    assert told(outbound, kind=BounceKind.COMPLAINT, status="") == {"suppressed": 1}
    assert outbound.findings() == ["welcome-unwanted"]


def test_an_address_that_looks_wrong_is_a_finding_and_its_mail_leaves_all_the_same(outbound: Outbound) -> None:
    add_account(outbound.engine, "a3", email="ana@gmial.com")
    add_welcome(outbound.engine, "w3", "a3", email="ana@gmial.com")
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert outbound.findings() == ["email-typo"]
    with begin(outbound.engine) as connection:
        corrected = {"email": "ana@gmail.com", "email_key": "ana@gmail.com"}
        connection.execute(sa.update(t.account).where(t.account.c.id == "a3").values(corrected))
    add_welcome(outbound.engine, "w4", "a3", generation=2, email="ana@gmail.com")
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert outbound.findings() == []


def test_the_mailbox_is_looked_into_once_a_minute_and_its_trouble_stops_nothing(
    outbound: Outbound, tmp_path: Path
) -> None:
    seconds = [0.0]
    collector = Collector(MaildirBox(tmp_path), lambda: seconds[0])
    assert "bounces.maildir" in collector.collect(outbound.engine, outbound.now)
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1.mx").write_bytes(report())
    assert collector.collect(outbound.engine, outbound.now) == ""
    assert outbound.findings() == []
    seconds[0] += 60
    assert collector.collect(outbound.engine, outbound.now) == ""
    assert outbound.findings() == ["welcome-bounced"]
    assert Collector(None).collect(outbound.engine, outbound.now) == ""


def test_a_mail_service_tells_with_its_secret(tmp_path: Path, sqlite_url: str) -> None:
    with welcomed(tmp_path, sqlite_url, top="[bounces]\nsecret_file = 'bounces'\n") as made, with_page(made) as site:
        secret = (tmp_path / "bounces").read_text().strip()
        about = site.mails_to(GRACE)[0]["Message-ID"]

        def tell(event: object, given: str = secret) -> requests.Response:
            headers = {"Authorization": f"Bearer {given}"}
            return requests.post(f"{site.address}/bounces", json=event, headers=headers, timeout=30)

        good = {"type": "hard", "email": GRACE, "message_id": about, "status": "5.1.1"}
        assert tell(good, "wrong").status_code == 401
        for odd in ({}, [], None, {"type": "hard"}, {"type": "odd", "email": GRACE}, [good, 7]):
            assert tell(odd).status_code == (200 if odd == [] else 422)
        assert site.findings() == []
        assert tell([good, {"type": "soft", "email": GRACE}]).json() == {"suppressed": 1, "soft": 1}
        assert site.findings() == ["welcome-bounced"]
