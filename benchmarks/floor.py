"""The floor: the least that reading an export into a database takes, whatever is decided about it.

Every line is decoded with orjson and put into SQLite by one INSERT per resource, all in one transaction.
``python -m benchmarks.floor EXPORT DATABASE`` prints how many resources there were.
"""

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson


def main(arguments: Sequence[str]) -> None:
    export, database = Path(arguments[0]), arguments[1]
    connection = sqlite3.connect(database)
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE resource (type TEXT, id TEXT, body TEXT, PRIMARY KEY (type, id))")
    count = 0
    connection.execute("BEGIN IMMEDIATE")
    for path in sorted(export.glob("*.ndjson")):
        with path.open("rb") as lines:
            for line in lines:
                resource = orjson.loads(line)
                connection.execute(
                    "INSERT INTO resource VALUES (?, ?, ?)", (resource["resourceType"], resource["id"], line.decode())
                )
                count += 1
    connection.execute("COMMIT")
    connection.close()
    print(count)


if __name__ == "__main__":
    main(sys.argv[1:])
