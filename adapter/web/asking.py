"""Asking the running service for a job beside its schedule; where nothing runs, it is done when its time comes."""

from collections.abc import Callable

from adapter.schedule_files import JobName

Ask = Callable[[str, JobName], None]
"""``ask(practice, job)`` returns at once."""


def nobody(practice: str, job: JobName) -> None:
    """There is no service to ask."""
