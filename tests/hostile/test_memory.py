"""A body of a megabyte that unpacks to a gigabyte takes little memory, wherever it comes."""

import subprocess
import sys

import pytest

from tests.edges.ehr.families import families
from tests.edges.ehr.scripted import Reply, ScriptedEhr
from tests.hostile.bomb import MEGABYTE, gzip_bomb

MOST = 256


@pytest.mark.parametrize("status", [200, 302, 404, 503])
@pytest.mark.parametrize("path", ["Patient", "metadata"])
def test_a_gigabyte_in_a_megabyte_takes_at_most_256_megabytes(path: str, status: int) -> None:
    packed = gzip_bomb()
    assert len(packed) < 1.3 * MEGABYTE

    def bomb(reply: Reply) -> None:
        reply.status, reply.body = status, packed
        reply.headers = {"Content-Encoding": "gzip", "Location": "Patient"}

    with ScriptedEhr(families(6)) as ehr:
        ehr.fault(path, bomb)
        ehr.fault("Patient/p1", bomb)
        command = [sys.executable, "-m", "tests.hostile.bomb", ehr.base_url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "is larger than 64 MB" in done.stdout and "complete: False" in done.stdout
    assert int(done.stdout.split(" MB")[0]) <= MOST, done.stdout
