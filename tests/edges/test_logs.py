"""Logs: nothing that names a family gets through, whatever a caller or a library tries to say."""

import io
import json
import logging
import warnings
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.core.state import EffectKind, EffectState
from adapter.logs import Event, configure_logs, get_logger

CANARY = "quillfeather"


def _read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_known_event_with_known_values_is_one_json_line(log_lines: io.StringIO) -> None:
    get_logger().info(
        Event.EFFECT_DELIVERED, practice="main-street", kind=EffectKind.WELCOME, status=EffectState.SENT, seconds=0.25
    )
    (line,) = _read(log_lines)
    assert datetime.fromisoformat(line.pop("at")).tzinfo is not None
    assert line == {
        "event": "effect-delivered",
        "level": "info",
        "practice": "main-street",
        "kind": "welcome",
        "status": "sent",
        "seconds": 0.25,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"email": f"{CANARY}@example.org"},
        {"name": CANARY},
        {"patient": f"Patient/{CANARY}"},
        {"practice": CANARY},
        {"status": CANARY},
        {"kind": CANARY},
        {"code": CANARY},
        {"job": CANARY},
        {"resource_type": CANARY},
        {"count": f"7 {CANARY}"},
        {"seconds": [CANARY]},
        {"error": f"cannot parse {CANARY}"},
        {"exc_info": ValueError(CANARY)},
        {"level": CANARY},
        {"at": CANARY},
    ],
)
def test_what_is_not_listed_is_dropped_and_counted(log_lines: io.StringIO, fields: dict[str, Any]) -> None:
    get_logger().info(Event.RUN_FINISHED, run=7, **fields)
    (line,) = _read(log_lines)
    assert CANARY not in log_lines.getvalue()
    assert (line["event"], line["run"], line["dropped"]) == ("run-finished", 7, 1)


def test_an_unlisted_event_says_nothing_of_what_it_was(log_lines: io.StringIO) -> None:
    get_logger().warning(f"could not invite {CANARY}")
    (line,) = _read(log_lines)
    assert (line["event"], line["dropped"]) == ("unlisted", 1)
    assert CANARY not in log_lines.getvalue()


def test_an_exception_is_logged_by_its_class(log_lines: io.StringIO) -> None:
    get_logger().error(Event.JOB_FAILED, error=ValueError(CANARY))
    assert _read(log_lines)[0]["error"] == "ValueError"
    assert CANARY not in log_lines.getvalue()


def test_an_exception_logged_with_its_trace_leaves_no_trace(log_lines: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        get_logger().exception(Event.JOB_FAILED)
    assert [line["event"] for line in _read(log_lines)] == ["job-failed"]
    assert CANARY not in log_lines.getvalue()


@pytest.mark.parametrize(
    "name", ["requests", "urllib3.connectionpool", "sqlalchemy.engine", "apscheduler.executors", "uvicorn.error"]
)
def test_a_library_is_heard_but_not_quoted(log_lines: io.StringIO, name: str) -> None:
    library = logging.getLogger(name)
    try:
        raise OSError(CANARY)
    except OSError:
        library.exception("failed for %s", f"https://ehr.example/RelatedPerson?name={CANARY}")
    library.info("%s", CANARY)
    (line,) = _read(log_lines)
    assert (line["event"], line["logger"], line["level"]) == ("library", name, "error")
    assert CANARY not in log_lines.getvalue()


def test_a_library_with_a_handler_of_its_own_does_not_get_round(
    log_lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    library = logging.getLogger("some.library")
    library.addHandler(logging.StreamHandler())
    library.propagate = False
    configure_logs(stream=log_lines)
    library.warning(CANARY)
    assert [line["logger"] for line in _read(log_lines)] == ["some.library"]
    assert CANARY not in capsys.readouterr().err + log_lines.getvalue()


def test_a_warning_and_a_broken_message_are_not_quoted(
    log_lines: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(CANARY, stacklevel=1)
    logging.getLogger("urllib3").warning("%d pages", CANARY)
    assert CANARY not in log_lines.getvalue() + capsys.readouterr().err


def test_the_console_form_passes_the_same_gate(log_lines: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logs(console=True, stream=stream)
    get_logger().info(Event.RUN_FINISHED, run=7, name=CANARY)
    assert "run-finished" in stream.getvalue()
    assert "run=7" in stream.getvalue()
    assert CANARY not in stream.getvalue()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=12),
    value=st.sampled_from([CANARY, CANARY.encode(), [CANARY], {CANARY: CANARY}, (CANARY,), ValueError(CANARY)]),
)
def test_no_key_and_no_type_carries_a_name(log_lines: io.StringIO, key: str, value: Any) -> None:
    get_logger().bind(**{key: value}).info(Event.RUN_STARTED)
    assert CANARY not in log_lines.getvalue()
