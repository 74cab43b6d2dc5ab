"""Who may use which route: the table is complete, and the service does what it says, route by route, role by role."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from adapter.web.guard import Door, doors
from adapter.web.permissions import ROUTES, Need
from tests.edges.web.desk import ELSEWHERE, HERE, STAFF, Desk, all_doors, name_of, path_of, serving

DOORS = all_doors()
GUARDED = [door for door in DOORS if door.need not in (Need.NOTHING, Need.SECRET)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(tmp_path_factory.mktemp("desk")) as found:
        yield found


def test_every_row_of_the_table_has_a_route() -> None:
    assert {name_of(door) for door in DOORS} == set(ROUTES)


def test_a_route_without_a_row_stops_the_service() -> None:
    router = APIRouter()

    @router.post("/p/{practice}/new")
    def new(practice: str) -> None: ...

    with pytest.raises(LookupError, match=r"POST /p/\{practice\}/new has no row"):
        doors(router.routes, ROUTES)


def test_a_route_that_cannot_be_looked_into_stops_the_service() -> None:
    web = FastAPI()
    web.mount("/files", FastAPI())
    with pytest.raises(LookupError, match="no plain route"):
        doors(web.routes, {})


def test_whatever_needs_a_role_names_the_practice_or_answers_for_all_of_them() -> None:
    for door in GUARDED:
        assert "{practice}" in door.route.path or door.need is Need.SIGNED_IN, name_of(door)


@pytest.mark.parametrize("door", GUARDED, ids=name_of)
def test_nobody_gets_in_without_signing_in(desk: Desk, door: Door) -> None:
    answer = desk.nobody().ask(door.method, path_of(door))
    if door.method == "GET":
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in")
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize("who", STAFF)
@pytest.mark.parametrize("door", GUARDED, ids=name_of)
def test_each_role_may_do_what_the_table_says(desk: Desk, door: Door, who: str) -> None:
    answer = desk.session_of(who).ask(door.method, path_of(door))
    here = "{practice}" in door.route.path
    ranks = {"viewer": 1, "reconciler": 2, "admin": 3}
    if who == "stranger" and here:
        assert answer.status_code == 404
    elif who in ranks and door.need in ranks and ranks[who] < ranks[door.need]:
        assert answer.status_code == 403
    else:
        assert answer.status_code in (200, 303, 404, 409, 422), answer.text


def test_a_role_at_one_practice_is_none_at_another(tmp_path: Path) -> None:
    with serving(tmp_path) as desk:
        visitor = desk.session_of("admin")
        for page in ("today", "find", "findings", "break-glass"):
            assert visitor.ask("GET", f"/p/{HERE}/{page}").status_code == 200
            answer = visitor.ask("GET", f"/p/{ELSEWHERE}/{page}")
            assert answer.status_code == 404 and "High Street" not in answer.text
        assert "High Street" not in visitor.ask("GET", "/").text


def test_the_documents_say_what_the_table_says() -> None:
    root = Path(__file__).parents[3]
    spec = importlib.util.spec_from_file_location("write_permissions", root / "docs" / "write_permissions.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (root / "docs" / "permissions.md").read_text() == module.table(), "run `make docs`"
