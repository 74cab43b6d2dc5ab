"""``adapter check --new-key`` and ``--jwks``: the key of a practice that signs in by SMART Backend Services."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import typer

from adapter.cli.base import DONE, print_json, tell

Algorithm = Literal["RS384", "ES384"]


def show_key(context: typer.Context, practice: str | None, *, make: bool, algorithm: Algorithm | None) -> int:
    """Prints the public half as a JWK Set; ``make`` makes the pair first. Raises ConfigError naming what is in the way.

    The rest of the configuration need not be right yet: registering the key comes first.
    """
    from adapter.http.keys import make_key, read_key
    from adapter.settings import config_path, load_settings

    config = config_path(context.obj)
    ehr = _one(load_settings(config).practice, practice, config)
    path = ehr.private_key_file
    if make:
        _agree(config, algorithm, ehr.algorithm)
        # RS384 unless said otherwise: of the two it is the one that more EHRs take.
        key = make_key(path, key_id=ehr.key_id, algorithm=algorithm or ehr.algorithm or "RS384")
        tell(f"Wrote the private key to {path}: keep it to yourself, and in the backup.")
    else:
        key = read_key(path, key_id=ehr.key_id, algorithm=ehr.algorithm)
    tell("Register this public key at the EHR, then run: adapter check")
    print_json(key.jwks())
    return DONE


def _one(practices: Iterable[Any], wanted: str | None, config: Path) -> Any:
    """The EHR settings of the practice that is meant."""
    known = {practice.id: practice.ehr for practice in practices}
    if wanted is not None and wanted not in known:
        remedy = f"The configuration has: {', '.join(known)}."
        raise _fault("command line", "--practice", f'there is no practice "{wanted}".', remedy)
    smart = {
        id: ehr
        for id, ehr in known.items()
        if wanted in (None, id) and getattr(ehr, "auth", "") == "smart" and ehr.private_key_file
    }
    if not smart:
        remedy = 'Set auth = "smart", client_id and private_key_file in [practice.ehr]; see docs/ehr-access.md.'
        raise _fault(str(config), f"practice {wanted}" if wanted else "practice", "signs in without a key.", remedy)
    if len({(ehr.private_key_file, ehr.key_id) for ehr in smart.values()}) > 1:
        raise _fault("command line", "--practice", "is missing.", f"These have a key: {', '.join(smart)}.")
    return next(iter(smart.values()))


def _agree(config: Path, asked: Algorithm | None, configured: Algorithm | None) -> None:
    if asked and configured and asked != configured:
        raise _fault("command line", "--alg", f"is {asked}, but {config} says {configured}.", "Leave one of them out.")


def _fault(file: str, key: str, problem: str, remedy: str) -> Exception:
    from adapter.errors import ConfigError, Fault

    return ConfigError([Fault(file=file, key=key, problem=problem, remedy=remedy)])
