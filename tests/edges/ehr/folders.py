"""A folder as the tests of the ``files`` reader write and read it."""

from pathlib import Path

import orjson

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.files import FilesReader
from tests.edges.ehr.families import CANARY, Json, quiet


def read(folder: Path) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=False)
    rows = list(FilesReader(folder).read(result, marks={}, progress=quiet))
    assert CANARY not in repr([row for row in rows if isinstance(row, Broken)]) + repr(result)
    return rows, result


def ndjson(resources: list[Json]) -> bytes:
    return b"".join(orjson.dumps(resource) + b"\n" for resource in resources)


def bundle(entries: list[Json], kind: str = "collection") -> bytes:
    return orjson.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})
