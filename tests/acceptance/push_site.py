"""What the tests of push share: the tables of config.toml, a port, the service without any other work."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.adapter_cli import Adapter
from tests.acceptance.test_service import Service

HERE = "main-street"


def push_tables(public_url: str, *, payload: str = "full") -> str:
    """The table of a practice whose EHR pushes; its secret will be in var/push."""
    return f'[practice.push]\nsecret_file = "var/push"\npublic_url = "{public_url}"\npayload = "{payload}"\n'


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def quiet_service(adapter: Adapter) -> Iterator[Service]:
    """Runs the service as it is configured until the block ends; it is listening when the block begins."""
    with adapter.start("run") as process:
        service = Service(process)
        reader = threading.Thread(target=lambda: service.lines.extend(process.stderr or []), daemon=True)
        reader.start()
        try:
            service.wait(lambda: service.count("service-started") == 1)
            yield service
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            reader.join(10)
