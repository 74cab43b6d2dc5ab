"""One export on the EHR's side: asked for, watched until it is ready, called off.

The asynchronous pattern of https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlencode

from adapter.ehr import Progress
from adapter.ehr.fhir.answer import Refused, shown_outcome
from adapter.ehr.fhir.bulk.manifest import Manifest, manifest
from adapter.ehr.fhir.bulk.transport import Transport, Trouble
from adapter.ehr.fhir.client import Answer
from adapter.errors import SourceError
from adapter.http import retry

WHAT = "GET $export"
STATUS = "GET the status of the export"
MOST_TROUBLES = 6
"""Failed looks in a row before the EHR counts as not well; a status of 500 may be followed by a 200."""
_BUSY = frozenset({429, 503})
_FHIR = {"Accept": "application/fhir+json"}
_PERCENT = re.compile(r"(\d{1,3})(?:\.\d{0,6})?\s?%")
_NAP = 5.0
_GOODBYE = 5.0
"""Seconds that calling off may take: nobody needs the answer, and somebody may have pressed Ctrl-C."""
_WAITING = "export, seconds waited"


class Gone(SourceError):
    """The EHR knows nothing (any more) of this export or of one of its files."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to export: ``path`` is ``Patient/$export``, ``Group/<id>/$export`` or ``$export``."""

    path: str
    types: tuple[str, ...]

    def query(self, since: datetime | None) -> str:
        """Path and parameters, the same for the same request."""
        params = {"_type": ",".join(self.types)}
        if since is not None:
            params["_since"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.path}?{urlencode(params, safe=':,')}"


@dataclass(frozen=True, slots=True)
class Started:
    """An export that the EHR has begun; ``began`` by this machine's clock, ``at`` by the EHR's."""

    status_url: str
    began: datetime
    at: datetime


class Jobs:
    """Starts, watches and ends exports of one EHR. ``sleep`` takes seconds, ``clock`` gives the time."""

    def __init__(
        self,
        transport: Transport,
        *,
        hours: float,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._transport = transport
        self._hours = hours
        self._sleep = sleep
        self._clock = clock

    def start(self, request: Request, since: datetime | None, progress: Progress) -> Started:
        """Asks for an export.

        Raises Refused when the EHR does not take the request, SourceError when there is no usable answer.
        """
        base = self._transport.guard.base
        url, headers = base.join(request.query(since)), {**_FHIR, "Prefer": "respond-async"}
        for tried in range(1, retry.TRIES + 1):
            answer = self._transport.ask("GET", url, WHAT, headers=headers)
            if answer.status not in retry.RETRIED or tried == retry.TRIES:
                break
            self._nap(retry.wait(tried, answer.headers, now=self._clock()), lambda: progress(_WAITING, 0, None))
        status_url = answer.headers.get("Content-Location", "")
        if answer.status != 202 or not status_url:
            code = shown_outcome(answer, self._transport.max_body)
            said = "named no address of a status" if answer.status == 202 else f"answered {answer.status}{code}"
            error = SourceError if answer.status == 401 else Refused  # a 403 may well hold for exports alone
            raise error(f"{WHAT}: {said}, so there is no export. Ask the EHR's support for Bulk Data access.")
        now = self._clock()
        return Started(base.resolve(status_url, seen_at=url), now, server_time(answer.headers) or now)

    def wait(self, status_url: str, began: datetime, progress: Progress) -> Manifest:
        """The manifest, once the export is ready; ``began`` is when it was asked for.

        Raises Gone when the EHR knows of no such export, Refused when it failed or takes longer than the allowed
        hours, SourceError when the EHR is not well.
        """
        looks = troubles = 0
        while True:
            looks += 1
            headers: Mapping[str, str] = {}
            trouble = None
            try:
                answer = self._transport.ask("GET", status_url, STATUS, headers={"Accept": "application/json"})
                headers = answer.headers
                if answer.status == 200:
                    return manifest(answer, STATUS, max_bytes=self._transport.max_body)
                if answer.status != 202 and answer.status not in _BUSY:
                    trouble = _trouble(answer, self._transport.max_body)
            except Trouble as error:
                trouble = error
            troubles = troubles + 1 if trouble else 0
            if trouble and troubles >= MOST_TROUBLES:
                raise trouble
            self.refuse_late(began)
            tell = partial(_show, progress, headers, lambda: self._since(began))
            tell()
            self._nap(_pause(headers, looks, self._clock()), tell)

    def refuse_late(self, began: datetime) -> None:
        """Raises Refused when an export that began then has had its time."""
        if self._since(began) > self._hours * 3600:
            raise Refused(
                f"The export was not finished within {self._hours:g} hours and was called off. "
                "Raise bulk_hours under [practice.ehr], or ask the EHR's support."
            )

    def cancel(self, status_url: str) -> None:
        """Tells the EHR that nobody needs the export any more. Whatever it answers is fine."""
        with suppress(SourceError):
            self._transport.ask("DELETE", status_url, "DELETE the export", headers=_FHIR, timeout=_GOODBYE)

    def _since(self, began: datetime) -> float:
        return (self._clock() - began).total_seconds()

    def _nap(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Sleeps in short naps: ``meanwhile`` shows that somebody is still here."""
        while seconds > 0:
            self._sleep(min(seconds, _NAP))
            seconds -= _NAP
            meanwhile()


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The server's clock (Date)."""
    try:
        at = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _trouble(answer: Answer, max_bytes: int) -> SourceError:
    """What is wrong with an answer that is neither ready nor under way. Raises what waiting cannot help."""
    said = f"{STATUS}: answered {answer.status}{shown_outcome(answer, max_bytes)}"
    if answer.status in (404, 410):
        raise Gone(f"{said}: the EHR no longer knows this export. Sync again.")
    if answer.status in retry.RETRIED or answer.status >= 500:
        return SourceError(f"{said}, {MOST_TROUBLES} times in a row. Sync again later, or ask the EHR's support.")
    if answer.status in (401, 403):
        error = SourceError if answer.status == 401 else Refused
        raise error(f"{said}. Check that this client may read exports.")
    raise Refused(f"{said}, so the export failed. Ask the EHR's support.")


def _pause(headers: Mapping[str, str], looks: int, now: datetime) -> float:
    """Seconds until the next look: what the EHR asks for within reason, else ever longer, up to a minute."""
    return max(1.0, retry.wait(min(looks, 9), headers, now=now))


def _show(progress: Progress, headers: Mapping[str, str], waited: Callable[[], float]) -> None:
    """Tells how far the EHR is. X-Progress is free text: only a percentage in it is believed, and shown."""
    percent = _PERCENT.search(headers.get("X-Progress", "")[:200])
    if percent and int(percent[1]) <= 100:
        progress("export, % ready", int(percent[1]), 100)
    else:
        progress(_WAITING, int(waited()), None)
