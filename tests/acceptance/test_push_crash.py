"""Ten thousand notifications at once, and the service killed in the midst: what was answered 200 is still known."""

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from adapter.store.engine import make_engine, read
from adapter.store.nudges import MOST
from adapter.store.tables import nudge
from tests.acceptance.adapter_cli import Adapter, practice
from tests.acceptance.push_site import HERE, free_port, push_tables, quiet_service

NOTIFICATIONS, SENDERS, CHARTS = 10_000, 16, 900
assert CHARTS < MOST  # each chart keeps a row of its own, so that a lost one would show


class Senders:
    """Sends all notifications as fast as it goes; remembers which charts were answered 200."""

    def __init__(self, port: int, secret: str) -> None:
        self.port, self.headers = port, {"Authorization": f"Bearer {secret}"}
        self.kept: set[str] = set()
        self.answers = 0
        self.refused = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._send, range(SENDERS)))

    def _send(self, first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            for number in range(first, NOTIFICATIONS, SENDERS):
                ref = f"Patient/p{number % CHARTS}"
                connection.request("PUT", f"/notify/{HERE}/{ref}", headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                with self._lock:
                    self.answers += 1
                    if answer.status == 200:
                        self.kept.add(ref)
                    else:
                        self.refused += 1
        except (OSError, http.client.HTTPException):
            pass  # the service was killed
        finally:
            connection.close()


def _site(tmp_path: Path) -> tuple[Adapter, int]:
    """An installation whose EHR is away, so that nothing is worked off."""
    adapter, port = Adapter(tmp_path / "site"), free_port()
    (adapter.folder / "schedules").mkdir()
    (adapter.folder / "schedules/quiet.toml").write_text('[[job]]\nname = "review"\nat = "00:10"\n')
    away = f'kind = "fhir"\nbase_url = "http://127.0.0.1:{free_port()}/fhir"'
    table = practice(HERE, away, keys='schedule = "quiet"', more=push_tables("https://a.example"))
    adapter.config.write_text(f"[web]\nport = {port}\n{table}")
    return adapter, port


def _rows(adapter: Adapter) -> set[str]:
    engine = make_engine(f"sqlite:///{adapter.folder}/var/adapter.db")
    with read(engine) as connection:
        found = set(connection.scalars(sa.select(nudge.c.ref)))
    engine.dispose()
    return found


def test_nothing_that_was_answered_is_lost_by_a_kill(tmp_path: Path) -> None:
    adapter, port = _site(tmp_path)
    with quiet_service(adapter) as service:
        senders = Senders(port, (adapter.folder / "var/push").read_text().strip())
        sending = threading.Thread(target=senders.run)
        sending.start()
        service.wait(lambda: senders.answers > NOTIFICATIONS // 20)
        service.process.kill()
        sending.join(60)
    assert len(senders.kept) > 100
    assert senders.kept <= _rows(adapter)


def test_ten_thousand_are_all_answered_and_coalesced(tmp_path: Path) -> None:
    adapter, port = _site(tmp_path)
    with quiet_service(adapter) as service:
        senders = Senders(port, (adapter.folder / "var/push").read_text().strip())
        began = time.monotonic()
        senders.run()
        print(f"{NOTIFICATIONS} notifications in {time.monotonic() - began:.1f} s, {senders.refused} refused")
        assert (senders.answers, senders.refused) == (NOTIFICATIONS, 0)
        assert _rows(adapter) == senders.kept and len(senders.kept) == CHARTS
        assert service.count("push-given-up") == 0
