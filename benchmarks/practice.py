"""A practice to measure: an EHR's export of so many families, and the configuration that reads it.

``python -m benchmarks.practice FOLDER FAMILIES`` writes it and prints how many resources of each type there are.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from adapter.sandbox.families import population, write_ndjson

CHILDREN_PER_FAMILY = 1.6
SQLITE = "sqlite:///var/adapter.db"
CONFIG = f"""\
[store]
url = "{SQLITE}"
key_file = "var/adapter.key"
[mail]
kind = "folder"
path = "var/mail"
[[practice]]
id = "bench"
name = "Bench"
time_zone = "America/New_York"
[practice.ehr]
kind = "files"
path = "../ehr/"
[practice.portal]
kind = "embedded"
registration_url = "https://portal.example/register"
"""


def write_config(folder: Path, database: str = SQLITE) -> Path:
    """A new, empty practice in ``folder`` that reads the export beside it; returns the configuration's path."""
    folder.mkdir(parents=True)
    config = folder / "config.toml"
    config.write_text(CONFIG.replace(SQLITE, database), encoding="utf-8")
    return config


def main(arguments: Sequence[str]) -> None:
    folder, families = Path(arguments[0]), int(arguments[1])
    counts = write_ndjson(folder / "ehr", population(families, today=datetime.now(UTC).date()))
    print(orjson.dumps(counts).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
