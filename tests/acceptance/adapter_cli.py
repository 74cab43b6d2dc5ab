"""Runs the real ``adapter`` command on an installation in a temporary folder: in this process, or as another one."""

import io
import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
import time_machine

from adapter.bootstrap import App, build
from adapter.cli import run
from adapter.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
READ_KINDS = ("patients", "contacts", "repeated", "quarantined", "ignored")
Json = Any
GRACE = "grace.okafor@mail.example"
"""A mother of the story with two children and nothing wrong."""


@dataclass(frozen=True)
class Done:
    """What one command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        """The one JSON document on stdout; fails when there is anything else."""
        return json.loads(self.out)


@dataclass
class Adapter:
    """One installation: a folder with ``config.toml`` and, for a practice that reads files, the folder ``ehr``."""

    folder: Path
    policy: str = ""
    """Further lines of ``[practice.policy]``."""
    more: str = ""
    """Further tables of the practice."""
    ehr: str = 'kind = "files"\npath = "ehr"'

    def __post_init__(self) -> None:
        (self.folder / "ehr").mkdir(parents=True, exist_ok=True)
        self.configure()

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def configure(self, *, policy: str | None = None, ehr: str | None = None, more: str | None = None) -> None:
        """Writes config.toml; what is given here stays for the next time."""
        self.policy = self.policy if policy is None else policy
        self.ehr = self.ehr if ehr is None else ehr
        self.more = self.more if more is None else more
        self.config.write_text(practice("main-street", self.ehr, policy=self.policy, more=self.more))

    def reads_http(self, base_url: str, **keys: int | str) -> None:
        """Has the practice read a FHIR server."""
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        self.configure(ehr="\n".join(['kind = "fhir"', f'base_url = "{base_url}"', *lines]))

    def export(self, resources: Iterable[Json], name: str = "all.ndjson") -> Path:
        """Writes these resources as the EHR's export, one a line; a reader sees the old file or the new one."""
        path = self.folder / "ehr" / name
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_text("".join(json.dumps(resource) + "\n" for resource in resources))
        return unfinished.replace(path)

    def run(self, *arguments: str | Path, typed: str = "", at: datetime | None = None) -> Done:
        """One command in this process; ``typed`` is what somebody answers on stdin, ``at`` the time it is then."""
        return in_process(["--config", str(self.config), *map(str, arguments)], typed=typed, at=at)

    def json(self, *arguments: str, at: datetime | None = None) -> Json:
        """The JSON document of one command that must not fail (0, or 3: something is held)."""
        done = self.run(*arguments, "--json", at=at)
        assert done.code in (0, 3), done.err
        return done.document

    def sync(self, *arguments: str, at: datetime | None = None) -> Json:
        """One sync that must not fail; its report."""
        return self.json("sync", *arguments, at=at)

    def accounts(self) -> Json:
        return self.json("accounts")

    def account(self, email: str) -> Json:
        """The one account with this address."""
        (found,) = self.json("accounts", email)
        return found

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command as a process of its own, in the installation's folder."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def start(self, *arguments: str, shell: str = "") -> subprocess.Popen[str]:
        """Starts one command as a process; ``shell`` is what bash does with its output: ``| head -1``."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ADAPTER_")}
        environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
        command = [sys.executable, "-m", "adapter", *arguments]
        if shell:
            command = ["bash", "-c", f"{shlex.join(command)} {shell}"]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def app(self, at: datetime | None = None) -> App:
        """The assembled application, for what no command shows: the portal, a job of the schedule."""
        return build(load_settings(self.config), self.folder, clock=(lambda: at) if at else None)

    def mails(self) -> list[str]:
        """Every mail that was written so far, in no order."""
        return [path.read_text() for path in (self.folder / "var" / "mail").glob("*.eml")]


def practice(
    id: str, ehr: str, *, name: str = "Main Street Pediatrics", policy: str = "", more: str = "", keys: str = ""
) -> str:
    """One ``[[practice]]`` of config.toml."""
    return (
        f'[[practice]]\nid = "{id}"\nname = "{name}"\n{keys}\n'
        f"[practice.ehr]\n{ehr}\n[practice.policy]\n{policy}\n{more}\n"
    )


def in_process(arguments: Sequence[str], *, typed: str = "", at: datetime | None = None) -> Done:
    """Runs the command line in this process with streams of its own; logging is put back afterwards."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    clock = time_machine.travel(at, tick=True) if at else nullcontext()
    with redirect_stdout(out), redirect_stderr(err), _stdin(typed), _logging_put_back(), clock:
        code = run(arguments)
    out.flush()
    written = out.buffer
    assert isinstance(written, io.BytesIO)
    return Done(code, written.getvalue().decode(), err.getvalue())


@contextmanager
def _stdin(typed: str) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.StringIO(typed)
    try:
        yield
    finally:
        sys.stdin = before


@contextmanager
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    try:
        yield
    finally:
        root.handlers[:], root.level, logging.raiseExceptions = before
        logging.captureWarnings(False)
        structlog.reset_defaults()


def adds_up(read: Mapping[str, int]) -> bool:
    """Whether every resource that was read is accounted for."""
    return read["resources"] == sum(read[kind] for kind in READ_KINDS)


def opens(account: Json) -> dict[str, str]:
    """What an account's dependents stand at: ``{"p1": "active", "p2": "held shared-email"}``."""
    return {
        one["patient"].removeprefix("Patient/"): one["state"]
        + ("" if one["reason"] == "eligible" else f" {one['reason']}")
        + (" self" if one["self"] else "")
        for one in account["dependents"]
    }


def comparable(accounts: Json) -> Json:
    """Accounts without what may differ between two ways of reading the same families: versions and times."""
    unlike = {"source", "since"}
    return [
        account | {"dependents": [{k: v for k, v in one.items() if k not in unlike} for one in account["dependents"]]}
        for account in accounts
    ]


def all_have(documents: list[dict[str, Any]], shape: dict[str, Any]) -> None:
    """There are some, and each has these keys with values of these kinds."""
    assert documents
    for document in documents:
        for key, kind in shape.items():
            assert isinstance(document[key], kind), (key, document)
            assert kind is not int or not isinstance(document[key], bool)
