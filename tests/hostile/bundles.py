"""Faults of the Bundle: its links, its total, its entries."""

import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tests.edges.ehr.scripted import Json, Reply, outcome
from tests.hostile.fault import End, Fault, Scene, Spoil


def _sets(**elements: Any) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.json.update(elements)

    return spoil


def _adds(*entries: Any) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.json["entry"].extend(deepcopy(entries))

    return spoil


def _remark(severity: str, code: str) -> Json:
    return {"resource": outcome(severity, code), "search": {"mode": "outcome"}}


def _next(url: str) -> Spoil:
    """``url`` may name the EHR ({origin}), the other server ({elsewhere}) and this request ({target}, {asked})."""

    def spoil(reply: Reply, scene: Scene) -> None:
        link = url.format(
            origin=scene.ehr.origin, elsewhere=scene.elsewhere, target=scene.target, asked=len(scene.ehr.requests)
        )
        reply.json["link"] = [*_others(reply), {"relation": "next", "url": link}]

    return spoil


def _others(reply: Reply) -> list[Json]:
    return [link for link in reply.json["link"] if link["relation"] != "next"]


def _two_next(reply: Reply, scene: Scene) -> None:
    reply.json["link"].extend(
        [{"relation": "next", "url": f"{scene.ehr.base_url}/Patient?page={page}"} for page in (2, 3)]
    )


def _next_lost(reply: Reply, _: Scene) -> None:
    reply.json["link"] = _others(reply)


def _links_as_object(reply: Reply, _: Scene) -> None:
    reply.json["link"] = {"next": "?page=2"}


def _relative(reply: Reply, _: Scene) -> None:
    for link in reply.json["link"]:
        link["url"] = re.sub(r"^.*/", "", link["url"])


def _empty_for_ever(reply: Reply, scene: Scene) -> None:
    reply.json["entry"] = []
    _next("{origin}{target}&turn={asked}")(reply, scene)


def _swallowed(reply: Reply, _: Scene) -> None:
    reply.json["entry"], reply.json["link"] = [], _others(reply)


def _repeats_entries(reply: Reply, _: Scene) -> None:
    reply.body = orjson.dumps(reply.json)[:-1] + b',"entry":[]}'


def _redirect(url: str) -> Spoil:
    def spoil(reply: Reply, scene: Scene) -> None:
        reply.status, reply.json = 302, {}
        reply.headers["Location"] = url.format(elsewhere=scene.elsewhere, target=scene.target, origin=scene.ehr.origin)

    return spoil


def _drifts(reply: Reply, scene: Scene) -> None:
    """A record of the first page comes again, as it does when somebody is added while the pages are read."""
    first = next(row for row in scene.ehr.resources if row["id"] == "p1")
    reply.json["entry"].insert(0, {"resource": first, "search": {"mode": "match"}})


def _in_the_future(reply: Reply, _: Scene) -> None:
    later = (datetime.now(UTC) + timedelta(days=9999)).isoformat()
    reply.json["entry"] = [
        {**entry, "resource": entry["resource"] | {"meta": {"versionId": "1", "lastUpdated": later}}}
        for entry in reply.json["entry"]
    ]


def _header(name: str, value: str) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.headers[name] = value

    return spoil


_FOREIGN = {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "Canary"}}
_ELSEWHERE = "the EHR points to another address"
_ENDLESS = "Try another page_size, or ask the EHR's support."

