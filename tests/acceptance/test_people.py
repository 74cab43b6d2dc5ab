"""``adapter people``: who may use the admin's desk."""

from pathlib import Path

import pytest
from pyotp import TOTP

from adapter.jobs.sign_in import sign_in
from tests.acceptance.adapter_cli import Adapter


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    return Adapter(tmp_path)


def test_the_first_administrator_can_sign_in(adapter: Adapter) -> None:
    made = adapter.json("people", "add", "Alice", "--role", "admin")
    app = adapter.app()
    code = TOTP(made["secret"]).at(app.clock())
    assert made["name"] == "alice" and made["secret"] in made["uri"]
    assert sign_in(app.engine, app.key, name=" ALICE ", password=made["password"], code=code, now=app.clock())
    assert adapter.json("people", "list") == [
        {"name": "alice", "roles": {"main-street": "admin"}, "signs_in": "password"}
    ]


def test_a_password_is_shown_once_and_to_people_only(adapter: Adapter) -> None:
    done = adapter.run("people", "add", "bob")
    assert "bob is viewer at main-street." in done.out and "not shown again" in done.out
    assert "Password" not in adapter.run("people", "add", "bob", "--role", "reconciler").out
    assert adapter.json("people", "list")[0]["roles"] == {"main-street": "reconciler"}
    assert "reconciler at main-street" in adapter.run("people", "list").out


def test_a_reset_makes_the_old_password_useless(adapter: Adapter) -> None:
    old, app = adapter.json("people", "add", "alice"), adapter.app()
    new = adapter.json("people", "reset", "alice")
    for made, works in ((old, False), (new, True)):
        code = TOTP(made["secret"]).at(app.clock())
        token = sign_in(app.engine, app.key, name="alice", password=made["password"], code=code, now=app.clock())
        assert (token is not None) == works


def test_who_was_removed_is_nobody(adapter: Adapter) -> None:
    adapter.json("people", "add", "alice")
    assert adapter.run("people", "remove", "alice", "--practice", "main-street").code == 0
    assert adapter.json("people", "list") == []
    assert "adapter people add" in adapter.run("people", "list").err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "no blanks"), "begins with a letter"),
        (("add", "alice", "--role", "owner"), "'viewer', 'reconciler', 'admin'"),
        (("add", "alice", "--practice", "elsewhere"), 'there is no practice "elsewhere"'),
        (("remove", "alice"), "nobody called alice"),
        (("reset", "alice"), "nobody called alice"),
    ],
)
def test_what_cannot_be_is_told(adapter: Adapter, arguments: tuple[str, ...], says: str) -> None:
    done = adapter.run("people", *arguments)
    assert done.code in (1, 2) and says in done.err


def test_everything_about_people_is_in_their_trail(adapter: Adapter) -> None:
    adapter.json("people", "add", "alice")
    adapter.json("people", "reset", "alice")
    adapter.run("people", "remove", "alice")
    checked = adapter.json("audit", "verify")
    assert [(one["practice"], one["entries"]) for one in checked["practices"]] == [("adapter.staff", 3)]


def test_somebody_who_signs_in_elsewhere_has_no_password(adapter: Adapter) -> None:
    made = adapter.json("people", "add", "carol", "--subject", "248289761001")
    assert made["password"] == "" and adapter.json("people", "list")[0]["signs_in"] == "oidc"
    done = adapter.run("people", "reset", "carol")
    assert done.code == 1 and "signs in by OIDC" in done.err
    assert "Another person has this subject" in adapter.run("people", "add", "dan", "--subject", "248289761001").err
