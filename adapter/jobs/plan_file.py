"""A plan in a file: made anew and for its owner alone, and believed only when it is whole and as it was written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from adapter.errors import FatalError
from adapter.jobs.frozen import Frozen
from adapter.jobs.new_file import new_file

FORMAT = 1
WHAT = (
    "A plan of fhir-portal-adapter. It holds data of patients and parents: keep it as you keep a chart, and delete it "
    "when it is applied. `adapter apply` refuses it when a single character was changed."
)
LARGEST = 1 << 30
AGAIN = "Make a new one: adapter plan --out FILE"
_encode = msgspec.json.Encoder(order="deterministic").encode


def write_plan(path: Path, document: Mapping[str, Any], frozen: Frozen) -> None:
    """Writes what ``adapter plan --json`` prints, with what applying it needs. Mode 0600.

    Raises FatalError when the file exists already or cannot be written.
    """
    whole = {"what": WHAT, "format": FORMAT, **document, "exact": msgspec.to_builtins(frozen)}
    with new_file(path) as draft:
        draft.write_bytes(msgspec.json.format(_encode(whole | {"digest": _digest(whole)}), indent=1) + b"\n")


def read_plan(path: Path) -> Frozen:
    """The plan in a file. Raises FatalError when it is not one, or not as it was written."""
    try:
        if path.stat().st_size > LARGEST:
            raise FatalError(f"{path} is too large to be a plan.")
        whole = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise FatalError(f"{path} cannot be read ({error.strerror}). Make one: adapter plan --out FILE") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FatalError(f"{path} is damaged. {AGAIN}") from None
    if not isinstance(whole, dict) or "exact" not in whole or "digest" not in whole:
        raise FatalError(f"{path} is not a plan. Make one: adapter plan --out FILE")
    if whole.get("format") != FORMAT:
        raise FatalError(f"{path} is of another version of the adapter. {AGAIN}")
    said = whole.pop("digest")
    if said != _digest(whole):
        raise FatalError(
            f"{path} was changed after it was written, or is damaged. Make a new one: adapter plan --out FILE"
        )
    try:
        return msgspec.convert(whole["exact"], Frozen)
    except msgspec.ValidationError:
        raise FatalError(
            f"{path} is of another version of the adapter. Make a new one: adapter plan --out FILE"
        ) from None


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_encode(document)).hexdigest()
