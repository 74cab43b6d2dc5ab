"""What an EHR does over time: late rows, stamps of the future, versions that go back, merged and deleted charts."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.edges.ehr.scripted import Json, ScriptedEhr
from tests.hostile.population import CHANGES, after, before
from tests.hostile.site import LONG_AGO, Site

AUTHORITY = "urn:fhir-portal-adapter:contact-authority"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One named move. ``does`` completes "The EHR ...", ``then`` says what follows; ``play`` makes it happen."""

    name: str
    does: str
    then: str
    play: Callable[[Site], None]


def opens(site: Site, key: str) -> str:
    """What the mother of a chart may do: state and reason of her one grant."""
    (account,) = site.adapter.json("accounts", f"ada.{key}@mail.example")
    (dependent,) = account["dependents"]
    return f"{dependent['state']} {dependent['reason']}"


def changes(site: Site, resources: list[Json], *, full: bool = False, ehr: ScriptedEhr | None = None) -> Json:
    """What a sync changes; it must be complete."""
    with ehr or ScriptedEhr(resources, totals=True) as server:
        report = site.sync(server.base_url, full=full)
    assert (report["status"], report["problems"]) == ("complete", [])
    changed: Json = report["changes"]
    return changed


def of(resources: list[Json], key: str, **elements: object) -> list[Json]:
    """The same records, one of them with other elements."""
    return [row | elements if row["id"] == key else row for row in resources]


def version(number: int, at: datetime | str) -> Json:
    return {"versionId": str(number), "lastUpdated": at if isinstance(at, str) else at.isoformat()}


def _goes_back(site: Site) -> None:
    mother = next(row for row in before() if row["id"] == "p3-mother")
    none = deepcopy(mother["extension"])
    none[0]["valueCode"] = "none"
    closed = of(before(), "p3-mother", extension=none, meta=version(2, "2026-02-01T00:00:00Z"))
    assert changes(site, closed)["end-grant"] == 1
    site.set_marks(LONG_AGO)
    assert changes(site, before()) == {}
    assert opens(site, "p3") == "ended authority-none"


def _commits_late(site: Site) -> None:
    assert changes(site, before()) == {}
    (mark,) = {datetime.fromisoformat(at) for at in site.marks().values()}
    (father,) = [row for row in after() if row["id"] == "p2-father"]
    late = father | {"meta": version(1, mark - timedelta(minutes=2))}
    assert changes(site, [*before(), late])["grant"] == 1


def _ignores_since(site: Site, *, self_links: bool) -> None:
    obeys = ScriptedEhr.ALL - {"since"}
    ehr = ScriptedEhr(after(), totals=True, obeys=obeys, self_links=self_links)
    site.set_marks("2026-02-01T00:00:00.000000Z")  # nothing is newer: what comes was not asked for
    with ehr:
        report = site.sync(ehr.base_url, full=False)
    assert (report["status"], report["changes"]["grant"], report["changes"]["end-grant"]) == ("complete", 3, 3)
    assert report["strategy"].startswith("everything, because the EHR declares _lastUpdated but does not obey")


def _from_the_future(site: Site) -> None:
    ahead = version(1, datetime.now(UTC) + timedelta(days=9999))
    assert changes(site, of(before(), "p1-mother", meta=ahead)) == {}
    assert all(datetime.fromisoformat(at) <= datetime.now(UTC) for at in site.marks().values())
    (father,) = [row for row in after() if row["id"] == "p2-father"]
    assert changes(site, [*before(), father | {"meta": version(1, datetime.now(UTC))}])["grant"] == 1


def _caps_pages(site: Site) -> None:
    ehr = ScriptedEhr(after())
    ehr.most = 3
    assert changes(site, after(), full=True, ehr=ehr) == CHANGES


def _merges(merged: dict[str, str]) -> Callable[[Site], None]:
    def play(site: Site) -> None:
        now = before()
        for old, new in merged.items():
            now = of(now, old, link=[{"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}])
        for _ in range(2):
            changes(site, now, full=True)
            for key in ("p1", "p2", "p3", "p4"):
                assert opens(site, key) == ("suspended patient-merged" if key in merged else "active eligible")

    return play


def _deletes(site: Site) -> None:
    assert changes(site, [row for row in before() if row["id"] != "p1-mother"], full=True)["end-grant"] == 1
    assert changes(site, [row for row in before() if row["id"] not in ("p1", "p1-mother")], full=True) == {}
    assert opens(site, "p1") == "ended contact-gone"
    assert opens(site, "p10") == "active eligible"


# fmt: off
MOVES = [
    Move(name="version going back", does="gives an older version of a contact than was read before",
         then="nothing: the newer one counts, and an Authority that was withdrawn stays withdrawn", play=_goes_back),
    Move(name="late commit", does="shows a record two minutes after its timestamp, when the mark has passed it",
         then="it is read: each search reaches back ten minutes (`overlap_minutes`)", play=_commits_late),
    Move(name="_lastUpdated ignored, and said so",
         does="leaves `_lastUpdated` out of its self link and gives everything",
         then="everything is read, and the run says why", play=lambda site: _ignores_since(site, self_links=True)),
    Move(name="_lastUpdated ignored without a word", does="ignores `_lastUpdated` and has no self link",
         then="older rows give it away: everything is read", play=lambda site: _ignores_since(site, self_links=False)),
    Move(name="one stamp of the future", does="stamps one record 27 years ahead",
         then="the mark stays at the server's clock, and what comes next is read", play=_from_the_future),
    Move(name="capped pages", does="gives fewer rows a page than were asked for, and tells no total",
         then="the next links are followed: everything is read", play=_caps_pages),
    Move(name="merged chart", does="merges a chart into another", then="its grants are suspended and go nowhere",
         play=_merges({"p1": "p2"})),
    Move(name="merge chain", does="merges a chart into one that is merged into a third",
         then="both are suspended; the third is as it was", play=_merges({"p1": "p2", "p2": "p3"})),
    Move(name="merge cycle", does="merges two charts into each other", then="both are suspended",
         play=_merges({"p1": "p2", "p2": "p1"})),
    Move(name="merged into itself", does="merges a chart into itself", then="it is suspended",
         play=_merges({"p1": "p1"})),
    Move(name="merged into nobody", does="merges a chart into one that it does not have", then="it is suspended",
         play=_merges({"p1": "nobody"})),
    Move(name="deleted", does="deletes a contact, and then the chart",
         then="the grant ends once the record itself answers 404 or 410", play=_deletes),
]
# fmt: on
