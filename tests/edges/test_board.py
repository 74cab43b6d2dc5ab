"""How far a run is, seen from another process: fresh, at most once a second, and never in the way of the run."""

from pathlib import Path

import pytest

from adapter.jobs.board import Board, Step


class Time:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_another_process_sees_how_far_a_run_is(tmp_path: Path) -> None:
    report = Board(tmp_path / "progress").of("main-street")
    report("charts", 10, 40)
    other = Board(tmp_path / "progress")
    assert other.now("main-street") == Step("charts", 10, 40)
    assert other.now("high-street") is None


def test_the_latest_report_counts_whoever_made_it(tmp_path: Path) -> None:
    here, there = Board(tmp_path), Board(tmp_path)
    here.of("main-street")("charts", 10, 40)
    here.of("main-street")("charts", 20, 40)
    assert (here.now("main-street"), there.now("main-street")) == (Step("charts", 20, 40), Step("charts", 10, 40))
    there.of("main-street")("records", 1, None)
    assert here.now("main-street") == Step("records", 1, None)


def test_it_is_written_at_most_once_a_second(tmp_path: Path) -> None:
    clock = Time()
    board = Board(tmp_path, clock=clock)
    report = board.of("main-street")
    report("charts", 10, 40)
    assert board.now("main-street") == Step("charts", 10, 40)
    (file,) = tmp_path.glob("*.json")
    before = file.read_bytes()
    report("charts", 11, 40)
    assert file.read_bytes() == before and board.now("main-street") == Step("charts", 11, 40)
    clock.now += 1
    report("charts", 12, 40)
    assert file.read_bytes() != before


def test_what_a_killed_run_left_is_not_shown_for_long(tmp_path: Path) -> None:
    Board(tmp_path).of("main-street")("charts", 10, 40)
    clock = Time()
    clock.now = next(tmp_path.glob("*.json")).stat().st_mtime + 31
    assert Board(tmp_path, clock=clock).now("main-street") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1,2,3]", b'["charts", "x", 1]'])
def test_a_damaged_file_is_nothing(tmp_path: Path, content: bytes) -> None:
    Board(tmp_path).of("main-street")("charts", 10, 40)
    next(tmp_path.glob("*.json")).write_bytes(content)
    assert Board(tmp_path).now("main-street") is None


def test_a_folder_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "progress").write_text("a file")
    board = Board(tmp_path / "progress")
    board.of("main-street")("charts", 1, None)
    assert board.now("main-street") == Step("charts", 1, None)
