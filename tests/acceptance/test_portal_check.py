"""``adapter portal check`` and ``adapter portal adopt``: trying a portal, and meeting one that has accounts already."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from adapter.core.portal import PortalAccount
from adapter.core.state import EffectKind
from adapter.errors import DeliveryError
from adapter.jobs.accounts import deliver_accounts
from adapter.jobs.adopt import Match, adopt, match_strangers
from adapter.jobs.conformance import check_portal
from adapter.jobs.round import Round
from adapter.portal import Portal
from adapter.portal.embedded import EmbeddedPortal
from adapter.portal.scim.records import EXTENSION
from adapter.sandbox.portal import SandboxPortal
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from tests.acceptance.adapter_cli import in_process
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect
from tests.edges.portal.test_scim import reach


@pytest.fixture
def server() -> Iterator[SandboxPortal]:
    with SandboxPortal() as running:
        yield running


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[sa.Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


def failures(portal: Portal) -> list[str]:
    return [f"{one.name}: {one.detail}" for one in check_portal(portal, NOW) if not one.ok]


def test_the_embedded_portal_meets_every_requirement(engine: sa.Engine) -> None:
    portal = EmbeddedPortal(engine, practice="adapter-check", now=lambda: NOW)
    assert failures(portal) == []
    assert list(portal.accounts()) == []


@pytest.mark.parametrize("lacks", [{}, {"patch": False}, {"bulk": False}])
def test_a_scim_portal_meets_every_requirement_and_is_left_clean(lacks: dict[str, bool]) -> None:
    with SandboxPortal(**lacks) as server:
        assert failures(reach(server, "adapter-check")) == []
        assert server.users == []


class Forgetful(EmbeddedPortal):
    """Says yes to a revocation and keeps the chart."""

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        return super().put_accounts([one for one in batch if one.dependents], new=new)


def test_a_portal_that_forgets_to_revoke_is_found_out(engine: sa.Engine) -> None:
    found = failures(Forgetful(engine, practice="adapter-check", now=lambda: NOW))
    assert [one.partition(":")[0] for one in found] == [
        "closes a chart that was taken away",
        "opens nothing for a suspended account",
    ]
    assert "portal-extra" in found[0]


def test_the_command_tries_a_portal_by_its_address(server: SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIED_TOKEN", server.token)
    done = in_process(["portal", "check", server.base_url, "--token-env", "TRIED_TOKEN"])
    assert done.code == 0, done.out
    assert done.out.count("ok  ") == 13
    assert "FAIL" not in done.out


def test_a_wrong_token_and_a_wrong_address_are_named(server: SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIED_TOKEN", "wrong")
    done = in_process(["portal", "check", server.base_url, "--token-env", "TRIED_TOKEN", "--json"])
    assert done.code == 1
    assert "does not accept the token (401)" in done.document["requirements"][0]["detail"]
    assert in_process(["portal", "check", "ftp://portal.example"]).code == 2
    assert in_process(["portal", "check", server.base_url, "--token-env", "NO_SUCH_TOKEN"]).code == 2


# ---- a portal that had accounts before -----------------------------------------------------------------------------


def stranger(server: SandboxPortal, email: str, name: str, **more: Any) -> None:
    user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": email, "name": {"formatted": name}}
    headers = {"Authorization": f"Bearer {server.token}"}
    requests.post(f"{server.base_url}/Users", json=user | more, headers=headers, timeout=5).raise_for_status()


def test_who_was_there_before_is_matched_by_address_and_name_and_keeps_access(
    server: SandboxPortal, engine: sa.Engine
) -> None:
    portal = reach(server, PRACTICE)
    for key in ("a1", "a2", "a3"):
        add_account(engine, key)
        add_effect(engine, f"{key}-put", EffectKind.ACCOUNT, key)
    stranger(server, "A1@mail.example", "Rivera, Ana", nickName="Anita")
    stranger(server, "a2@mail.example", "Luis Lopez")
    stranger(server, "elsewhere@mail.example", "Ana Rivera")
    chart = {"patient": "Patient/other", "access": "full"}
    more = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", EXTENSION],
        EXTENSION: {"dependents": [chart]},
    }
    stranger(server, "a3@mail.example", "Ana Rivera", **more)
    deliver_accounts(Round(engine, lambda: NOW), PRACTICE, portal)
    with begin(engine) as connection:
        assert set(connection.scalars(sa.select(t.finding.c.code))) == {"account-collision"}
    before = server.users
    found = match_strangers(engine, practice=PRACTICE, portal=portal, now=lambda: NOW)
    assert {one.email.lower().partition("@")[0]: (str(one.match), one.why) for one in found} == {
        "a1": ("exact", ""),
        "a2": ("ambiguous", "the names differ"),
        "a3": ("ambiguous", "it opens charts that were not decided"),
        "elsewhere": ("unmatched", "no account has this address"),
    }
    assert server.users == before
    assert adopt(engine, practice=PRACTICE, portal=portal, adoptions=found, now=NOW, actor="person:ann") == 1
    deliver_accounts(Round(engine, lambda: NOW), PRACTICE, portal)
    assert [chart.patient for chart in portal.get_accounts(["a1"])["a1"].dependents] == ["Patient/a1-0"]
    kept = {user["userName"].lower(): user for user in server.users}
    assert kept["a1@mail.example"]["nickName"] == "Anita"
    others = [user for user in before if user["userName"].lower() != "a1@mail.example"]
    assert [kept[user["userName"].lower()] for user in others] == others
    with begin(engine) as connection:
        open_ones = sa.select(t.finding.c.email).where(t.finding.c.closed_at.is_(None)).order_by(t.finding.c.email)
        assert list(connection.scalars(open_ones)) == ["a2@mail.example", "a3@mail.example"]
    again = match_strangers(engine, practice=PRACTICE, portal=portal, now=lambda: NOW)
    assert Match.EXACT not in {one.match for one in again}


def test_the_command_shows_and_changes_nothing_on_a_dry_run(server: SandboxPortal, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(server.token)
    config = tmp_path / "config.toml"
    config.write_text(
        f'[[practice]]\nid = "{PRACTICE}"\nname = "Main Street"\n[practice.ehr]\nkind = "files"\npath = "ehr"\n'
        f'[practice.portal]\nkind = "scim"\nbase_url = "{server.base_url}"\ntoken_file = "token"\n'
    )
    stranger(server, "ana@mail.example", "Ana Rivera")
    done = in_process(["--config", str(config), "portal", "adopt", "--dry-run"])
    assert done.code == 0, done.err
    assert "1 unmatched" in done.out
    assert "ana@mail.example: no account has this address" in done.out
