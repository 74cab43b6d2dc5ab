"""Commands by which a human answers: decide."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import typer

from adapter.cli.base import DONE, FAILED, HELD, Json, app, load, out, print_json, tell, words

WITHDRAW = "withdraw"


class Says(StrEnum):
    """What may be said to a finding."""

    APPROVE = "approve"
    DISMISS = "dismiss"
    SAME_PERSON = "same-person"
    DIFFERENT_PEOPLE = "different-people"
    WITHDRAW = WITHDRAW


Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why, in your own words. It stays with the decision.", metavar="TEXT")
]


@app.command(rich_help_panel="Every day")
def decide(
    context: typer.Context,
    finding: Annotated[str, typer.Argument(help="The finding, as `adapter findings` shows it.", metavar="FINDING")],
    answer: Annotated[
        Says,
        typer.Argument(
            help="approve: go on as if the rule had been passed. dismiss: leave it, and stop showing it. same-person, "
            "different-people: who uses a shared address. withdraw: take the answer back.",
            metavar="approve|dismiss|same-person|different-people|withdraw",
        ),
    ],
    reason: Reason,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day on which it counts.", metavar="YYYY-MM-DD"),
    ] = None,
    json: Json = False,
) -> int:
    """Answer a finding, with a reason. It counts at once, and ends by itself when the facts it was given for change."""
    from adapter.bootstrap import actor
    from adapter.cli.render import CHANGES
    from adapter.core.answers import Answer
    from adapter.jobs import finding_answers as answers
    from adapter.jobs.shapes import decided_shape

    built = load(context)
    practice = answers.practice_of(built.engine, finding)
    if practice is None or practice not in built.practices:
        tell(f"There is no finding {finding}. `adapter findings` lists them.")
        return FAILED
    asked = (built.engine, built.practices[practice], [finding])
    day: date | None = until.date() if until else None
    if answer is Says.WITHDRAW:
        done = answers.withdraw(*asked, reason=reason, actor=actor(), clock=built.clock)
    else:
        done = answers.decide(*asked, Answer(answer), reason=reason, until=day, actor=actor(), clock=built.clock)
    if json:
        print_json(decided_shape(done, str(answer)))
        return HELD if done.waits else DONE
    what = "Withdrawn" if answer is Says.WITHDRAW else "Decided"
    others = f" (and {len(done.findings) - 1:,} more of the same address)" if len(done.findings) > 1 else ""
    out.print(f"{what}: {finding}{others}. Changed: {words(done.changes, CHANGES)}.", markup=False)
    if done.waits:
        tell(
            "Nothing is opened yet: the latest sync was not complete, or a brake holds changes of this family. "
            "The next complete sync decides it: adapter sync."
        )
        return HELD
    return DONE
