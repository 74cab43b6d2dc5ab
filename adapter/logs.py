"""Logs that cannot carry health information: only known events, known keys, and values from closed lists.

One line per event on stderr, as JSON or for reading. What is not listed here is dropped and counted (``dropped``), so a
careless call loses its detail instead of leaking it. What a human needs to know beyond this is in the store, as
findings and run reports. Messages of libraries are replaced by the library's name: theirs quote addresses.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from adapter.core.reasons import REASONS
from adapter.core.state import AccountStatus, EffectKind, EffectState, GrantState, WidgetState


class Event(StrEnum):
    """Everything the adapter logs; the names are the whole text of the log."""

    SERVICE_STARTED = "service-started"
    SERVICE_STOPPING = "service-stopping"
    SERVICE_STOPPED = "service-stopped"
    JOB_FINISHED = "job-finished"
    JOB_FAILED = "job-failed"
    RUN_STARTED = "run-started"
    RUN_FINISHED = "run-finished"
    RECORD_QUARANTINED = "record-quarantined"
    DECISION_FAILED = "decision-failed"
    SOURCE_RETRIED = "source-retried"
    EFFECT_DELIVERED = "effect-delivered"
    EFFECT_FAILED = "effect-failed"
    RELEASED = "released"
    WIDGET_CHANGED = "widget-changed"
    WEB_STARTED = "web-started"
    WEB_FAILED = "web-failed"
    PUSH_REFUSED = "push-refused"
    PUSH_GIVEN_UP = "push-given-up"
    PING_FAILED = "ping-failed"
    VENDOR_ADMITTED = "vendor-admitted"
    VENDOR_REFUSED = "vendor-refused"
    VENDOR_READ = "vendor-read"
    MIGRATED = "migrated"
    LIBRARY = "library"
    UNLISTED = "unlisted"


RUN_WORDS = frozenset(
    {"full", "incremental", "person", "review", "running", "complete", "incomplete", "failed", "held"}
)
STATES = (AccountStatus, GrantState, EffectState, WidgetState)
RESOURCE_TYPES = frozenset({"Bundle", "CapabilityStatement", "Group", "OperationOutcome", "Patient", "RelatedPerson"})
JOBS = frozenset({"sync", "reconcile", "deliver", "widgets", "review", "compare", "push"})
LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_LOGGER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*){0,6}")

Check = Callable[[Any], bool]
"""Whether a value may be logged under its key."""


def _one_of(words: Iterable[str]) -> Check:
    known = frozenset(str(word) for word in words)
    return lambda value: isinstance(value, str) and value in known


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**12


def _logger_name(value: Any) -> bool:
    """Names of loggers are written in source code; one made of data would not look like a module."""
    return isinstance(value, str) and len(value) <= 80 and _LOGGER_NAME.fullmatch(value) is not None


NUMBERS = ("run", "count", "seconds", "attempts", "http_status", "page", "read", "changed", "held", "quarantined")
KEYS: dict[str, Check] = {
    **dict.fromkeys(NUMBERS, _number),
    "job": _one_of(JOBS),
    "kind": _one_of(RUN_WORDS.union(*STATES, EffectKind)),
    "status": _one_of(RUN_WORDS.union(*STATES)),
    "resource_type": _one_of(RESOURCE_TYPES),
    "code": _one_of(REASONS),
}


def configure_logs(
    *, practices: Iterable[str] = (), console: bool = False, level: str = "info", stream: TextIO | None = None
) -> None:
    """Sends every log line, the libraries' too, to ``stream`` (stderr).

    ``practices`` are the practice ids of config.toml: the only values that may stand under ``practice``.
    ``console`` writes for reading instead of JSON. Calling it again replaces what was configured before.
    """
    keys = KEYS | {"practice": _one_of(practices)}
    stamp: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[_only_allowed(keys), *stamp, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[_library_name_only, *stamp],
            processors=[ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("adapter").setLevel(level.upper())
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a broken message of a library must not be printed with its arguments
    for name in list(logging.root.manager.loggerDict):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True


def get_logger() -> structlog.stdlib.BoundLogger:
    """The adapter's logger: ``log.info(Event.RUN_FINISHED, practice=..., run=..., seconds=...)``.

    ``error=`` takes an exception and logs its class. Works before ``configure_logs`` too, with its defaults.
    """
    if not structlog.is_configured():
        configure_logs()
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("adapter")
    return logger


def _only_allowed(keys: dict[str, Check]) -> Processor:
    """The gate: known event, known keys, values that pass their check; everything else is counted."""

    def gate(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
        event = fields.pop("event", None)
        known = isinstance(event, str) and event in frozenset(Event)
        kept: EventDict = {"event": str(event) if known else str(Event.UNLISTED)}
        dropped = 0 if known else 1
        for key, value in fields.items():
            if key == "error" and isinstance(value, BaseException):
                kept["error"] = type(value).__name__
            elif key in keys and keys[key](value):
                kept[key] = value if _number(value) else str(value)
            else:
                dropped += 1
        if dropped:
            kept["dropped"] = dropped
        return kept

    return gate


def _library_name_only(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """A library's record without its words: who said something, and how loud."""
    record: logging.LogRecord = fields["_record"]
    name = record.name if _logger_name(record.name) else "other"
    return {"event": str(Event.LIBRARY), "logger": name, "_record": record, "_from_structlog": False}
