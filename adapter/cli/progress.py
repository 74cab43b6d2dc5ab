"""A progress bar on a terminal; nothing where nobody looks."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from adapter.cli.base import err
from adapter.ehr import Progress as Report


@contextmanager
def progress_bar(title: str) -> Iterator[Report]:
    """Yields a function that jobs call as ``progress(what, done, total or None)``."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:>9,.0f}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def report(what: str, done: int, total: int | None) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(f"{title}: {what}", total=total)
        bar.update(tasks[what], completed=done, total=total)

    with bar:
        yield report
