"""``adapter run`` as a process: syncs and delivers on schedule, keeps practices apart, stops cleanly."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapter.sandbox.charts import Resource
from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, opens, practice
from tests.hostile.proxy import Reply, faulty

EVERY_SECOND = '[[job]]\nname = "sync"\nevery = "1 second"\n[[job]]\nname = "deliver"\nevery = "1 second"\n'
FILES = 'kind = "files"\npath = "ehr"'
AT_ONCE = "hold_first_welcome = false"
STOPS_WITHIN = 5.0


@dataclass
class Service:
    """The running service, and what it wrote to stderr so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def count(self, event: str, **values: str) -> int:
        return sum(1 for one in self.events() if one["event"] == event and values.items() <= one.items())

    def wait(self, true: Callable[[], bool], seconds: float = 30) -> None:
        limit = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None and time.monotonic() < limit, "".join(self.lines[-9:])
            time.sleep(0.05)

    def stop(self) -> float:
        """Asks it to stop; how many seconds it took. The exit code must be 0."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, "".join(self.lines[-9:])
        return time.monotonic() - began


@contextmanager
def serving(adapter: Adapter) -> Iterator[Service]:
    """Runs the service until the block ends."""
    (adapter.folder / "schedules").mkdir(exist_ok=True)
    (adapter.folder / "schedules" / "fast.toml").write_text(EVERY_SECOND)
    if "[web]" not in adapter.config.read_text():
        adapter.config.write_text("[web]\nport = 0\n" + adapter.config.read_text())
    with adapter.start("run") as process:
        service = Service(process)
        assert process.stderr
        reader = threading.Thread(target=lambda: service.lines.extend(process.stderr or []), daemon=True)
        reader.start()
        try:
            yield service
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            reader.join(10)


def _sent(adapter: Adapter) -> int:
    return sum(account["welcome"]["status"] == "sent" for account in adapter.accounts())


def test_it_syncs_delivers_sees_an_edit_and_stops_cleanly_without_a_name_in_its_log(
    adapter: Adapter, families: list[Resource]
) -> None:
    adapter.config.write_text(practice("main-street", FILES, policy=AT_ONCE, keys='schedule = "fast"'))
    adapter.export(families)
    with serving(adapter) as service:
        service.wait(lambda: service.count("job-finished", job="sync") > 0)
        expected = sum("active" in opens(account).values() for account in adapter.accounts())
        assert expected > 10
        service.wait(lambda: _sent(adapter) >= expected)
        withdrawn = [one for one in families if one["id"] != "lindgren-elsa-father"]
        adapter.export(withdrawn)
        service.wait(lambda: opens(adapter.account("mats.lindgren@post.example")) != {"lindgren-elsa": "active"})
        assert service.stop() < STOPS_WITHIN
    assert opens(adapter.account("mats.lindgren@post.example")) == {"lindgren-elsa": "ended contact-gone"}
    assert "failed" not in {run["status"] for run in adapter.json("runs")}
    log = "".join(service.lines)
    assert "service-stopped" in log and service.count("job-failed") == 0
    for secret in _secrets(families):
        assert secret not in log, "a name, address, birth date or token is in the log"


def test_a_practice_whose_ehr_hangs_does_not_hold_up_the_others(adapter: Adapter, families: list[Resource]) -> None:
    answer = threading.Event()

    def hang(_address: str, _good: Reply) -> Reply:
        answer.wait(60)
        return Reply(404, b"")

    with SandboxEhr() as sandbox, faulty(sandbox) as slow:
        slow.spoil = hang
        adapter.config.write_text(
            practice("main-street", FILES, policy=AT_ONCE, keys='schedule = "fast"')
            + practice("hillside", f'kind = "fhir"\nbase_url = "{slow.base_url}"', keys='schedule = "fast"')
        )
        adapter.export(families[:4])
        with serving(adapter) as service:
            service.wait(lambda: bool(slow.asked))
            service.wait(lambda: service.count("job-finished", job="sync", practice="main-street") >= 2)
            service.wait(lambda: len(adapter.mails()) == 1)
            assert service.count("run-finished", practice="hillside") == 0
            answer.set()
            service.wait(lambda: service.count("run-finished", practice="hillside", status="incomplete") > 0)
            assert service.stop() < STOPS_WITHIN


def test_faults_show_before_anything_runs(adapter: Adapter) -> None:
    adapter.config.write_text(practice("main-street", FILES, keys='schedule = "nope"'))
    done = adapter.process("run")
    assert done.returncode == 2 and "nope" in done.stderr and done.stdout == ""


def _secrets(families: list[Resource]) -> set[str]:
    """Every name, address and birth date of the families."""
    found = set()
    for one in families:
        found.add(one.get("birthDate", one["name"][0]["family"]))
        found.update(part for name in one["name"] for part in (name["family"], *name["given"]))
        found.update(point["value"] for point in one.get("telecom", ()))
    return found
