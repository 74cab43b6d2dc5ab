"""Puts the bulk strategy together from the settings of one practice."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.bulk.export import BulkExport
from adapter.ehr.fhir.bulk.job import Jobs
from adapter.ehr.fhir.bulk.notes import FileNotes
from adapter.ehr.fhir.bulk.strategy import Bulk
from adapter.ehr.fhir.bulk.transport import Transport
from adapter.http.urls import Base, Guard
from adapter.http.wire import make_session

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def make_bulk(
    base_url: str,
    *,
    authorization: Authorization,
    group: str = "",
    bulk_hosts: Iterable[str] = (),
    bulk_hosts_get_token: bool = False,
    bulk_hours: float = 6,
    alone: bool = False,
    notes: Path | None = None,
    untouched: Callable[[datetime], bool] = lambda began: False,
    concurrency: int = 4,
    timeout_seconds: float = 30,
    overlap_minutes: int = 10,
    max_body_megabytes: int = 64,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> Bulk:
    """The strategy; parameters as in ``[practice.ehr]``. ``notes`` is the file that remembers an export under way.

    Raises ValueError for a base_url or a host that is none.
    """
    base = Base.parse(base_url)
    origin = Base(base.scheme, base.host, base.port, "")
    guard = Guard(base, (origin, *_places(bulk_hosts)), bulk_hosts_get_token)

    def transport(session: requests.Session) -> Transport:
        max_body = max_body_megabytes * 1024 * 1024
        return Transport(
            guard, authorization=authorization, session=session, timeout=timeout_seconds, max_body=max_body
        )

    bulk = BulkExport(
        jobs=Jobs(transport(make_session(1)), hours=bulk_hours, sleep=sleep, clock=clock),
        files=transport(_session(concurrency)),
        parallel=concurrency,
        overlap=timedelta(minutes=overlap_minutes),
        clock=clock,
        notes=FileNotes(notes) if notes else None,
        untouched=untouched,
    )
    return Bulk(bulk, group, alone)


def _places(hosts: Iterable[str]) -> Iterable[Base]:
    """What ``bulk_hosts`` lists: https, and plain http on this machine only."""
    for host in hosts:
        place = Base.parse(f"https://{host}")
        yield place
        if place.host in _LOOPBACK:
            yield Base.parse(f"http://{host}")


def _session(concurrency: int) -> requests.Session:
    """Without a last moment for each answer: a file may take long. Who waits for files has a last moment instead."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=concurrency, max_retries=0))
    return session
