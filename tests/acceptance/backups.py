"""What the tests of backup and restore share: commands as processes of their own, and looks into database files."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.adapter_cli import Adapter, Json, opens


def call(site: Adapter, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """One command as a process of its own: only then does it let go of the database."""
    done = site.process(*arguments)
    assert done.returncode == code, done.stderr
    return done


def database(site: Adapter) -> Path:
    return site.folder / "var" / "adapter.db"


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER IF EXISTS audit_no_update")
        connection.execute(statement)


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def mails(site: Adapter) -> list[str]:
    """Whom every Welcome email that was written so far went to."""
    sent = (line for mail in site.mails() for line in mail.splitlines() if line.startswith("To:"))
    return sorted(line.rpartition(" ")[2].strip("<>").lower() for line in sent)


def opened(text: str) -> Json:
    return {account["email"].lower(): opens(account) for account in json.loads(text)}
