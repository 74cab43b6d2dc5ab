"""What Prometheus reads: the state of the work, taken from the database when it is asked for.

Labels are practice ids of the configuration and words of our own lists; a value of any record is never one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from adapter import __version__
from adapter.bootstrap import App
from adapter.core.brakes import Brake
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.timings import BOUNDS
from adapter.errors import AdapterError
from adapter.store import health, metrics
from adapter.store.engine import read

_READ = ("resources", "patients", "contacts", "quarantined", "changed", "gone")


class Measures(Collector):
    """Asks the database once for each scrape. ``adapter_up`` is 0 when it does not answer; the rest is then missing."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._practices = [practice.id for practice in app.settings.practice]

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        info = GaugeMetricFamily("adapter_build_info", "The version that runs; always 1.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        up = True
        try:
            with read(self._app.engine) as connection:
                families = [
                    *self._runs(connection),
                    *self._outbox(connection),
                    self._findings(connection),
                    self._brakes(connection),
                    self._nudges(connection),
                ]
        except AdapterError:
            up, families = False, []
        yield GaugeMetricFamily("adapter_up", "Whether the database answers.", value=float(up))
        yield from families
        yield self._ehr()

    def _runs(self, connection: sa.Connection) -> Iterator[Metric]:
        runs = CounterMetricFamily("adapter_runs", "Runs so far.", labels=["practice", "kind", "status"])
        for labels, count in metrics.runs(connection, self._practices).items():
            runs.add_metric(labels, count)
        yield runs
        complete = GaugeMetricFamily(
            "adapter_last_complete_run_timestamp_seconds",
            "When the last complete look at the whole practice ended; 0 before the first.",
            labels=["practice"],
        )
        last = health.last_complete(connection, self._practices)
        for practice in self._practices:
            complete.add_metric([practice], _seconds(last.get(practice)))
        yield complete
        ok = GaugeMetricFamily(
            "adapter_last_run_ok", "Whether the last run was complete (held counts).", labels=["practice"]
        )
        took = GaugeMetricFamily("adapter_last_run_seconds", "How long the last run took.", labels=["practice"])
        seen = GaugeMetricFamily("adapter_last_run_read", "What the last run read.", labels=["practice", "what"])
        held = GaugeMetricFamily("adapter_held", "What the last run left to a human.", labels=["practice", "what"])
        for practice, run in metrics.last_runs(connection, self._practices).items():
            ok.add_metric([practice], float(run.status in ("complete", "held")))
            took.add_metric([practice], run.seconds)
            for what in _READ:
                seen.add_metric([practice, what], run.read.get(what, 0))
            for what, count in run.held.items():
                held.add_metric([practice, what], count)
        yield from (ok, took, seen, held)

    def _outbox(self, connection: sa.Connection) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "adapter_outbox", "What waits or needs a human.", labels=["practice", "kind", "state"]
        )
        age = GaugeMetricFamily(
            "adapter_outbox_oldest_timestamp_seconds",
            "Since when the oldest that is to be delivered waits.",
            labels=["practice", "kind"],
        )
        found = metrics.outbox(connection, self._practices)
        for one in found:
            depth.add_metric([one.practice, one.kind, one.state], one.number)
        for (practice, kind), since in metrics.oldest_due(found).items():
            age.add_metric([practice, kind], _seconds(since))
        mail = CounterMetricFamily("adapter_mail_sent", "Mails that have left.", labels=["practice", "kind"])
        for labels, count in metrics.mail_sent(connection, self._practices).items():
            mail.add_metric(labels, count)
        yield from (depth, age, mail)

    def _findings(self, connection: sa.Connection) -> Metric:
        family = GaugeMetricFamily("adapter_findings_open", "Open findings.", labels=["practice", "code", "severity"])
        for labels, count in metrics.findings(connection, self._practices).items():
            family.add_metric(labels, count)
        return family

    def _brakes(self, connection: sa.Connection) -> Metric:
        family = GaugeMetricFamily(
            "adapter_brake_on", "Whether a brake holds a plan for a human.", labels=["practice", "brake"]
        )
        on = metrics.brakes(connection, self._practices)
        for practice in self._practices:
            for brake in Brake:
                family.add_metric([practice, brake], float((practice, brake) in on))
        return family

    def _nudges(self, connection: sa.Connection) -> Metric:
        family = GaugeMetricFamily(
            "adapter_notifications_waiting", "Notifications of the EHR to be worked off.", labels=["practice"]
        )
        waiting = health.nudges_waiting(connection)
        for practice in self._practices:
            family.add_metric([practice], waiting.get(practice, 0))
        return family

    def _ehr(self) -> Metric:
        family = HistogramMetricFamily(
            "adapter_ehr_request_seconds", "How long the EHR took to answer.", labels=["practice", "ended"]
        )
        for name, practice in self._app.practices.items():
            if isinstance(practice.reader, FhirReader):
                for ended, timed in practice.reader.client.timings.told().items():
                    within = [(str(bound), float(count)) for bound, count in zip(BOUNDS, timed.within, strict=True)]
                    family.add_metric([name, ended], [*within, ("+Inf", float(timed.number))], timed.seconds)
        return family


def _seconds(at: datetime | None) -> float:
    return at.astimezone(UTC).timestamp() if at else 0.0
