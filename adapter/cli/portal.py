"""``adapter portal``: looks into the portal itself: what it has, and whether that is what was decided."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from adapter.cli.base import DONE, FAILED, HELD, Json, PracticeId, app, chosen, load, out, print_json, tell, words

group = typer.Typer(no_args_is_help=True)
app.add_typer(group, name="portal", rich_help_panel="Operate")

_SHOWN = 50
_KINDS = {
    "portal-extra": ("opened more than was decided", "opened more than was decided"),
    "portal-orphan": ("was nobody's", "were nobody's"),
    "portal-missing": ("is missing or opens less", "are missing or open less"),
    "portal-changed": ("is different otherwise", "are different otherwise"),
}


class Kind(StrEnum):
    """What a portal of somebody else can speak."""

    SCIM = "scim"
    FHIR = "fhir"
    HTTP = "http"


@group.callback()
def portal() -> None:
    """Look into the portal: compare it with what was decided, try it, adopt what was there before."""


@group.command()
def compare(
    context: typer.Context,
    practice: PracticeId = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put back what is missing or different, and close what is nobody's.")
    ] = False,
    json: Json = False,
) -> int:
    """Read the portal back: who has registered, and whether every account opens exactly what was decided."""
    from adapter.bootstrap import actor
    from adapter.jobs.work import read_back

    built = load(context)
    reports = [read_back(built, name, actor=actor(), insist=repair) for name in chosen(built, practice)]
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        for report in reports:
            show_comparison(report)
    return FAILED if any(report["problems"] for report in reports) else max(_ending(report) for report in reports)


@group.command()
def check(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Argument(help="A portal's base address; the configured portals when left out.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="With URL: what it speaks.")] = Kind.SCIM,
    token_env: Annotated[
        str | None,
        typer.Option("--token-env", help="With URL: the environment variable with its token.", metavar="NAME"),
    ] = None,
    secret_env: Annotated[
        str | None,
        typer.Option("--secret-env", help="With URL: the one with the secret to sign with.", metavar="NAME"),
    ] = None,
    key_id: Annotated[
        str, typer.Option("--key-id", help="With --secret-env: the key's name.", metavar="ID")
    ] = "adapter",
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Try a portal: make accounts, change, revoke, read back and remove them; a line for each requirement."""
    from datetime import UTC, datetime

    from adapter.jobs.conformance import MARK, check_portal

    if url is not None:
        proof: dict[str, str] = {"auth": "none"}
        if secret_env:
            proof = {"auth": "signature", "secret_env": secret_env, "key_id": key_id}
        elif token_env:
            proof = {"auth": "bearer", "token_env": token_env}
        portals = {url: _portal_at({"kind": str(kind), "base_url": url, **proof})}
    else:
        built = load(context)
        wanted = chosen(built, practice)
        chosen_ones = [one for one in built.settings.practice if one.id in wanted]
        portals = {one.id: built.portal_for(one, MARK) for one in chosen_ones}
    reports: list[dict[str, Any]] = []
    for name, tried in portals.items():
        results: list[dict[str, Any]] = []
        for one in check_portal(tried, datetime.now(UTC)):
            results.append({"requirement": one.name, "ok": one.ok, "detail": one.detail})
            if not json:
                out.print(f"{'ok  ' if one.ok else 'FAIL'} {one.name}", style="" if one.ok else "red", markup=False)
                if one.detail:
                    out.print(Padding(Text(one.detail), (0, 0, 0, 5)))
        reports.append({"portal": name, "requirements": results})
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    return DONE if all(one["ok"] for report in reports for one in report["requirements"]) else FAILED


def _portal_at(table: dict[str, str]) -> Any:
    """A portal that no configuration names. Raises ConfigError for an address or secret that cannot be used."""
    from datetime import UTC, datetime

    from pydantic import TypeAdapter, ValidationError

    from adapter.bootstrap.portal import make_portal
    from adapter.errors import ConfigError
    from adapter.jobs.conformance import MARK
    from adapter.settings.load import faults_of
    from adapter.settings.portal import PortalSettings

    try:
        settings = TypeAdapter[Any](PortalSettings).validate_python(table)
    except ValidationError as error:
        raise ConfigError(faults_of(error, file="command line")) from None
    return make_portal(settings, practice=MARK, own=_no_database, clock=lambda: datetime.now(UTC))


