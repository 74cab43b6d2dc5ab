"""The lease that lets one run per practice happen at a time, whichever machine it is on."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import sqlalchemy as sa

from adapter.errors import RetriableError
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.holder import is_dead, this_process

LEASE = timedelta(minutes=10)
"""How long a run that stopped renewing its lease keeps others out, where nobody can see that its process is dead."""


@contextmanager
def lease(engine: sa.Engine, name: str, now: datetime) -> Iterator[str]:
    """Holds the named lease while the block runs; gives the owner's name, by which it is renewed.

    Raises RetriableError when somebody else holds it. A lease that is older than LEASE, or whose process on this
    machine is dead, belonged to a run that was killed.
    """
    owner = f"{this_process()}/{secrets.token_hex(8)}"
    with begin(engine) as connection:
        taken = _take(connection, name, owner, now)
    if not taken:
        raise RetriableError(
            f"Another run of {name.partition(':')[2] or name} is under way. Try again when it has ended."
        )
    try:
        yield owner
    finally:
        with begin(engine) as connection:
            connection.execute(sa.delete(t.lease).where(t.lease.c.name == name, t.lease.c.owner == owner))


def renew(connection: sa.Connection, name: str, owner: str, now: datetime) -> None:
    """Extends a lease that is still ours. Raises RetriableError when it was lost: somebody else is running."""
    mine = sa.and_(t.lease.c.name == name, t.lease.c.owner == owner)
    if connection.execute(sa.update(t.lease).where(mine).values(until=now + LEASE)).rowcount != 1:
        raise RetriableError("This run lost its lease to another one and stops.")


def _take(connection: sa.Connection, name: str, owner: str, now: datetime) -> bool:
    until = now + LEASE
    held = connection.execute(sa.select(t.lease.c.owner, t.lease.c.until).where(t.lease.c.name == name)).first()
    if held is None:
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(t.lease).values(name=name, owner=owner, until=until))
        except sa.exc.IntegrityError:  # somebody was faster
            return False
        return True
    if held.until >= now and not is_dead(held.owner.partition("/")[0]):
        return False
    same = sa.and_(t.lease.c.name == name, t.lease.c.owner == held.owner, t.lease.c.until == held.until)
    return connection.execute(sa.update(t.lease).where(same).values(owner=owner, until=until)).rowcount == 1
