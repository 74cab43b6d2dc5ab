"""What the demo tells, step by step: the real output of the real jobs, and a sentence or two before each."""

from datetime import timedelta

import msgspec
from rich.padding import Padding
from rich.text import Text

from adapter.bootstrap import actor
from adapter.cli.base import out, table
from adapter.cli.families import show_plan
from adapter.cli.portal import show_comparison
from adapter.cli.progress import progress_bar
from adapter.cli.render import show_accounts, show_delivery, show_explanation, show_run
from adapter.cli.telling import (
    heading,
    link_in,
    say,
    show_command,
    show_commands,
    show_line,
    show_mail,
    showing_arrivals,
)
from adapter.cli.widget_sheet import show_widgets
from adapter.core.decide import PASSED
from adapter.jobs.explain import explain
from adapter.jobs.frozen import look_ahead
from adapter.jobs.pages import status
from adapter.jobs.publish import publish, watch
from adapter.jobs.release import release
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.jobs.work import deliver_all, read_back
from adapter.sandbox.charts import Resource
from adapter.sandbox.demo import Demo, family_results, follow_the_remedy, withdraw_authority
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.portals import TITLES, PortalKind, RunningPortal

ASKED_ABOUT = "imani.osei@mail.example"


def tell_story(demo: Demo, *, stays: bool, kept: bool) -> None:
    """Plays the story from the first sync to the first change, on a demo that has not synced yet.

    ``stays``: the servers stay up afterwards. ``kept``: the folder is not removed at the end.
    """
    _practice(demo, kept=kept)
    run = _first_sync(demo)
    _question(demo)
    _release(demo, run)
    _widget(demo)
    _changes(demo)
    if demo.portal:
        _read_back(demo, demo.portal)
    demo.clock.catch_up()
    _what_next(demo, stays=stays)


def _practice(demo: Demo, *, kept: bool) -> None:
    heading(1, "A practice, its EHR and its parents")
    families = len(demo.families) + demo.others
    show = f"{len(demo.families)} of the families show" if demo.others else "They show"
    say(
        f"Main Street Pediatrics does not exist. Its EHR has {demo.records:,} records of {families:,} families: "
        f"Patients, and the Family Contacts on their charts. {show} what a practice gets asked about. "
        "Everything runs on this machine, and all names are made up.\n"
    )
    rows = table("", "")
    rows.show_header = False
    rows.add_row("EHR (FHIR)", demo.ehr.base_url)
    rows.add_row("Mailbox (SMTP)", f"{demo.mailbox.host}:{demo.mailbox.port}")
    portal = f"{TITLES[demo.kind]}, {demo.portal.base_url}" if demo.portal else "the one that comes with the adapter"
    rows.add_row("Portal", portal)
    rows.add_row("Configuration", str(demo.config) if kept else "in a temporary folder, removed at the end")
    out.print(Padding(rows, (0, 0, 0, 2)))


def _first_sync(demo: Demo) -> int:
    heading(2, "The first sync: who gets an account, and who does not")
    with progress_bar(PRACTICE) as progress:
        app = demo.app
        request = Request(full=True, actor=actor())
        report = sync(app.engine, app.practices[PRACTICE], request, clock=demo.clock, progress=progress)
        results = family_results(demo)
    show_run(report)
    say("\nFamily by family; the last column has the rules that kept somebody out:")
    rows = table("family", "what is special", "accounts", "charts", "left out because")
    for column in rows.columns[:4]:
        column.no_wrap = True
    rows.columns[2].justify = "right"
    for result in results:
        charts = f"{result.open_charts} of {result.charts}"
        why = Text("\n".join(result.left_out), "yellow")
        rows.add_row(result.family.title, result.family.case, str(result.accounts or "-"), charts, why)
    out.print(rows)
    if demo.others:
        accounts = len(demo.open_accounts()) - sum(result.accounts for result in results)
        say(f"\nThe {demo.others:,} other families get {accounts:,} accounts.")
    return int(report["run"])


def _question(demo: Demo) -> None:
    heading(3, "\u201cWhy didn't this parent get the Welcome email?\u201d")
    say("Imani Osei calls. She is a patient of the practice herself, like her son. Staff ask:")
    show_command(f"explain {ASKED_ABOUT}")
    answer = explain(demo.app.engine, demo.app.practices[PRACTICE], ASKED_ABOUT, clock=demo.clock)
    stopped = tuple(step for step in answer.steps if step.outcome != PASSED)
    show_explanation(msgspec.structs.replace(answer, steps=stopped), None)
    say(
        f"\nThe other {len(answer.steps) - len(stopped)} rules were passed; the command lists them too, each with the "
        "version of the record it looked at."
    )


def _release(demo: Demo, run: int) -> None:
    heading(4, "The Welcome emails go out")
    say(
        "The first run of a practice holds its Welcome emails, so that nobody writes to thousands of parents by "
        "accident. Staff have looked at the accounts and release them."
    )
    show_command(f"release {run}")
    released = release(demo.app.engine, demo.app.practices, run, actor=actor(), now=demo.clock())
    out.print(f"Released {released.welcome:,} Welcome emails.")
    show_command("deliver")
    with showing_arrivals(demo, released.welcome):
        report = deliver_all(demo.app)
    show_delivery(report)
    mails = demo.mailbox.messages
    say(f"\n{len(mails):,} mails arrived: one for each account that may open a chart. The first family's:")
    first = next(row for row in demo.families[0].resources if row["resourceType"] == "RelatedPerson")
    show_mail(next(mail for mail in mails if _emails(first) & set(mail.recipients)))
    say(
        "No mail names a child. The link leads to a page that asks for a child's date of birth, so that whoever merely "
        "reads the mail cannot use it; then the account is registered."
    )


