"""Reading an export takes the memory of its longest lines, not of its files; measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import orjson

from tests.edges.ehr.bulk.server import BulkServer, Reply
from tests.edges.ehr.families import patient

ROOT = Path(__file__).parents[4]
LINES_A_CHUNK = 400
CHUNKS = 250
MOST_MEGABYTES = 100
READ = """
import re, sys
from datetime import UTC, datetime
from adapter.ehr import ReadResult
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.bulk.making import make_bulk
from adapter.ehr.fhir.reader import FhirReader

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024

clock = lambda: datetime.now(UTC)
bulk = make_bulk(sys.argv[1], authorization=NoAuthorization(), alone=True, clock=clock)
reader = FhirReader(sys.argv[1], bulk=bulk, strategy="bulk")
before = peak()
rows = reader.read(result := ReadResult(full=True), marks={}, progress=lambda *told: None)
count = sum(1 for _ in rows)
assert result.complete, result.problems
print(count, peak() - before)
"""


def test_three_hundred_megabytes_are_read_in_less_than_a_hundred() -> None:
    line = orjson.dumps(patient("p1") | {"text": {"status": "generated", "div": "x" * 3000}}) + b"\n"
    chunk = line * LINES_A_CHUNK
    assert len(chunk) * CHUNKS > 300_000_000

    def large(reply: Reply) -> None:
        reply.chunks = (chunk for _ in range(CHUNKS))

    with BulkServer([patient("p1")]) as server:
        server.counts, server.polls = False, 0
        server.fault("Patient", large)
        shown = subprocess.run(
            [sys.executable, "-c", READ, server.base_url], cwd=ROOT, capture_output=True, text=True, timeout=300
        )
    assert shown.returncode == 0, shown.stderr
    count, megabytes = shown.stdout.split()
    assert int(count) == LINES_A_CHUNK * CHUNKS
    print(f"{count} records, {float(megabytes):.0f} MB more")
    assert float(megabytes) < MOST_MEGABYTES
