"""What people read on the terminal: every report at 80 columns, calm, with the next step last."""

from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapter.cli.base import out, table, words
from adapter.core.decide import PASSED
from adapter.core.explain import Explanation

CHANGES = {
    "open-account": ("account opened", "accounts opened"),
    "grant": ("chart opened", "charts opened"),
    "queue-welcome": ("Welcome email queued", "Welcome emails queued"),
    "hold-welcome": ("Welcome email held", "Welcome emails held"),
    "hold-grant": ("chart held", "charts held"),
    "suspend-grant": ("chart suspended", "charts suspended"),
    "end-grant": ("chart closed", "charts closed"),
    "change-grant": ("grant changed", "grants changed"),
    "cancel-welcome": ("Welcome email cancelled", "Welcome emails cancelled"),
    "move-account": ("account moved to a new address", "accounts moved to a new address"),
    "move-account-back": ("account moved back", "accounts moved back"),
    "update-account": ("account updated", "accounts updated"),
    "reopen-account": ("account opened again", "accounts opened again"),
    "suspend-account": ("account suspended", "accounts suspended"),
    "close-account": ("account closed", "accounts closed"),
}
READ = {
    "patients": ("patient", "patients"),
    "contacts": ("contact", "contacts"),
    "repeated": ("repeated", "repeated"),
    "quarantined": ("put aside", "put aside"),
    "ignored": ("ignored", "ignored"),
}
STATE_STYLE = {
    "active": "green",
    "complete": "green",
    "sent": "green",
    "live": "green",
    "registered": "green",
    "invited": "green",
    "held": "yellow",
    "queued": "yellow",
    "sending": "yellow",
    "pending": "yellow",
    "incomplete": "red",
    "failed": "red",
    "unknown": "red",
    "suspended": "red",
    "drifted": "red",
    "error": "red",
    "warning": "yellow",
}


def styled(state: str) -> Text:
    """A state word in its colour."""
    return Text(state, style=STATE_STYLE.get(state.strip(), "dim"))


def show_run(report: dict[str, Any]) -> None:
    """One sync: how it ended, what was read, what changed, what waits for a human."""
    read = report["read"]
    out.print(
        Text.assemble(
            ("Run ", "bold"),
            (str(report["run"]), "bold"),
            f" · {report['practice']} · {report['kind']} · ",
            styled(report["status"]),
        )
    )
    _hanging("Read", f"{read.get('resources', 0):,} records: {words(read, READ)}")
    _hanging("Changed", words(report["changes"], CHANGES))
    if report["findings"]:
        _hanging("Findings", words(report["findings"]))
    for problem in report["problems"]:
        _hanging("Problem", problem, style="red")
    held = report["held"]
    if held.get("welcome"):
        out.print(
            f"\nWelcome emails that wait for you: {held['welcome']:,}. Look at `adapter accounts`, then: "
            f"adapter release {report['run']}",
            markup=False,
        )
    if held.get("closed_at_once"):
        out.print("More was closed than is ordinary. Ask whether that is right: adapter findings", style="yellow")
    if any(name.startswith("brake_") for name in held):
        out.print("More than is ordinary, so it waits for you: adapter held", style="yellow", markup=False)
    if report["findings"]:
        out.print("What needs a look, and how to fix it: adapter findings", markup=False)


