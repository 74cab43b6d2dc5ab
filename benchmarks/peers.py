"""The hostile EHR of the tests against what one would use instead: ``python -m benchmarks.peers``.

Prints a table, fault by fault: who loses rows without a word, who tells, who sends the token elsewhere, who never ends.
``--write`` keeps it in benchmarks/peers.md, from where ``make docs`` takes it. The peers live in an environment of
their own (``--python``, else one is made in var/peers from peers-constraints.txt).
"""

import argparse
import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from adapter.ehr import ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.bearer import Bearer
from tests.edges.ehr.scripted import ScriptedEhr
from tests.hostile.fault import Fault
from tests.hostile.faults import FAULTS, GROUPS
from tests.hostile.population import PAGE_SIZE
from tests.hostile.rows import ROWS
from tests.hostile.site import changed_ehr, spoil

HERE = Path(__file__).parent
TARGET = HERE / "peers.md"
CONSTRAINTS = HERE / "peers-constraints.txt"
NAMES = ("fhirpy", "fhirclient", "smart-fetch")
PATIENTS = 12
TOKEN = "canary-token"
PATIENCE = 20
"""Seconds after which a peer that was given a small broken answer counts as one that does not end."""
ALL, TOLD, LOST, LEAK, HANG = "all rows", "told", "**lost", "**token sent elsewhere**", "no end in 20 s"
SPOILED_CONTACTS = [fault for fault in ROWS if fault.name.startswith(("contact", "key", "unknown"))]
"""Faults of contacts, which the peers are not asked for."""

INTRODUCTION = """## The same faults met by other FHIR clients

Each reads all Patients of the hostile EHR of the tests, with a bearer token; the fault is on the middle page of three.
"Told" is any error that a caller can see, "lost" means that rows are missing and nobody said so. smart-fetch is run by
its own command; "no end in 20 s" includes the time that a client waits before it tries again. Printed by
`python -m benchmarks.peers` on {day}, with {versions}.

{summary}

| The EHR … | adapter | {names} |
|---|---|{bars}|
{rows}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--python", type=Path, help="a Python that has the peers")
    parser.add_argument("--write", action="store_true", help="keep the table for docs/ehr-faults.md")
    parser.add_argument("--only", help="only faults whose name has this in it")
    options = parser.parse_args()
    python = options.python or environment(Path("var/peers"))
    faults = [fault for fault in FAULTS if fault not in SPOILED_CONTACTS and (options.only or "") in fault.name]
    with ThreadPoolExecutor(3) as pool:
        found = dict(
            zip((f.name for f in faults), pool.map(lambda fault: compared(python, fault), faults), strict=True)
        )
    text = table(faults, found)
    print(text)
    if options.write:
        TARGET.write_text(text, encoding="utf-8")


def environment(folder: Path) -> Path:
    """The Python of an environment with the peers; made on first use."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", CONSTRAINTS], check=True)
    return python


def compared(python: Path, fault: Fault) -> dict[str, str]:
    """What the adapter and each peer make of one fault."""
    cells = {"adapter": own(fault)} | {name: peer(python, name, fault) for name in NAMES}
    print(f"{fault.name}: {cells}", file=sys.stderr, flush=True)
    return cells


def own(fault: Fault) -> str:
    with changed_ehr() as ehr, ScriptedEhr() as elsewhere:
        spoil(ehr, elsewhere.base_url, fault, _place(fault))
        result = ReadResult(full=True)
        reader = FhirReader(
            ehr.base_url,
            authorization=Bearer(SecretStr(TOKEN)),
            page_size=PAGE_SIZE,
            timeout_seconds=1,
            max_body_megabytes=1,
            sleep=lambda seconds: None,
        )
        rows = list(reader.read(result, marks={}, progress=lambda *_: None))
        kept = [row.resource for row in rows if isinstance(row, Record)]
        ids = [row["id"] for row in kept if row["resourceType"] == "Patient"]
        return cell(ids, "told" if result.problems else "", elsewhere)


def peer(python: Path, name: str, fault: Fault) -> str:
    with changed_ehr() as ehr, ScriptedEhr() as elsewhere:
        ehr.default_count = PAGE_SIZE
        spoil(ehr, elsewhere.base_url, fault, _place(fault))
        command: list[str | Path] = [python, "-P", HERE / "peers_download.py", name, ehr.base_url, TOKEN]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return LEAK if _leaked(elsewhere) else HANG
        try:
            answer = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            return "crash"
        return cell(answer["rows"], answer["told"], elsewhere)


def cell(ids: Sequence[str], told: str, elsewhere: ScriptedEhr) -> str:
    """One cell of the table: the gravest that happened."""
    if _leaked(elsewhere):
        return LEAK
    if elsewhere.requests:
        return "asked elsewhere"
    if told:
        return TOLD if told == "told" else f"{TOLD} ({told})"
    missing = PATIENTS - len({one for one in ids if one.startswith("p")})
    return f"{LOST} {missing} of {PATIENTS}**" if missing else ALL


def _leaked(elsewhere: ScriptedEhr) -> bool:
    return any(token and TOKEN in token for token in elsewhere.tokens)


def _place(fault: Fault) -> str:
    return "middle" if "middle" in fault.pages else fault.pages[-1]


def table(faults: list[Fault], found: dict[str, dict[str, str]]) -> str:
    rows = [
        f"| {fault.does} | " + " | ".join(found[fault.name][name] for name in ("adapter", *NAMES)) + " |"
        for group in GROUPS.values()
        for fault in group
        if fault in faults
    ]
    return INTRODUCTION.format(
        day=datetime.now(UTC).date(),
        versions=", ".join(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith(NAMES)),
        summary="\n".join(
            f"- {name}: {_summary([one[name] for one in found.values()])}" for name in ("adapter", *NAMES)
        ),
        names=" | ".join(NAMES),
        bars="|".join("---" for _ in NAMES),
        rows="\n".join(rows),
    )


def _summary(cells: list[str]) -> str:
    counted = {
        "read everything": sum(one == ALL for one in cells),
        "told": sum(one.startswith(TOLD) for one in cells),
        "lost rows silently": sum(one.startswith(LOST) for one in cells),
        "sent the token elsewhere": cells.count(LEAK),
        "asked elsewhere": cells.count("asked elsewhere"),
        "did not end": cells.count(HANG),
        "crashed": cells.count("crash"),
    }
    return ", ".join(f"{what} {count}" for what, count in counted.items() if count)


if __name__ == "__main__":
    main()
