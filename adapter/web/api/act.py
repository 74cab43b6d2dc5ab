"""What the JSON API does: plan, sync, register, release. Each calls the job that the command of the same name calls."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from adapter.bootstrap import App
from adapter.core.answers import Answer
from adapter.core.staff import StaffRole
from adapter.ehr import quietly
from adapter.jobs import finding_answers as answers
from adapter.jobs.frozen import look_ahead
from adapter.jobs.merges import merge
from adapter.jobs.register import look, register
from adapter.jobs.release import release
from adapter.jobs.run import Request as Wanted
from adapter.jobs.shapes import action_shape, decided_shape, merge_shape
from adapter.jobs.suspend import lift, suspend
from adapter.jobs.sync import sync
from adapter.web.api import schemas
from adapter.web.api.bodies import HASH_BODY, NO_BODY, PLAN_BODY, REASON, REASON_BODY, make_doing, need
from adapter.web.api.describing import Describe
from adapter.web.api.look import ChartId, Email, RunNumber, run_of
from adapter.web.api.problems import Problem
from adapter.web.caller import caller

_REFERENCE = r"^(Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}$"
SYNC_BODY = PLAN_BODY | {
    "properties": PLAN_BODY["properties"] | {"person": {"type": ["string", "null"], "pattern": _REFERENCE}}
}
MERGE_BODY: dict[str, Any] = PLAN_BODY | {
    "required": ["plan", "reason"],
    "properties": {
        "plan": {"type": "string", "pattern": "^[0-9a-f]{8,64}$"},
        "reason": REASON,
        "unmerge": schemas.YES_OR_NO,
    },
}
FindingId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")]
WITHDRAW = "withdraw"
_ANSWER = f"^({'|'.join([*Answer, WITHDRAW])})$"
_DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
DECIDE_BODY: dict[str, Any] = PLAN_BODY | {
    "required": ["answer", "reason"],
    "properties": {
        "answer": {"type": "string", "pattern": _ANSWER},
        "reason": {"type": "string", "pattern": "^[^\\u0000]+$", "maxLength": 500},
        "until": {"type": ["string", "null"], "pattern": _DAY},
    },
}


def add_routes(router: APIRouter, app: App, describe: Describe) -> None:
    """Adds every route that does something."""

    doing = make_doing(app)

    @router.post("/plan", **describe("plan", schemas.PLAN, body=PLAN_BODY))
    async def plan(practice: str, request: Request) -> Response:
        """What a sync would do, and why. Changes nothing."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            wanted = Wanted(full=given.get("full", False), actor=caller(request).actor)
            here = app.practices[practice]
            said, actions, _ = look_ahead(app.engine, here, wanted, clock=app.clock, progress=quietly)
            return said | {"actions": [action_shape(action) for action in actions]}

        return await doing(request, PLAN_BODY, do)

    @router.post("/sync", **describe("sync", schemas.RUN, body=SYNC_BODY))
    async def run_sync(practice: str, request: Request) -> Response:
        """Reads the EHR and brings the accounts up to date; answers when it is done. All of it takes an admin."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            person, by = given.get("person"), caller(request)
            if person is None and not by.may(StaffRole.ADMIN, practice):
                raise Problem(403, "Your role may sync one family: say which with person.")
            wanted = Wanted(full=given.get("full", False), person=person, actor=by.actor)
            return sync(app.engine, app.practices[practice], wanted, clock=app.clock, progress=quietly)

        return await doing(request, SYNC_BODY, do)

    @router.post("/accounts/{email}/register", **describe("register", schemas.REGISTERED, body=NO_BODY))
    async def register_again(practice: str, email: Email, request: Request) -> Response:
        """Queues the Welcome email once more."""

        def do(_: dict[str, Any]) -> dict[str, Any]:
            found = look(app.engine, practice, email, app.clock().astimezone(app.practices[practice].zone))
            if found.account is None:
                raise Problem(404, found.problem)
            register(app.engine, practice, email, actor=caller(request).actor, now=app.clock())
            return {"practice": practice, "email": found.account.email, "status": "queued"}

        return await doing(request, NO_BODY, do)

    def by_hand(given: dict[str, Any], do: Callable[..., Any], practice: str, email: str, request: Request) -> None:
        need(given, "reason")
        do(app.engine, practice, email, reason=given["reason"], actor=caller(request).actor, now=app.clock())

    @router.post("/accounts/{email}/suspend", **describe("suspend", schemas.REGISTERED, body=REASON_BODY))
    async def suspend_account(practice: str, email: Email, request: Request) -> Response:
        """Closes every chart to the account at once, whatever the EHR says, until somebody lifts it."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            by_hand(given, suspend, practice, email, request)
            return {"practice": practice, "email": email, "status": "suspended"}

        return await doing(request, REASON_BODY, do)

    @router.post("/accounts/{email}/lift", **describe("lift", schemas.REGISTERED, body=REASON_BODY))
    async def lift_suspension(practice: str, email: Email, request: Request) -> Response:
        """Lifts the suspension: the charts decide again with the next sync."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            by_hand(given, lift, practice, email, request)
            return {"practice": practice, "email": email, "status": "lifted"}

        return await doing(request, REASON_BODY, do)

    @router.post("/runs/{run}/release", **describe("release", schemas.RELEASED, body=HASH_BODY))
    async def let_go(practice: str, run: RunNumber, request: Request) -> Response:
        """Lets go what a run holds; ``plan`` is the hash of what was looked at, anything else is then refused."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            run_of(app, practice, run)
            here = {practice: app.practices[practice]}
            actor = caller(request).actor
            done = release(app.engine, here, run, actor=actor, now=app.clock(), expected=given.get("plan"))
            return asdict(done)

        return await doing(request, HASH_BODY, do)

    @router.post("/merges/{chart}", **describe("let_merge_go", schemas.MERGING, body=MERGE_BODY))
    async def let_merge_go(practice: str, chart: ChartId, request: Request) -> Response:
        """Lets a merge go, or gives back one that the EHR has taken back: exactly what was looked at (``plan``)."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            need(given, "plan", "reason")
            said: dict[str, Any] = {"reason": given["reason"], "expected": given["plan"], "apply": True}
            said |= {"unmerge": given.get("unmerge", False), "actor": caller(request).actor, "now": app.clock()}
            return merge_shape(merge(app.engine, app.practices[practice], f"Patient/{chart}", None, **said))

        return await doing(request, MERGE_BODY, do)

    @router.post("/findings/{finding}/decide", **describe("decide", schemas.DECIDED, body=DECIDE_BODY))
    async def decide(practice: str, finding: FindingId, request: Request) -> Response:
        """Answers a finding, with a reason; ``withdraw`` takes the answer back. It counts at once."""

        def do(given: dict[str, Any]) -> dict[str, Any]:
            if "answer" not in given or not given.get("reason"):
                raise Problem(422, 'The body must have "answer" and "reason".')
            if answers.practice_of(app.engine, finding) != practice:
                raise Problem(404, f"There is no finding {finding} of this practice.")
            said: dict[str, Any] = {"reason": given["reason"], "actor": caller(request).actor, "clock": app.clock}
            asked = (app.engine, app.practices[practice], [finding])
            if given["answer"] == WITHDRAW:
                return decided_shape(answers.withdraw(*asked, **said), WITHDRAW)
            until = _day(given.get("until"))
            return decided_shape(answers.decide(*asked, Answer(given["answer"]), until=until, **said), given["answer"])

        return await doing(request, DECIDE_BODY, do)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Problem(422, '"until" is not a day that can be.') from None