def _hanging(label: str, text: str, *, style: str = "") -> None:
    """A labelled line whose further lines begin below its text."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=8)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label), Text(text, style=style))
    out.print(Padding(grid, (0, 0, 0, 2)))


def show_accounts(found: list[dict[str, Any]], email: str | None) -> None:
    """Accounts, one line each; their charts below."""
    if not found:
        asked = f" with the address {email}.\nWhy: adapter explain {email}" if email else " yet. Run: adapter sync"
        out.print(f"There is no account{asked}", markup=False)
        return
    for account in found:
        line = Text.assemble((account["email"], "bold"), f"  {account['name']} · ", styled(account["status"]))
        line.append(" · Welcome ").append_text(styled(account["welcome"]["status"]))
        if account["portal"]["locked"]:
            line.append(" · locked in the portal", "yellow")
        if account["suspension"]:
            line.append(" · suspended by hand", "yellow")
        out.print(line)
        for dependent in account["dependents"]:
            whose = ", self" if dependent["self"] else ""
            why = f" · {dependent['reason']}" if dependent["state"] != "active" else f" · {dependent['access']}"
            out.print(
                Text.assemble(
                    "  ",
                    styled(f"{dependent['state']:<9}"),
                    f" {dependent['patient']:<26} ",
                    (f"{dependent['role']}, {dependent['authority']}{whose}{why}".replace("_", " "), "dim"),
                )
            )
    out.print(f"\n{len(found):,} account{'s' * (len(found) != 1)}")


def show_explanation(answer: Explanation, practice: str | None) -> None:
    """The sentence, the step that fixes it, and how the rules got there."""
    if practice:
        out.print(practice, style="dim", markup=False)
    out.print(answer.verdict, style="bold", markup=False)
    if answer.remedy:
        out.print(Padding(Text(answer.remedy), (0, 0, 0, 2)))
    if not answer.steps:
        return
    out.print()
    for step in answer.steps:
        good = step.outcome in (PASSED, "active", "sent")
        line = Text("✓ " if good else "✗ ", style="green" if good else "yellow")
        line.append(step.because, style="default")
        out.print(line)
        out.print(Padding(Text(f"{step.rule}{f' · {step.source}' if step.source else ''}", style="dim"), (0, 0, 0, 2)))


def show_findings(found: list[dict[str, Any]]) -> None:
    """The queue: what, why, the step that fixes it, and what somebody has answered."""
    if not found:
        out.print("Nothing needs a look.")
        return
    for finding in found:
        out.print(Text.assemble(styled(finding["severity"]), "  ", (finding["code"], "bold"), f"  {finding['id']}"))
        out.print(Padding(Text(finding["message"]), (0, 0, 0, 2)))
        told = _answered(finding)
        out.print(Padding(Text(f"→ {finding['remedy']}", style="dim"), (0, 0, 0 if told else 1, 2)))
        if told:
            out.print(Padding(Text(told, style="yellow"), (0, 0, 1, 2)))
    out.print(f"{len(found):,} finding{'s' * (len(found) != 1)}")


ENDED = {
    "facts-changed": "no longer counts, because the facts have changed",
    "expired": "has expired",
    "withdrawn": "was withdrawn",
    "restored": "no longer counts, because a backup was put back: answer again",
    "solved": "ended when the problem was gone; it is back",
    "replaced": "was replaced",
}


def _answered(finding: dict[str, Any]) -> str:
    """The latest answer to a finding, and what became of it."""
    if not finding["decisions"]:
        return ""
    last = finding["decisions"][0]
    who = last["actor"].partition(":")[2] or last["actor"]
    answer = f"{last['answer']}, {last['decided_at'][:10]}, {who}: \u201c{last['reason']}\u201d"
    if last["in_force"]:
        until = f" until {last['until'][:10]}" if last["until"] else ""
        return f"Answered{until}: {answer}"
    return f"An earlier answer {ENDED[last['ended_because']]}: {answer}"


def show_runs(found: list[dict[str, Any]]) -> None:
    """The latest runs, newest first."""
    if not found:
        out.print("No run yet. Start with: adapter sync")
        return
    rows = table("run", "practice", "started", "kind", "status", "read", "changed")
    for run in found:
        rows.add_row(
            str(run["run"]),
            run["practice"],
            run["started_at"][:16].replace("T", " "),
            run["kind"],
            styled(run["status"]),
            f"{run['read'].get('resources', 0):,}",
            f"{sum(run['changes'].values()):,}",
        )
    out.print(rows)


def show_outbox(found: list[dict[str, Any]]) -> None:
    """What goes out, what went out, and why something waits."""
    if not found:
        out.print("The outbox is empty.")
        return
    rows = table("kind", "to", "state", "tries", "next try (UTC)", "last error")
    for effect in found:
        at = (effect["next_at"] or "")[:16].replace("T", " ") if effect["state"] == "queued" else ""
        rows.add_row(
            effect["kind"],
            escape(effect["to"]),
            styled(effect["state"]),
            str(effect["attempts"]),
            at,
            escape(effect["last_error"] or ""),
        )
    out.print(rows)


def show_delivery(report: dict[str, Any]) -> None:
    """What one round of delivery did."""
    if not report["delivered"]:
        out.print("Nothing was due.")
    for kind, counts in report["delivered"].items():
        out.print(f"{kind:<9} {words(counts)}", markup=False)
    for problem in report["problems"]:
        out.print(f"Problem   {problem}", markup=False, style="red")
    if report["problems"]:
        out.print("What waits, and when it is tried again: adapter outbox")
