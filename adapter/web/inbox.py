"""Notifications on their way into the store: those that come together are committed together.

A notification is answered only when it is on the disk. One commit for each would be a few hundred a second at best;
here whatever arrived while the last commit was under way shares the next one.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from adapter.core.notice import Notice
from adapter.store import nudges
from adapter.store.engine import begin

TOGETHER = 500
MOST_WAITING = 2000


class Full(Exception):
    """More is waiting to be kept than there is room for; the sender has to try again."""


class _Waiting(NamedTuple):
    practice: str
    notice: Notice
    kept: "asyncio.Future[None]"


class Inbox:
    """Used from one event loop only."""

    def __init__(self, make_engine: Callable[[], sa.Engine], clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = make_engine, clock
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, practice: str, notice: Notice) -> None:
        """Returns when the notice is safe. Raises Full, or what the database says (AdapterError)."""
        if len(self._waiting) >= MOST_WAITING:
            raise Full
        kept = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(practice, notice, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await kept

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                try:
                    await run_in_threadpool(self._write, batch)
                except BaseException as error:
                    _settle(batch, error)
                    if not isinstance(error, Exception):
                        raise
                else:
                    _settle(batch, None)
        finally:
            self._writing = None

    def _write(self, batch: list[_Waiting]) -> None:
        now = self._clock()
        with begin(self._engine()) as connection:
            for practice in sorted({one.practice for one in batch}):
                notices = [one.notice for one in batch if one.practice == practice]
                nudges.receive(connection, practice, notices, now)


def _settle(batch: list[_Waiting], error: BaseException | None) -> None:
    for one in batch:
        if one.kept.done():
            continue  # its sender has gone
        if error is None:
            one.kept.set_result(None)
        else:
            one.kept.set_exception(error)
