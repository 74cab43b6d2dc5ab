"""What a fault is: something real servers do, how a run ends then, and what the admin is told."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.edges.ehr.scripted import Reply, ScriptedEhr


class End(Enum):
    """How a run ends that meets the fault."""

    INCOMPLETE = "incomplete: nothing new is opened, nobody loses access by absence, the marks stay"
    COMPLETE = "complete: everything is read"
    ASIDE = "complete; the damaged record is put aside as a finding, everything else is read"


@dataclass(frozen=True)
class Scene:
    """Where a fault happens: the EHR, another server that must never be asked, and the request (path and query)."""

    ehr: ScriptedEhr
    elsewhere: str
    target: str


Spoil = Callable[[Reply, Scene], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One named fault.

    ``does`` completes the sentence "The EHR ...". ``told`` stands in the run's problems, in the finding's message where
    a record is put aside, and is empty where there is nothing to tell. ``times``: it is over after so many answers.
    ``waits``: it lasts as long as the time-out, so the tests use a short one and one page.
    """

    name: str
    does: str
    end: End
    told: str
    spoil: Spoil
    pages: tuple[str, ...] = ("first", "middle", "last")
    times: int = 1_000_000
    waits: bool = False
