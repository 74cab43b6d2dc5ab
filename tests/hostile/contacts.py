"""Faults of the searches for contacts: by chart, by lists of charts, in batches, and along with their Patients."""

import re
from collections.abc import Callable
from copy import deepcopy

import orjson

from adapter.core.search import StrategyName
from tests.edges.ehr.scripted import Reply, chart_of, outcome
from tests.edges.ehr.strategies.odd_ehr import OddEhr
from tests.hostile.bundles import _ELSEWHERE
from tests.hostile.fault import End, Fault, Scene, Spoil

EVERY: tuple[StrategyName, ...] = ("each", "list", "batch")
CHART = {"first": "p2", "middle": "p6", "last": "p10"}
"""The chart of each page that somebody new is on."""


class ContactsEhr(OddEhr):
    """Contacts are asked for by chart; ``spoil_contacts`` changes the answers about one chart once they are read."""

    spoil_contacts: Callable[[Reply, str], None] | None = None
    chart = ""

    def reply(self, target: str) -> Reply:
        reply = super().reply(target)
        reading = any("_count=4" in asked and asked.startswith("/fhir/Patient?") for asked in self.requests)
        if reading and self.spoil_contacts and re.search(rf"patient=[^&]*\b{self.chart}\b", target):
            self.spoil_contacts(reply, target)
        return reply


def _answers(status: int) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.status, reply.json = status, outcome("error", "exception")

    return spoil


def _body(body: bytes, kind: str = "application/fhir+json") -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.body, reply.headers = body, {"Content-Type": kind}

    return spoil


def _half(reply: Reply, _: Scene) -> None:
    reply.body = orjson.dumps(reply.json)[:-20]


def _of_everybody(reply: Reply, scene: Scene) -> None:
    reply.json["entry"] = [
        {"resource": row, "search": {"mode": "match"}} for row in scene.ehr.resources if chart_of(row)
    ]


def _warns(reply: Reply, _: Scene) -> None:
    reply.json["entry"].append({"resource": outcome("warning", "incomplete"), "search": {"mode": "outcome"}})


def _self_link(reply: Reply, scene: Scene) -> None:
    reply.json["link"] = [{"relation": "self", "url": f"{scene.ehr.base_url}/RelatedPerson?_count=4"}]


def _next_elsewhere(reply: Reply, scene: Scene) -> None:
    reply.json["link"].append({"relation": "next", "url": f"{scene.elsewhere}/RelatedPerson?page=2"})


def _total(reply: Reply, _: Scene) -> None:
    reply.json["total"] = 40


def _nobody(reply: Reply, _: Scene) -> None:
    reply.json["entry"], reply.json["total"] = [], 0


def _twice(reply: Reply, _: Scene) -> None:
    reply.json["entry"] = [*reply.json["entry"], *deepcopy(reply.json["entry"])]


def _drops_includes(reply: Reply, _: Scene) -> None:
    """The page has its Patients, and of their contacts only the first."""
    rows = reply.json["entry"]
    kept = [entry for entry in rows if entry["search"]["mode"] == "match"]
    reply.json["entry"] = [*kept, *[entry for entry in rows if entry["search"]["mode"] == "include"][:1]]


NOT_IN_BATCHES = ("contacts: web page", "contacts: truncated JSON")
"""Faults of a whole answer: a part of a batch cannot have them."""

# fmt: off
CONTACTS = [
    Fault(name="contacts: error", does="answers a search of contacts with 500", end=End.INCOMPLETE,
          told="answered 500", spoil=_answers(500), pages=("middle", "last")),
    Fault(name="contacts: refused", does="refuses the contacts of one chart", end=End.INCOMPLETE,
          told="answered 403", spoil=_answers(403), pages=("middle", "last")),
    Fault(name="contacts: OperationOutcome", does="answers a search of contacts with an OperationOutcome and 200",
          end=End.INCOMPLETE, told="answered an OperationOutcome (error: exception)", spoil=_answers(200),
          pages=("middle", "last")),
    Fault(name="contacts: web page", does="answers a search of contacts with a login page", end=End.INCOMPLETE,
          told="answered a web page (text/html)", spoil=_body(b"<html>Canary portal</html>", "text/html"),
          pages=("middle", "last")),
    Fault(name="contacts: truncated JSON", does="stops in the middle of the contacts", end=End.INCOMPLETE,
          told="the answer ends too early", spoil=_half, pages=("middle", "last")),
    Fault(name="contacts: warning", does="adds a warning to the contacts of one chart", end=End.INCOMPLETE,
          told="the EHR reports warning: incomplete", spoil=_warns, pages=("middle", "last")),
    Fault(name="contacts: of everybody", does="gives everybody's contacts for one chart, having obeyed until then",
          end=End.INCOMPLETE, told="contacts of other charts came back", spoil=_of_everybody,
          pages=("middle", "last")),
    Fault(name="contacts: next link elsewhere", does="points to another server for more contacts", end=End.INCOMPLETE,
          told=_ELSEWHERE, spoil=_next_elsewhere, pages=("middle", "last")),
    Fault(name="contacts: next link lost", does="counts more contacts than it gives, twice, without a link to more",
          end=End.INCOMPLETE, told="the EHR counts 40 and gave", spoil=_total, pages=("middle", "last")),
    Fault(name="contacts: patient left out of the self link",
          does="says that it ignored patient, and gives the right contacts all the same",
          end=End.COMPLETE, told="", spoil=_self_link, pages=("middle", "last")),
    Fault(name="contacts: twice", does="gives the contacts of a chart twice", end=End.COMPLETE, told="",
          spoil=_twice, pages=("middle", "last")),
    Fault(name="contacts: nobody",
          does="gives no contacts of a chart, once (a known one is there when read by its id: the chart is read again)",
          end=End.COMPLETE, told="", spoil=_nobody, pages=("middle", "last"), times=1),
]
INCLUDES = [
    Fault(name="includes left out",
          does="leaves contacts out of a page of Patients, without a word (everything is read again another way)",
          end=End.COMPLETE, told="", spoil=_drops_includes),
]
# fmt: on
