"""What pages may ask of the running service: a job beside its schedule, and how far a run is."""

from collections.abc import Callable
from dataclasses import dataclass

from adapter.jobs.board import Step
from adapter.schedule_files import JobName

Ask = Callable[[str, JobName], None]
"""``ask(practice, job)`` returns at once."""
Progress = Callable[[str], Step | None]
"""``progress(practice)``: what its run is at; None where nobody knows."""


def nobody(practice: str, job: JobName) -> None:
    """There is no service to ask: it is done when its time comes."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service as the pages see it. ``demo`` is the word that opens the demo's desk once."""

    ask: Ask = nobody
    progress: Progress = lambda practice: None
    demo: str = ""
