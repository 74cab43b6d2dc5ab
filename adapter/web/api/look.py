"""What the JSON API shows: each list and record in the shape that the command of the same name prints."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from adapter.bootstrap import App
from adapter.core.email import email_key
from adapter.core.state import EffectState
from adapter.errors import FatalError
from adapter.jobs import merge_view
from adapter.jobs.explain import explain as ask
from adapter.jobs.held import held_plans
from adapter.jobs.merges import look_at_merge
from adapter.jobs.pages import status
from adapter.jobs.shapes import merge_shape
from adapter.store import audit_trail, findings, outbox, runs, views
from adapter.store.audit_trail import Wanted
from adapter.store.engine import read
from adapter.web.api import schemas
from adapter.web.api.cursors import page, place
from adapter.web.api.describing import Describe
from adapter.web.api.problems import Problem

Limit = Annotated[int, Query(ge=1, le=500, description="Show at most so many.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")]
Who = Annotated[
    str, Query(min_length=1, max_length=320, description="An e-mail address, Patient/ID or RelatedPerson/ID.")
]
Email = Annotated[str, Path(min_length=1, max_length=320)]
ChartId = Annotated[str, Path(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
RunNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Since = Annotated[datetime | None, Query(description="From this time on; UTC where it names no zone.")]


def run_of(app: App, practice: str, run: int) -> Any:
    """The row of a practice's run. Raises Problem (404) when it has none of that number."""
    with read(app.engine) as connection:
        row = runs.get(connection, run)
    if row is None or row["practice"] != practice:
        raise Problem(404, f"There is no run {run} of this practice.")
    return row


def add_routes(router: APIRouter, app: App, describe: Describe) -> None:
    """Adds every route that changes nothing."""

    @router.get("/accounts", **describe("accounts", schemas.page_of(schemas.ACCOUNT)))
    def accounts(practice: str, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
        """The portal accounts: which charts each may open, and what became of its Welcome email."""
        after = place(cursor, (str,))
        with read(app.engine) as connection:
            found = views.accounts(connection, [practice], after=after[0] if after else None, limit=limit + 1)
        return page(found, [[email_key(one["email"])] for one in found], limit)

    @router.get("/accounts/{email}", **describe("account", schemas.ACCOUNT))
    def account(practice: str, email: Email) -> dict[str, Any]:
        """One account."""
        with read(app.engine) as connection:
            found = views.accounts(connection, [practice], email_key=email_key(email))
        if not found:
            raise Problem(404, "There is no account with this address.")
        return found[0]

    @router.get("/explain", **describe("explain", schemas.EXPLANATION))
    def explain(practice: str, who: Who) -> dict[str, Any]:
        """Why a parent did, or did not, get the Welcome email, step by step, and what to do about it."""
        answer = ask(app.engine, app.practices[practice], who, clock=app.clock)
        return {"practice": practice, **answer.to_json()}

    @router.get("/findings", **describe("findings", schemas.page_of(schemas.FINDING)))
    def open_findings(
        practice: str,
        code: Annotated[str | None, Query(max_length=64)] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """What a human should look at, the gravest and oldest first, each with the step that fixes it."""
        after = place(cursor, (int, str, str))
        key = (after[0], _time(after[1]), after[2]) if after else None
        with read(app.engine) as connection:
            found = findings.listing(connection, [practice], code=code, after=key, limit=limit + 1)
        gravity, last = findings.GRAVITY, len(findings.GRAVITY)
        keys = [[gravity.get(one["severity"], last), one["since"], one["id"]] for one in found]
        return page(found, keys, limit)

    @router.get("/runs", **describe("runs", schemas.page_of(schemas.RUN)))
    def latest_runs(practice: str, limit: Limit = 20, cursor: Cursor = None) -> dict[str, Any]:
        """The latest syncs: what was read, what changed, what is held."""
        before = place(cursor, (int,))
        with read(app.engine) as connection:
            found = runs.listing(connection, [practice], limit=limit + 1, before=before[0] if before else None)
        return page(found, [[one["run"]] for one in found], limit)

    @router.get("/runs/{run}", **describe("run", schemas.RUN))
    def one_run(practice: str, run: RunNumber) -> dict[str, Any]:
        """One sync."""
        return runs.shape(run_of(app, practice, run))

    @router.get("/held", **describe("held", schemas.several(schemas.HELD_PLAN)))
    def held(practice: str) -> list[dict[str, Any]]:
        """What the brakes hold, family by family, and why."""
        return held_plans(app.engine, [practice])

    @router.get("/merges", **describe("merges", schemas.several(schemas.MERGE)))
    def merges(practice: str) -> list[dict[str, Any]]:
        """Charts that were merged in the EHR: which wait for a human, which are done, which cannot move."""
        return merge_view.listing(app.engine, [practice])

    @router.get("/merges/{chart}", **describe("merge", schemas.MERGING))
    def one_merge(practice: str, chart: ChartId) -> dict[str, Any]:
        """What letting this merge go would do, or giving back one that the EHR has taken back. Changes nothing."""
        try:
            return merge_shape(look_at_merge(app.engine, app.practices[practice], chart, now=app.clock()))
        except FatalError as error:
            raise Problem(404, str(error)) from None

    @router.get("/outbox", **describe("outbox", schemas.page_of(schemas.OUTBOX)))
    def effects(
        practice: str,
        state: Annotated[list[EffectState] | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """What goes out or went out, the oldest first, and why something waits."""
        after = place(cursor, (str,))
        with read(app.engine) as connection:
            found = outbox.listing(
                connection, practice=practice, states=state, limit=limit + 1, after=after[0] if after else ""
            )
        return page(found, [[one["id"]] for one in found], limit)

    @router.get("/widgets", **describe("widgets", schemas.several(schemas.WIDGET)))
    def widgets(practice: str) -> list[dict[str, Any]]:
        """The payment widget: what is live since when, what is pending and until when to wait."""
        return status(app.engine, [app.merchants[practice]])

    @router.get("/audit", **describe("audit", schemas.page_of(schemas.AUDIT)))
    def audit(
        request: Request,
        practice: str,
        email: Annotated[str | None, Query(max_length=320)] = None,
        patient: Annotated[str | None, Query(max_length=100)] = None,
        actor: Annotated[str | None, Query(max_length=200)] = None,
        run: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        since: Since = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> dict[str, Any]:
        """The audit trail in its order: who did what to which account and chart, and why."""
        after = place(cursor, (int,))
        wanted = Wanted(
            practices=[practice],
            since={practice: _aware(since)} if since else {},
            email_key=email_key(email) if email else None,
            patient=patient,
            actor=actor,
            run=run,
            after=after[0] if after else None,
        )
        with read(app.engine) as connection:
            found = list(audit_trail.entries(connection, wanted, limit=limit + 1))
        return page(found, [[one["seq"]] for one in found], limit)


def _time(text: str) -> datetime:
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError:
        raise Problem(422, "This is not a cursor of this list. Begin again without one.") from None


def _aware(at: datetime) -> datetime:
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise Problem(422, "This is not a time that can be.") from None
