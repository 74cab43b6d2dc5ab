"""A PostgreSQL server of the tests' own: started once in a temporary folder, reached through a socket there."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

USER = "adapter"


def find_programs() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``; None when PostgreSQL is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def server(programs: Path, *, durable: bool = False) -> Iterator[Path]:
    """Runs a server for as long as the context lasts; yields the folder of its socket.

    Unless it is to be ``durable``, it never waits for the disk.
    """
    folder = Path(tempfile.mkdtemp(prefix="adapter-pg-"))
    identity = _identity()
    if identity:
        os.chown(folder, identity["user"], identity["group"])

    def call(program: str, *args: str) -> None:
        done = subprocess.run(
            [programs / program, *args],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **identity,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")

    data, log = folder / "data", folder / "log"
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    options += "" if durable else " -c fsync=off -c full_page_writes=off"
    try:
        call("initdb", "-D", str(data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        call("pg_ctl", "start", "-w", "-D", str(data), "-l", str(log), "-o", options)
        try:
            yield folder
        finally:
            call("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(data))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def url(folder: Path, database: str) -> str:
    """The SQLAlchemy address of one database of that server."""
    return f"postgresql+psycopg://{USER}@/{database}?host={folder}"


def _identity() -> dict[str, Any]:
    """Whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [user.pw_gid]}
    raise RuntimeError("no user to run PostgreSQL as")