# fmt: off
BUNDLES = [
    Fault(name="another resource", does="answers a Patient instead of a Bundle", end=End.INCOMPLETE,
          told="answered something else than a searchset Bundle. Check base_url.",
          spoil=_sets(resourceType="Patient", type=None)),
    Fault(name="another Bundle", does="answers a Bundle that is no searchset", end=End.INCOMPLETE,
          told="answered something else than a searchset Bundle. Check base_url.", spoil=_sets(type="collection")),
    Fault(name="entries as an object", does="gives one entry where a list should be", end=End.INCOMPLETE,
          told="the Bundle's entry is not a list", spoil=_sets(entry={"resource": {"resourceType": "Patient"}})),
    Fault(name="entries twice", does="gives the key entry twice, the second time empty", end=End.INCOMPLETE,
          told="the Bundle has a key twice at entry, so it may hold more than could be read", spoil=_repeats_entries),
    Fault(name="error among the rows", does="adds an OperationOutcome with an error", end=End.INCOMPLETE,
          told="the EHR reports error: exception, so rows may be missing.", spoil=_adds(_remark("error", "exception"))),
    Fault(name="warning among the rows", does="adds an OperationOutcome with a warning", end=End.INCOMPLETE,
          told="the EHR reports warning: incomplete, so rows may be missing.",
          spoil=_adds(_remark("warning", "incomplete"))),
    Fault(name="information among the rows", does="adds an OperationOutcome with information", end=End.COMPLETE,
          told="", spoil=_adds(_remark("information", "informational"))),
    Fault(name="links as an object", does="gives an object where the list of links should be", end=End.INCOMPLETE,
          told="its link to the next page cannot be read. Ask the EHR's support.", spoil=_links_as_object),
    Fault(name="two next links", does="gives two next links", end=End.INCOMPLETE,
          told="its link to the next page cannot be read. Ask the EHR's support.", spoil=_two_next),
    Fault(name="empty next link", does="gives a next link without an address", end=End.INCOMPLETE,
          told="its link to the next page cannot be read. Ask the EHR's support.", spoil=_next("")),
    Fault(name="next link lost", does="leaves the next link out, although its total says that there is more",
          end=End.INCOMPLETE, told="the EHR counts 12 and gave", spoil=_next_lost, pages=("first", "middle")),
    Fault(name="next link to itself", does="gives the page itself as the next one", end=End.INCOMPLETE,
          told=f"the next link leads back to a page that was read already. {_ENDLESS}",
          spoil=_next("{origin}{target}")),
    Fault(name="same page for ever", does="gives the same page under ever new links", end=End.INCOMPLETE,
          told=f"the page repeats one that was read already. {_ENDLESS}",
          spoil=_next("{origin}{target}&turn={asked}")),
    Fault(name="empty pages for ever", does="gives empty pages without end", end=End.INCOMPLETE,
          told=f"the search has no end. {_ENDLESS}", spoil=_empty_for_ever),
    Fault(name="relative links", does="gives relative links", end=End.COMPLETE, told="", spoil=_relative),
    Fault(name="next link elsewhere", does="points to another server for the next page", end=End.INCOMPLETE,
          told=_ELSEWHERE, spoil=_next("{elsewhere}/Patient?page=2")),
    Fault(name="next link to a file", does="points to a file of the adapter's machine", end=End.INCOMPLETE,
          told=_ELSEWHERE, spoil=_next("file:///etc/hostname")),
    Fault(name="redirect elsewhere", does="redirects to another server", end=End.INCOMPLETE, told=_ELSEWHERE,
          spoil=_redirect("{elsewhere}/Patient")),
    Fault(name="redirect for ever", does="redirects to the same address again and again", end=End.INCOMPLETE,
          told="redirected more than 5 times. Check base_url.", spoil=_redirect("{origin}{target}")),
    Fault(name="total too low", does="counts fewer rows than it gives", end=End.COMPLETE, told="",
          spoil=_sets(total=1)),
    Fault(name="total wrong once", does="counts 9,999 rows in one answer, and rightly when asked again",
          end=End.COMPLETE, told="", spoil=_sets(total=9999), times=1),
    Fault(name="page swallowed", does="gives an empty page without a next link instead of the rest",
          end=End.INCOMPLETE, told="the EHR counts 12 and gave", spoil=_swallowed, pages=("middle", "last")),
    Fault(name="total damaged", does="gives a total that is no number", end=End.COMPLETE, told="",
          spoil=_sets(total="many")),
    Fault(name="page drift", does="gives a record of the first page again on a later one", end=End.COMPLETE, told="",
          spoil=_drifts, pages=("middle", "last")),
    Fault(name="other types", does="adds resources that nobody asked for", end=End.COMPLETE, told="",
          spoil=_adds({"resource": _FOREIGN, "search": {"mode": "include"}})),
    Fault(name="future stamps", does="stamps its records 27 years ahead", end=End.COMPLETE, told="",
          spoil=_in_the_future),
    Fault(name="clock ahead", does="tells a time in the year 2099 (the mark moves to now at most)", end=End.COMPLETE,
          told="", spoil=_header("Date", "Thu, 01 Jan 2099 00:00:00 GMT")),
    Fault(name="no clock", does="tells no time that can be read (the mark stays)", end=End.COMPLETE, told="",
          spoil=_header("Date", "today")),
]
# fmt: on
