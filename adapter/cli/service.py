"""``adapter run``: the service. Schedules, delivery and the web server, until it is asked to stop."""

import sys
from contextlib import ExitStack

import typer

from adapter.cli.base import DONE, FAILED, app, load, tell


@app.command(name="run", rich_help_panel="Every day")
def run(context: typer.Context) -> int:
    """Run the service: sync, deliver and look after the widget on schedule until stopped (Ctrl-C or SIGTERM)."""
    from adapter.jobs.board import FOLDER, Board
    from adapter.jobs.nudges import NudgeWatch
    from adapter.jobs.schedule import JobScheduler, next_times
    from adapter.jobs.work import run_job
    from adapter.logs import configure_logs
    from adapter.schedule_files import JobName
    from adapter.web import WebServer, make_app
    from adapter.web.asking import Service

    built = load(context)
    configure_logs(practices=list(built.practices), console=sys.stderr.isatty(), level="info")
    assert built.portals is not None and built.key  # opened before the first job is due, so that faults show now
    board = Board(built.settings.store.key_file.parent / FOLDER)
    scheduler = JobScheduler(built.scheduled, lambda practice, job: run_job(built, practice, job, board.of(practice)))
    pushed = [practice.id for practice in built.settings.practice if practice.push]
    with ExitStack() as stack:
        if built.settings.web.enabled:
            server = stack.enter_context(
                WebServer(make_app(built, Service(scheduler.ask, board.now)), built.settings.web)
            )
            tell(f"Listening on {server.address}")
        for entry in next_times(built.scheduled, built.clock()):
            tell(f"{entry.at:%Y-%m-%d %H:%M} {entry.practice}: {entry.job}")
        stack.enter_context(
            NudgeWatch(
                built.engine, pushed, clock=built.clock, ask=lambda practice: scheduler.ask(practice, JobName.PUSH)
            )
        )
        return DONE if scheduler.run() else FAILED
