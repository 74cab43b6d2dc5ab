"""Schedule files: the one that comes with the adapter, and every way to get one wrong, all told at once."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.schedule_files import Entry, JobName, load_schedule, schedule_folders


def _write(folder: Path, text: str, name: str = "clinic") -> Path:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_default_schedule_does_every_job(tmp_path: Path) -> None:
    schedule = load_schedule("default", schedule_folders(tmp_path))
    assert schedule.time_zone is None
    assert schedule.entries == (
        Entry(job=JobName.SYNC, every=timedelta(minutes=10)),
        Entry(job=JobName.RECONCILE, at=time(2, 30)),
        Entry(job=JobName.DELIVER, every=timedelta(minutes=1)),
        Entry(job=JobName.WIDGETS, every=timedelta(minutes=5)),
        Entry(job=JobName.COMPARE, every=timedelta(hours=1)),
        Entry(job=JobName.REVIEW, at=time(0, 10)),
    )


def test_a_schedule_beside_the_configuration_comes_first(tmp_path: Path) -> None:
    (tmp_path / "schedules").mkdir()
    _write(
        tmp_path / "schedules",
        'time_zone = "America/Denver"\n[[job]]\nname = "sync"\nevery = "1 hour"\n',
        name="default",
    )
    schedule = load_schedule("default", schedule_folders(tmp_path))
    assert schedule.time_zone == "America/Denver"
    assert schedule.entries == (Entry(job=JobName.SYNC, every=timedelta(hours=1)),)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = """
    timezone = "UTC"
    time_zone = "Mars/Olympus"
    [[job]]
    name = "sink"
    every = "10 minutes"
    [[job]]
    name = "sync"
    every = "ten minutes"
    [[job]]
    name = "deliver"
    [[job]]
    name = "review"
    at = "24:00"
    often = true
    """
    with pytest.raises(ConfigError) as caught:
        load_schedule("clinic", [_write(tmp_path, text)])
    faults = caught.value.faults
    assert [fault.key for fault in faults] == [
        "timezone",
        "time_zone",
        "job.0.name",
        "job.1.every",
        "job.2",
        "job.3.often",
        "job.3.at",
    ]
    assert {fault.file for fault in faults} == {str(tmp_path / "clinic.toml")}
    assert all(fault.problem and fault.remedy for fault in faults)
    assert "sync, reconcile, deliver, widgets, review, compare, push" in str(caught.value)


@pytest.mark.parametrize(
    ("job", "key"),
    [
        ('name = "sync"\nevery = "10 minutes"\nat = "02:30"', "job.0"),
        ('name = "sync"\nevery = "0 minutes"', "job.0.every"),
        ('name = "sync"\nevery = "25 hours"', "job.0.every"),
        ('name = "sync"\nevery = 10', "job.0.every"),
        ('name = "sync"\nat = 02:30:00', "job.0.at"),
        ('name = "sync"\nat = "2:30"', "job.0.at"),
        ('name = ["sync"]\nat = "02:30"', "job.0.name"),
        ('name = "sync"\nat = "02:30"\n[[job]]\nname = "sync"\nat = "03:30"', "job"),
    ],
)
def test_a_time_that_means_nothing_is_a_fault(tmp_path: Path, job: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_schedule("clinic", [_write(tmp_path, f"[[job]]\n{job}\n")])
    assert [fault.key for fault in caught.value.faults] == [key]


@pytest.mark.parametrize("text", ["", "job = []", 'job = "sync"', 'job = ["sync"]'])
def test_a_file_without_jobs_is_a_fault(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"\[\[job\]\]"):
        load_schedule("clinic", [_write(tmp_path, text)])


def test_broken_toml_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"clinic\.toml: syntax: .*line 2"):
        load_schedule("clinic", [_write(tmp_path, "[[job]]\nname = \n")])


def test_text_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "clinic.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_schedule("clinic", [tmp_path])


def test_a_missing_schedule_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Known schedules: default"):
        load_schedule("nightly", schedule_folders(tmp_path))
    with pytest.raises(ConfigError, match="Put one into"):
        load_schedule("nightly", [tmp_path])