def _no_database() -> Any:
    raise AssertionError("somebody else's portal keeps nothing here")


@group.command()
def contract() -> int:
    """Print the HTTP contract (OpenAPI 3.1): what a portal answers that speaks neither SCIM nor FHIR."""
    import sys
    from importlib.resources import files

    sys.stdout.write((files("adapter.portal.http") / "openapi.json").read_text(encoding="utf-8"))
    return DONE


@group.command()
def schema() -> int:
    """Print what a SCIM portal has to know: the extension of User and the home page, as Schemas and ResourceTypes."""
    import sys
    from importlib.resources import files

    sys.stdout.write((files("adapter.portal.scim") / "schema.json").read_text(encoding="utf-8"))
    return DONE


@group.command()
def adopt(
    context: typer.Context,
    practice: PracticeId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show whose accounts they are.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> int:
    """Link accounts that the portal had before, where it is sure whose they are; nobody loses access by it."""
    from adapter.bootstrap import actor
    from adapter.jobs.adopt import Match, match_strangers
    from adapter.jobs.adopt import adopt as link

    built = load(context)
    names = chosen(built, practice)
    left = 0
    reports = []
    for name in names:
        portal_ = built.portals[name]
        found = match_strangers(built.engine, practice=name, portal=portal_, now=built.clock)
        counts = {str(kind): sum(one.match is kind for one in found) for kind in Match}
        left += counts[Match.AMBIGUOUS]
        rows = [{"account": one.email, "match": str(one.match), "why": one.why} for one in found]
        linked = 0
        if not json:
            _show_matches(name, counts, rows)
        if counts[Match.EXACT] and not dry_run and (yes or typer.confirm("Link those that are exact?", err=True)):
            linked = link(
                built.engine, practice=name, portal=portal_, adoptions=found, now=built.clock(), actor=actor()
            )
        reports.append({"practice": name, **counts, "linked": linked, "accounts": rows})
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    elif any(report["linked"] for report in reports):
        out.print("Linked. `adapter deliver` brings them up to date; the service does within a minute.", markup=False)
    return HELD if left else DONE


def _show_matches(practice: str, counts: dict[str, int], rows: list[dict[str, str]]) -> None:
    told = words(
        counts, {"exact": ("exact", "exact"), "ambiguous": ("ambiguous",) * 2, "unmatched": ("unmatched",) * 2}
    )
    out.print(f"{practice}: accounts in the portal that the adapter did not make: {told}.", markup=False)
    for row in rows[:_SHOWN]:
        why = f": {row['why']}" if row["why"] else ""
        out.print(f"  {row['match']:<10} {row['account']}{why}", markup=False)
    if len(rows) > _SHOWN:
        out.print(f"  and {len(rows) - _SHOWN:,} more; --json lists them all", markup=False)


def _ending(report: dict[str, Any]) -> int:
    left = sum(report["drift"].values()) - report["repaired"]
    return HELD if left else DONE


def show_comparison(report: dict[str, Any]) -> None:
    """What was read back, what differs, and what to do about it."""
    accounts = words({"account": report["accounts"]}, {"account": ("account", "accounts")})
    line = f"{report['practice']}: {accounts} read, {report['equal']:,} as decided"
    line += f", {report['moving']:,} on their way" if report["moving"] else ""
    out.print(line + ".", markup=False)
    if report["registered"]:
        out.print(f"{report['registered']:,} registered since the last look.", markup=False)
    for one in report["differences"]:
        where = f": {', '.join(one['where'])}" if one["where"] else ""
        done = " (repaired)" if one["repaired"] else ""
        out.print(f"  {one['account'] or 'an account'} {_KINDS[one['code']][0]}{where}{done}", markup=False)
    if report["held"]:
        out.print(f"{report['held']:,} at once are too many to act on. See: adapter findings", markup=False)
    elif sum(report["drift"].values()) > report["repaired"]:
        out.print("To put it back: adapter portal compare --repair", markup=False)
    for problem in report["problems"]:
        tell(problem)
