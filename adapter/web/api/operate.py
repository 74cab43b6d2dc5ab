"""What is done over the JSON API beside syncing: deliver, undo, revoke, publish, the outbox, the trail's proof."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from adapter.bootstrap import App
from adapter.core.publication import PublishPlan
from adapter.ehr import quietly
from adapter.jobs import outbox, revoke
from adapter.jobs.audit import verify
from adapter.jobs.pages import changes
from adapter.jobs.publish import plan_back, plan_publish, publish, rollback
from adapter.jobs.shapes import undo_shape
from adapter.jobs.undo import undo
from adapter.jobs.work import deliver_all
from adapter.store import widgets
from adapter.store.engine import read
from adapter.web.api import schemas
from adapter.web.api.bodies import HASH_BODY, NO_BODY, REASON_BODY, make_doing, need
from adapter.web.api.describing import Describe
from adapter.web.api.look import Email, RunNumber, run_of
from adapter.web.api.problems import Problem
from adapter.web.caller import caller

EffectId = Annotated[str, Path(pattern="^[A-Za-z0-9._-]{1,128}$")]
Revision = Annotated[int, Path(ge=1, le=2**31 - 1)]
_CHART = {"type": "string", "pattern": "^Patient/[A-Za-z0-9.-]{1,64}$"}
REVOKE_BODY: dict[str, Any] = REASON_BODY | {
    "required": ["patient", "reason"],
    "properties": REASON_BODY["properties"] | {"patient": _CHART, "lift": schemas.YES_OR_NO},
}


def add_routes(router: APIRouter, app: App, describe: Describe) -> None:
    """Adds the routes."""
    doing = make_doing(app)

    @router.post("/deliver", **describe("deliver", schemas.DELIVERED, body=NO_BODY))
    async def deliver(practice: str, request: Request) -> Response:
        """Delivers what is due now; answers when it is done."""
        return await doing(request, NO_BODY, lambda _: deliver_all(app, practice))

    @router.post("/runs/{run}/undo", **describe("undo", schemas.UNDONE, body=HASH_BODY))
    async def take_back(practice: str, run: RunNumber, request: Request) -> Response:
        """Takes a run back. Without ``plan``, the hash of what was looked at, it only says what that would do."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            run_of(app, practice, run)
            seen = given.get("plan")
            here, by = {practice: app.practices[practice]}, caller(request).actor
            done = undo(app.engine, here, run, actor=by, now=app.clock(), apply=bool(seen), expected=seen)
            return undo_shape(done)

        return await doing(request, HASH_BODY, do)

    @router.post("/accounts/{email}/revoke", **describe("revoke", schemas.REVOKED, body=REVOKE_BODY))
    async def take_away(practice: str, email: Email, request: Request) -> Response:
        """Takes one chart away from the account at once; with ``lift`` gives it back to the rules."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            need(given, "patient", "reason")
            chart = given["patient"]
            said = {"reason": given["reason"], "actor": caller(request).actor, "now": app.clock()}
            told = {"practice": practice, "email": email, "patient": chart}
            if given.get("lift"):
                revoke.lift(app.engine, practice, email, chart, **said)
                return told | {"status": "lifted", "was_open": False}
            done = revoke.revoke(app.engine, practice, email, chart, **said)
            return told | {"status": "revoked", "was_open": done.was_open}

        return await doing(request, REVOKE_BODY, do)

    def put_live(
        plan: PublishPlan, seen: str | None, request: Request, job: Callable[..., list[Any]]
    ) -> dict[str, Any]:
        """The plan, carried out by ``job`` if it is the one that was ``seen``."""
        by = {"now": app.clock(), "actor": caller(request).actor, "expected": seen}
        made = [] if seen is None else job(app.engine, **by)
        return changes(app.merchants[plan.practice], plan) | {"published": len(made)}

    @router.post("/widgets/publish", **describe("publish", schemas.PUBLISHED, body=HASH_BODY))
    async def put_out(practice: str, request: Request) -> Response:
        """Publishes what the configuration asks for. Without ``plan`` it only says what that would change."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            pages = app.merchants[practice].pages
            plan = plan_publish(app.engine, practice=practice, desired=pages)
            return put_live(plan, given.get("plan"), request, partial(publish, practice=practice, desired=pages))

        return await doing(request, HASH_BODY, do)

    @router.post("/widgets/{revision}/rollback", **describe("rollback", schemas.PUBLISHED, body=HASH_BODY))
    async def go_back(practice: str, revision: Revision, request: Request) -> Response:
        """Publishes an earlier revision again. Without ``plan`` it only says what that would change."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            with read(app.engine) as connection:
                if widgets.find(connection, practice, revision) is None:
                    raise Problem(404, f"There is no revision {revision} of this practice.")
            page: dict[str, Any] = {"merchant": app.merchants[practice], "revision": revision}
            return put_live(plan_back(app.engine, **page), given.get("plan"), request, partial(rollback, **page))

        return await doing(request, HASH_BODY, do)

    async def of_outbox(job: Callable[..., int], status: str, practice: str, effect: str, request: Request) -> Response:
        def do(_: dict[str, Any]) -> dict[str, Any]:
            if not job(app.engine, practice, [effect], actor=caller(request).actor, now=app.clock()):
                raise Problem(404, "There is nothing of that name that this could be done with.")
            return {"practice": practice, "id": effect, "status": status}

        return await doing(request, NO_BODY, do)

    @router.post("/outbox/{effect}/retry", **describe("retry", schemas.OF_OUTBOX, body=NO_BODY))
    async def again(practice: str, effect: EffectId, request: Request) -> Response:
        """Sends again what failed, or what nobody knows about."""

        return await of_outbox(outbox.retry, "queued", practice, effect, request)

    @router.post("/outbox/{effect}/cancel", **describe("cancel", schemas.OF_OUTBOX, body=NO_BODY))
    async def stop(practice: str, effect: EffectId, request: Request) -> Response:
        """Takes back mail that has not left."""

        return await of_outbox(outbox.cancel, "cancelled", practice, effect, request)

    @router.get("/audit/verify", **describe("verify", schemas.VERIFIED))
    def proof(practice: str) -> dict[str, Any]:
        """Whether the practice's audit trail is whole: every entry is read and checked."""
        return verify(app.engine, [practice], against=None, progress=quietly).to_json()
