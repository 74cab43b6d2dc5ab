"""``adapter mapping``: the bench on which a mapping profile is written: list, test on a record, check the examples."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.base import DONE, FAILED, Json, app, out, print_json, table

group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(group, name="mapping", rich_help_panel="Set up")

Profile = Annotated[str, typer.Argument(help="The profile's name, for example epic.", metavar="PROFILE")]


@group.callback()
def mapping(context: typer.Context) -> int | None:
    """Write a mapping profile: see the profiles there are, try one on a record, check its examples."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    return DONE


@group.command(name="list")
def list_(context: typer.Context, json: Json = False) -> int:
    """List every mapping profile: where contacts and Authority come from, and how many examples prove it."""
    from adapter.jobs.examples import examples_in
    from adapter.profiles import load_profile, profiles_in

    rows: list[dict[str, Any]] = []
    for name, path in profiles_in(_folders(context)).items():
        profile = load_profile(name, _folders(context))
        rows.append(
            {
                "name": name,
                "title": profile.title,
                "contacts": profile.search.contacts,
                "authority": bool(profile.contact.authority),
                "consents": profile.consents is not None,
                "examples": len(examples_in(path.parent / name)),
                "file": str(path),
            }
        )
    if json:
        print_json(rows)
        return DONE
    shown = table("profile", "for", "contacts", "Authority", "examples")
    for row in rows:
        authority = "Consent" if row["consents"] else "recorded" if row["authority"] else "not recorded"
        shown.add_row(row["name"], row["title"], row["contacts"], authority, str(row["examples"]))
    out.print(shown)
    out.print("\nTry one on a record of yours: adapter mapping test PROFILE RECORD.json", markup=False)
    return DONE


@group.command()
def test(
    context: typer.Context,
    profile: Profile,
    file: Annotated[Path, typer.Argument(help="A resource or Bundle as JSON, or .ndjson.", metavar="RECORD.json")],
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="The EHR's FHIR address, for records with absolute links.")
    ] = None,
    json: Json = False,
) -> int:
    """Show, expression by expression, what a real record yields, what it lacks, and what would be decided from it."""
    from adapter.cli.mapping_sheet import shape, show
    from adapter.jobs.bench import try_file
    from adapter.profiles import load_profile

    tested = try_file(load_profile(profile, _folders(context)), file, datetime.now(UTC), base_url)
    if json:
        print_json({"profile": profile, "records": [shape(one) for one in tested]})
    else:
        show(profile, tested)
    return DONE


@group.command()
def check(context: typer.Context, profile: Profile, json: Json = False) -> int:
    """Check a profile and run every example beside it; a fact that differs from what the example promises is told."""
    from adapter.jobs.examples import check_example, examples_in
    from adapter.profiles import load_profile, profiles_in

    loaded = load_profile(profile, _folders(context))
    folder = profiles_in(_folders(context))[profile].parent / profile
    now = datetime.now(UTC)
    results = [check_example(loaded, path, now) for path in examples_in(folder)]
    failed = sum(bool(result.problems) for result in results)
    if json:
        rows: list[dict[str, Any]] = [
            {"example": result.name, "ok": not result.problems, "problems": list(result.problems)} for result in results
        ]
        print_json({"profile": profile, "examples": rows})
        return FAILED if failed else DONE
    for result in results:
        out.print(f"{'[red bold]FAIL[/]' if result.problems else '[green]ok  [/]'} {result.name}")
        for problem in result.problems:
            out.print(f"     {problem}", markup=False, style="red")
    if not results:
        out.print(
            f"{profile} is a good profile. It has no examples yet: put them into {folder / 'examples'}.", markup=False
        )
    else:
        out.print(
            f"\n{len(results)} examples, {failed} of them failed."
            if failed
            else f"\n{len(results)} examples, all as promised."
        )
    return FAILED if failed else DONE


def _folders(context: typer.Context) -> list[Path]:
    """Where a practice's own profiles lie: beside config.toml, whether or not there is one yet."""
    from adapter.settings import config_path

    return [config_path(context.obj).resolve().parent / "mappings"]
