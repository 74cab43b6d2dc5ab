"""The link in a Welcome email, used: by its reader once, by nobody else, and by no scanner; on both databases."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.core.redeem import MOST_TRIES
from adapter.jobs.redeem import CLOSED, Attempt, Result
from adapter.jobs.register import register
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.acceptance.adapter_cli import GRACE
from tests.acceptance.registration import ELSEWHERE, HERE, KARIN, MATS, Site, birth_dates, resources, welcomed


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> Iterator[Site]:
    with welcomed(tmp_path, store_url) as found:
        yield found


@pytest.fixture
def born() -> list[date]:
    return birth_dates("okafor")


def test_either_childs_birth_date_registers_the_mother_once(site: Site, born: list[date]) -> None:
    token = site.token()
    done = site.redeem(token, born[1].isoformat())
    assert (done.result, done.username) == (Result.REGISTERED, GRACE)
    assert site.account()["status"] == "registered"
    assert site.audit("register-account") == [("register-account", "link-used")]
    # The second child's date, the same date again: the link has done its work.
    assert site.redeem(token, born[0].isoformat()) == CLOSED
    assert site.redeem(token, born[1].isoformat()) == CLOSED
    assert site.audit("register-account") == [("register-account", "link-used")]
    # The portal hears of it like of every other change, and nothing else is sent to the parent.
    assert site.deliver()["delivered"] == {"account": {"sent": 1}}
    portal = site.app.portals[HERE].get_accounts([done.account])[done.account]
    assert portal.status == "registered"


def test_fifty_at_once_are_one_registration(site: Site, born: list[date]) -> None:
    token, results, start = site.token(), [], threading.Barrier(50)

    def parent() -> None:
        start.wait()
        results.append(site.redeem(token, born[0].isoformat()).result)

    threads = [threading.Thread(target=parent) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [Result.CLOSED] * 49 + [Result.REGISTERED]
    assert site.audit("register-account") == [("register-account", "link-used")]


def test_fifty_wrong_answers_at_once_are_five_tries(site: Site, born: list[date]) -> None:
    token, left, start = site.token(), [], threading.Barrier(50)

    def guesser(number: int) -> None:
        start.wait()
        left.append(site.redeem(token, f"1999-01-{number % 28 + 1:02}").tries_left)

    threads = [threading.Thread(target=guesser, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(left, reverse=True) == [4, 3, 2, 1] + [0] * 46
    assert site.redeem(token, born[0].isoformat()) == CLOSED


def test_five_wrong_answers_close_the_link_and_staff_are_told(site: Site, born: list[date]) -> None:
    token = site.token()
    for left in range(MOST_TRIES - 1, 0, -1):
        assert site.redeem(token, "1999-01-01") == Attempt(result=Result.WRONG, tries_left=left)
    assert site.findings() == []
    assert site.redeem(token, "1999-01-01") == CLOSED
    assert site.findings() == ["welcome-link-locked"]
    assert site.redeem(token, born[0].isoformat()) == CLOSED
    assert site.account()["status"] == "invited"
    assert site.audit("refuse-link", "close-link") == [("refuse-link", "second-fact-wrong")] * 4 + [
        ("close-link", "welcome-link-locked")
    ]
    # Staff have talked to her and send another one.
    register(site.app.engine, HERE, GRACE, actor="person:anna", now=site.at)
    assert site.deliver()["delivered"]["welcome"] == {"sent": 1}
    assert site.findings() == []
    (again,) = {site.token(number=number) for number in (0, 1)} - {token}
    assert site.redeem(again, born[0].isoformat()).result is Result.REGISTERED


def test_a_link_dies_with_its_time(site: Site, born: list[date]) -> None:
    token = site.token()
    site.later(hours=48)
    assert site.redeem(token, born[0].isoformat()) == CLOSED
    site.at -= timedelta(minutes=1)
    assert site.redeem(token, born[0].isoformat()).result is Result.REGISTERED


def test_a_link_of_another_practice_or_of_nobody_opens_nothing(site: Site, born: list[date]) -> None:
    answer = born[0].isoformat()
    assert site.redeem(site.token(name=ELSEWHERE), answer, HERE) == CLOSED
    assert site.redeem(site.token(name=HERE), answer, ELSEWHERE) == CLOSED
    assert site.redeem("x" * 43, answer) == CLOSED
    assert site.redeem("", answer) == CLOSED
    assert site.account()["status"] == "invited"
    assert site.redeem(site.token(name=ELSEWHERE), answer, ELSEWHERE).result is Result.REGISTERED
    assert site.account()["status"] == "invited"


def test_another_familys_birth_date_is_wrong(site: Site) -> None:
    (elsa,) = birth_dates("lindgren")
    assert site.redeem(site.token(), elsa.isoformat()).result is Result.WRONG
    assert site.redeem(site.token(MATS), elsa.isoformat()).result is Result.REGISTERED
    # One link of the family used up is nothing to the other parent's.
    assert site.redeem(site.token(KARIN), elsa.isoformat()).result is Result.REGISTERED


def test_a_parent_whose_authority_was_withdrawn_cannot_register_even_before_the_sync_has_acted(site: Site) -> None:
    (elsa,) = birth_dates("lindgren")
    changed = resources()
    for one in changed:
        if one["id"] == "lindgren-elsa-father":
            one["extension"] = [{**one["extension"][0], "valueCode": "none"}]
    # The fact has been read; the run that would have acted on it broke off.
    site.write(changed)
    before = site.account(MATS)
    site.sync()
    with begin(site.app.engine) as connection:
        ids = sa.select(t.account.c.id).where(t.account.c.email_key == MATS, t.account.c.practice == HERE)
        mine = t.grant.c.account_id.in_(ids)
        connection.execute(sa.update(t.grant).where(mine).values(state="active", access="full", reason="eligible"))
        connection.execute(sa.update(t.account).where(t.account.c.id.in_(ids)).values(status="invited"))
        connection.execute(sa.update(t.welcome).where(t.welcome.c.account_id.in_(ids)).values(link_closed_at=None))
    assert site.account(MATS)["status"] == before["status"] == "invited"
    assert site.redeem(site.token(MATS), elsa.isoformat()) == CLOSED


def test_a_new_address_kills_the_old_link(site: Site, born: list[date]) -> None:
    old = site.token()
    changed = resources()
    for one in changed:
        if one["id"].startswith("okafor") and one["resourceType"] == "RelatedPerson":
            one["telecom"] = [{"system": "email", "value": "grace@new.example"}]
    site.write(changed)
    site.later(minutes=10)
    site.sync()
    site.deliver()
    assert site.redeem(old, born[0].isoformat()) == CLOSED
    assert site.redeem(site.token("grace@new.example"), born[0].isoformat()).result is Result.REGISTERED