def _emails(row: Resource) -> set[str]:
    return {point["value"] for point in row["telecom"]}


def _widget(demo: Demo) -> None:
    app, engine = demo.app, demo.app.engine
    heading(5, "The payment widget")
    if not app.portals[PRACTICE].offers.home_page:
        say("The practice is paid through InstaMed. This portal has no place for its widget, so nothing is published.")
        return
    say("The practice is paid through InstaMed. Its widget is published to the portal's home page.")
    show_command("widgets publish")
    merchant = app.merchants[PRACTICE]
    publish(engine, practice=PRACTICE, desired=merchant.pages, now=demo.clock(), actor=actor())
    deliver_all(app)
    show_widgets(status(engine, [merchant]))
    demo.clock.forward(timedelta(minutes=20))
    say("\nThe demo does not wait: it moves its own clock on by 20 minutes, and the adapter reads the page back.")
    show_command("widgets")
    watch(
        engine,
        practice=PRACTICE,
        desired=merchant.pages,
        portal=app.portals[PRACTICE],
        policy=app.practices[PRACTICE].policy,
        now=demo.clock,
    )
    show_widgets(status(engine, [merchant]))


def _changes(demo: Demo) -> None:
    app, practice = demo.app, demo.app.practices[PRACTICE]
    heading(6, "Two families change in the EHR")
    helped, withdrawn = follow_the_remedy(demo.ehr), withdraw_authority(demo.ehr)
    say(
        "Staff follow the advice for Imani Osei: in her own chart Self becomes Other Relative, and her son's chart "
        "gets the same e-mail address. In the Lindgren family the father's Authority is withdrawn. What would a "
        "sync do now?"
    )
    show_command("plan")
    request = Request(actor=actor())
    with progress_bar(PRACTICE) as progress:
        shown, actions, names = look_ahead(app.engine, practice, request, clock=demo.clock, progress=progress)
    show_plan(shown, actions, names)
    show_command("sync")
    with progress_bar(PRACTICE) as progress:
        report = sync(app.engine, practice, request, clock=demo.clock, progress=progress)
    show_run(report)
    say(
        f"\nOf {demo.records:,} records the EHR was asked only for those that changed: {report['read']['resources']}. "
        "Welcome emails are not held any more."
    )
    before = len(demo.mailbox.messages)
    show_command("deliver")
    show_delivery(deliver_all(app))
    out.print()
    show_accounts(demo.accounts(helped, withdrawn), None)
    for mail in demo.mailbox.messages[before:]:
        out.print(f"\nNew mail to {', '.join(mail.recipients)}: {mail.message['Subject']}", markup=False)
    say(
        "\nImani Osei got her Welcome email and sees herself beside her son. Mats Lindgren's account opens nothing any "
        "more. Every line above has its reason in the audit trail."
    )


def _read_back(demo: Demo, portal: RunningPortal) -> None:
    parent = demo.open_accounts()[0]
    demo.clock.forward(timedelta(minutes=5))
    portal.register(parent["email"], demo.clock())
    say(
        f"\nMeanwhile {parent['name']} has chosen a password. The portal is somebody else's program, so it is read "
        "back: who has registered, and does each account open exactly what was decided?"
    )
    show_command("portal compare")
    show_comparison(read_back(demo.app, PRACTICE, actor=actor()))
    show_accounts(demo.accounts(parent["email"]), None)


def _what_next(demo: Demo, *, stays: bool) -> None:
    heading(7, "In short, and what to try next")
    found = demo.runs_since(0)[-1]["findings"]
    say(
        f"{demo.records:,} records became {len(demo.open_accounts()):,} accounts that may open a chart. "
        f"{len(demo.mailbox.messages):,} Welcome emails left, each once. {sum(found.values()):,} findings wait for "
        "staff, each with the step that fixes it.\n"
    )
    if not stays:
        say("The demo ends here. Without --once it stays up, to be played with. For a practice of your own:\n")
        show_commands(
            ("init", "writes a config.toml that explains itself"),
            ("check", "looks at EHR, portal, mail and database"),
            ("plan", "shows what a sync would do; changes nothing"),
        )
        return
    say("Everything stays up until you press Ctrl-C. In another terminal:\n")
    show_line(f"export ADAPTER_CONFIG={demo.config}")
    show_commands(
        ("findings", "what needs a look"),
        ("accounts", "who may open what"),
        ("explain dana.price@mail.example", "why she may not"),
        ("register grace.okafor@mail.example", "send it again"),
    )
    if demo.portal and demo.kind is PortalKind.SCIM:
        show_line(
            f"\nThe portal's Users: curl -H 'Authorization: Bearer {demo.portal.secret}' {demo.portal.base_url}/Users"
        )
    if demo.portal:
        return
    first = demo.families[0].resources
    grace = next(one for one in first if one["resourceType"] == "RelatedPerson")
    child = next(one for one in first if one["resourceType"] == "Patient")
    mail = next(mail for mail in demo.mailbox.messages if _emails(grace) & set(mail.recipients))
    name = mail.message["To"].addresses[0].display_name
    say(f"\nOr register as {name}: open the link and answer with {child['birthDate']}.\n")
    show_line(link_in(mail))
    say("\nOr change a family, as the EHR's staff would: this sets Omar Haddad's Authority to Joint.\n")
    show_line(f"row={demo.ehr.base_url}/RelatedPerson/haddad-sami-father")
    show_line("""curl -s $row | sed 's/"none"/"joint"/' | curl -so /dev/null -T - $row""")
    say("\nThe next sync finds it within half a minute; what happens is told here.")
