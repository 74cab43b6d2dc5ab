"""The embedded portal at work: puts accounts and home pages, and says what parents can open and see now."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.core.widget import widget_from_json, widget_json
from adapter.errors import DeliveryError, RetriableError
from adapter.portal import HomePage, PortalAccount, PortalDependent
from adapter.portal.embedded import tables

_PAGE = 500
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[PortalDependent, ...]).decode


class EmbeddedPortal:
    """One practice's accounts, grants and home page, in the given database; its tables are made on first use."""

    batch = 4000

    def __init__(
        self, engine: sa.Engine, *, practice: str, now: Callable[[], datetime], show_after_minutes: int = 15
    ) -> None:
        """A published home page is shown ``show_after_minutes`` after it was accepted, by the clock ``now``."""
        self._engine = engine
        self._practice = practice
        self._now = now
        self._show_after = timedelta(minutes=show_after_minutes)
        self._ready = False

    def put_accounts(self, batch: Sequence[PortalAccount]) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``: one transaction, nothing is refused; of two with one key the last counts."""
        batch = list({account.key: account for account in batch}.values())
        rows = [
            {
                "practice": self._practice,
                "key": one.key,
                "email": one.email,
                "name": one.name,
                "active": one.active,
                "status": one.status,
                "dependents": _encode(one.dependents if one.active else ()).decode(),
            }
            for one in batch
        ]
        if rows:
            with self._begin() as connection:
                connection.execute(self._upsert(), rows)
        return {}

    def _upsert(self) -> Any:
        """INSERT … ON CONFLICT DO UPDATE, which keeps ``registered_at``; each dialect has its own class for it."""
        insert = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        statement: Any = insert(tables.account)
        new = {name: statement.excluded[name] for name in ("email", "name", "active", "status", "dependents")}
        return statement.on_conflict_do_update(index_elements=["practice", "key"], set_=new)

    def get_account(self, key: str) -> PortalAccount | None:
        """See ``Portal.get_account``."""
        found = self._read(tables.account.c.key == key)
        return found[0] if found else None

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``. Drawn page by page, so a large directory is never in memory at once."""
        order, after = sa.tuple_(tables.account.c.email, tables.account.c.key), ("", "")
        while page := self._read(order > after):
            yield from page
            after = page[-1].email, page[-1].key

    def _read(self, *which: sa.ColumnElement[bool]) -> list[PortalAccount]:
        people = tables.account
        mine = sa.select(people).where(people.c.practice == self._practice, *which)
        with self._begin() as connection:
            rows = connection.execute(mine.order_by(people.c.email, people.c.key).limit(_PAGE)).all()
        return [
            PortalAccount(
                row.key,
                row.email,
                row.name,
                row.active,
                row.status,
                _decode(row.dependents),
                datetime.fromisoformat(row.registered_at) if row.registered_at else None,
            )
            for row in rows
        ]

    def mark_registered(self, key: str, at: datetime) -> bool:
        """The parent set a password. False when there is no such active account, or it was registered before."""
        people = tables.account
        first = (
            people.c.practice == self._practice,
            people.c.key == key,
            people.c.active.is_(True),
            people.c.registered_at.is_(None),
        )
        with self._begin() as connection:
            marked = connection.execute(sa.update(people).where(*first).values(registered_at=_text(at))).rowcount
        return marked == 1

    def put_home(self, home: HomePage) -> None:
        """See ``Portal.put_home``."""
        at = self._now()
        values = {
            "practice": self._practice,
            "revision": home.revision,
            "content": widget_json(home.widget),
            "accepted_at": _text(at),
            "visible_at": _text(at + self._show_after),
        }
        with self._begin() as connection:
            connection.execute(sa.insert(tables.home), values)

    def get_home(self) -> HomePage | None:
        """See ``Portal.get_home``."""
        pages = tables.home
        shown = sa.select(pages).where(pages.c.practice == self._practice, pages.c.visible_at <= _text(self._now()))
        with self._begin() as connection:
            row = connection.execute(shown.order_by(pages.c.seq.desc()).limit(1)).first()
        if row is None:
            return None
        return HomePage(practice=self._practice, revision=row.revision, widget=widget_from_json(row.content))

    def check(self) -> str:
        """See ``Portal.check``."""
        mine = sa.select(sa.func.count()).where(tables.account.c.practice == self._practice)
        with self._begin() as connection:
            count = connection.scalar(mine)
        return f"The embedded portal answers and has {count} accounts."

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """One transaction; the database's exceptions become ours here, without their words, which quote values."""
        try:
            if not self._ready:
                tables.metadata.create_all(self._engine)
                self._ready = True
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise RetriableError(
                f"The embedded portal's database does not answer ({type(error).__name__}). "
                "Check portal.store_url in config.toml."
            ) from None


def _text(at: datetime) -> str:
    """UTC in one width, so that text sorts as time."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
