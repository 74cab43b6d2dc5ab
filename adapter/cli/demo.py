"""``adapter demo``: the whole story on this machine, with an invented practice."""

import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.base import DONE, FAILED, app, out, tell
from adapter.sandbox.portals import PortalKind

FOLDER = Path("demo")


@app.command(rich_help_panel="Set up")
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the story instead of staying to be played with.")
    ] = False,
    families: Annotated[
        int, typer.Option(min=1, max=5000, help="How many families the practice has; the story needs 17.", metavar="N")
    ] = 60,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The EHR's port; 0 takes a free one.", metavar="P")] = 0,
    portal: Annotated[
        PortalKind,
        typer.Option(help="The parents' portal: embedded, SCIM or FHIR (extra: sandbox), or by the HTTP contract."),
    ] = PortalKind.EMBEDDED,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the demo keeps its files.",
            show_default="./demo; with --once, one that is removed",
            metavar="DIR",
        ),
    ] = None,
) -> int:
    """See it work: a made-up practice, its EHR, mailbox and portal on this machine, and the adapter between them."""
    from adapter.logs import configure_logs
    from adapter.sandbox.demo_files import PRACTICE

    configure_logs(practices=[PRACTICE], console=sys.stderr.isatty(), level="warning")
    before = signal.signal(signal.SIGTERM, _stop)  # so that a stopped demo tidies up behind itself
    try:
        if folder is None and once:
            with tempfile.TemporaryDirectory(prefix="adapter-demo-") as temporary:
                return _demo(Path(temporary), families, port, portal, stays=False, kept=False)
        return _demo(folder or FOLDER, families, port, portal, stays=not once, kept=True)
    except KeyboardInterrupt:
        tell("Stopped before the end of the story.")
        return FAILED
    finally:
        signal.signal(signal.SIGTERM, before)


def _demo(folder: Path, families: int, port: int, portal: PortalKind, *, stays: bool, kept: bool) -> int:
    from adapter.cli.story import tell_story
    from adapter.cli.telling import News, tell_desk
    from adapter.jobs.board import Board
    from adapter.jobs.schedule import JobScheduler
    from adapter.jobs.work import run_job
    from adapter.sandbox.demo import running_demo
    from adapter.schedule_files import JobName
    from adapter.web import WebServer, make_app
    from adapter.web.asking import Service

    with running_demo(folder, families=families, port=port, kind=portal) as running:
        news: list[News] = []
        board = Board()

        def job(practice: str, name: JobName) -> None:
            run_job(running.app, practice, name, board.of(practice))
            for one in news:
                one.tell()

        scheduler = JobScheduler(running.app.scheduled, job)
        word = secrets.token_urlsafe(24)
        with WebServer(
            make_app(running.app, Service(scheduler.ask, board.now, word)), running.app.settings.web
        ) as server:
            tell_story(running, stays=stays, kept=kept)
            if not stays:
                return DONE
            tell_desk(f"{server.address}/demo/{word}")
            news.append(News(running))
            stopped = scheduler.run(stop_seconds=10)  # until Ctrl-C or SIGTERM; what happens meanwhile is told
        out.print(f"\nStopped. {running.folder} keeps the configuration and the database.", markup=False)
        return DONE if stopped else FAILED


def _stop(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
