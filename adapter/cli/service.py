"""``adapter run``: the service. Schedules and delivery, until it is asked to stop."""

import sys

import typer

from adapter.cli.base import DONE, FAILED, app, load, tell


@app.command(name="run", rich_help_panel="Every day")
def run(context: typer.Context) -> int:
    """Run the service: sync, deliver and look after the widget on schedule until stopped (Ctrl-C or SIGTERM)."""
    from adapter.jobs.schedule import JobScheduler, next_times
    from adapter.jobs.work import run_job
    from adapter.logs import configure_logs

    built = load(context)
    configure_logs(practices=list(built.practices), console=sys.stderr.isatty(), level="info")
    assert built.portals is not None and built.key  # opened before the first job is due, so that faults show now
    for entry in next_times(built.scheduled, built.clock()):
        tell(f"{entry.at:%Y-%m-%d %H:%M} {entry.practice}: {entry.job}")
    scheduler = JobScheduler(built.scheduled, lambda practice, job: run_job(built, practice, job))
    return DONE if scheduler.run() else FAILED
