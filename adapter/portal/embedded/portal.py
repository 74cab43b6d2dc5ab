"""The embedded portal at work: puts accounts and home pages, and says what parents can open and see now."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from adapter.core.policy import Access
from adapter.core.portal import opened
from adapter.core.widget import OWN, Widget, pages_for, widget_from_json, widget_json
from adapter.errors import DeliveryError, RetriableError
from adapter.portal import HomePage, Offers, PortalAccount, Stranger, Trial
from adapter.portal.embedded import records
from adapter.portal.embedded.records import from_row, stamp, to_row

_PAGE = 500


class EmbeddedPortal:
    """One practice's accounts, grants and home page, in the given database; its tables are made on first use."""

    batch = 4000
    offers = Offers(registration=True, home_page=True, bulk=True, until=True)

    def __init__(
        self, engine: sa.Engine, *, practice: str, now: Callable[[], datetime], show_after_minutes: int = 15
    ) -> None:
        """A published home page is shown ``show_after_minutes`` after it was accepted, by the clock ``now``."""
        self._engine = engine
        self._practice = practice
        self._now = now
        self._show_after = timedelta(minutes=show_after_minutes)
        self._ready = False

    def may_open(self, key: str, patient: str, now: datetime) -> Access:
        """How much of this chart the account may open at this moment: decided when it is asked, not when it was put.

        A chart that has closed by itself stays closed, also when the clock goes back afterwards.
        """
        with self._begin() as connection:
            found = self._read(connection, records.account.c.key == key)
            latest = max(stamp(now), self._latest(connection))
            charts = opened(found[0], datetime.fromisoformat(latest)) if found else {}
            if patient in charts and charts[patient].access in frozenset(Access):
                return Access(charts[patient].access)
            if found and any(one.patient == patient for one in found[0].dependents):
                self._saw(connection, latest)
        return Access.NONE

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``: one transaction, nothing is refused; of two with one key the last counts."""
        rows = [to_row(self._practice, one) for one in {account.key: account for account in batch}.values()]
        if rows:
            with self._begin() as connection:
                connection.execute(self._upsert(), rows)
                self._saw(connection, stamp(self._now()))
        return {}

    def _upsert(self) -> Any:
        """INSERT … ON CONFLICT DO UPDATE, which keeps ``registered_at``."""
        statement: Any = self._insert(records.account)
        new = {name: statement.excluded[name] for name in ("email", "name", "active", "status", "dependents")}
        return statement.on_conflict_do_update(index_elements=["practice", "key"], set_=new)

    def _insert(self, table: sa.Table) -> Any:
        """Each dialect has its own class for an INSERT that may meet a row."""
        return sqlite.insert(table) if self._engine.dialect.name == "sqlite" else postgresql.insert(table)

    def shut(self, key: str) -> None:
        """See ``Portal.shut``."""
        here = sa.and_(records.account.c.practice == self._practice, records.account.c.key == key)
        closed = {"active": False, "status": "closed", "dependents": "[]"}
        with self._begin() as connection:
            connection.execute(sa.update(records.account).where(here).values(closed))

    def get_accounts(self, keys: Collection[str]) -> dict[str, PortalAccount]:
        """See ``Portal.get_accounts``."""
        wanted = sorted(keys)
        found: dict[str, PortalAccount] = {}
        with self._begin() as connection:
            for start in range(0, len(wanted), _PAGE):
                mine = records.account.c.key.in_(wanted[start : start + _PAGE])
                found |= {one.key: one for one in self._read(connection, mine)}
        return found

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``. By e-mail address, drawn page by page: never a large directory in memory."""
        order, after = sa.tuple_(records.account.c.email, records.account.c.key), ("", "")
        while True:
            with self._begin() as connection:
                page = self._read(connection, order > after)
            if not page:
                return
            yield from page
            after = page[-1].email, page[-1].key

    def strangers(self) -> Iterator[Stranger]:
        """See ``Portal.strangers``: nobody else makes accounts here."""
        yield from ()

    def adopt(self, handle: str, key: str) -> None:
        """See ``Portal.adopt``."""
        raise DeliveryError("The embedded portal has no accounts of others.", permanent=True)

    def remove(self, key: str) -> None:
        """See ``Portal.remove``."""
        here = sa.and_(records.account.c.practice == self._practice, records.account.c.key == key)
        with self._begin() as connection:
            connection.execute(sa.delete(records.account).where(here))

    def kept(self, account: PortalAccount) -> PortalAccount:
        """See ``Portal.kept``: everything but the language."""
        return account._replace(dependents=account.dependents if account.active else (), language="")

    def _read(self, connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[PortalAccount]:
        people = records.account
        mine = sa.select(people).where(people.c.practice == self._practice, *which)
        rows = connection.execute(mine.order_by(people.c.email, people.c.key).limit(_PAGE)).all()
        return [from_row(row) for row in rows]

    def mark_registered(self, key: str, at: datetime) -> bool:
        """The parent set a password. False when there is no such active account, or it was registered before."""
        people = records.account
        first = (
            people.c.practice == self._practice,
            people.c.key == key,
            people.c.active.is_(True),
            people.c.registered_at.is_(None),
        )
        with self._begin() as connection:
            marked = connection.execute(sa.update(people).where(*first).values(registered_at=stamp(at))).rowcount
        return marked == 1

    def put_home(self, home: HomePage) -> None:
        """See ``Portal.put_home``."""
        at = self._now()
        values = {
            "practice": self._practice,
            "organization": home.organization,
            "revision": home.revision,
            "content": widget_json(home.widget),
            "accepted_at": stamp(at),
            "visible_at": stamp(at + self._show_after),
        }
        with self._begin() as connection:
            connection.execute(sa.insert(records.home), values)

    def get_home(self, organization: str = "") -> HomePage | None:
        """See ``Portal.get_home``."""
        pages = records.home
        here = sa.and_(pages.c.practice == self._practice, pages.c.organization == organization)
        shown = sa.select(pages).where(here, pages.c.visible_at <= stamp(self._now()))
        with self._begin() as connection:
            row = connection.execute(shown.order_by(pages.c.seq.desc()).limit(1)).first()
        if row is None:
            return None
        widget = widget_from_json(row.content)
        return HomePage(practice=self._practice, revision=row.revision, widget=widget, organization=organization)

    def pages_of(self, key: str) -> list[Widget]:
        """What one account sees for payments now: the pages of its dependents' Organizations, or the practice's own."""
        account = self.get_accounts([key]).get(key)
        if account is None or not account.active:
            return []
        organizations = {one.organization for one in opened(account, self._now()).values()}
        homes = {one: self.get_home(one) for one in organizations | {OWN}}
        return [
            widget for _, widget in pages_for(organizations, {one: home.widget for one, home in homes.items() if home})
        ]

    def trials(self, account: PortalAccount) -> Iterator[Trial]:
        """See ``Portal.trials``: it is our own."""
        yield from ()

    def check(self) -> str:
        """See ``Portal.check``."""
        mine = sa.select(sa.func.count()).where(records.account.c.practice == self._practice)
        with self._begin() as connection:
            count = connection.scalar(mine)
        return f"The embedded portal answers and has {count} accounts."

    def trust_clock(self, now: datetime) -> None:
        """See ``Portal.trust_clock``."""
        with self._begin() as connection:
            connection.execute(sa.delete(records.clock).where(records.clock.c.practice == self._practice))
            self._saw(connection, stamp(now))

    def _latest(self, connection: sa.Connection) -> str:
        seen = sa.select(records.clock.c.at).where(records.clock.c.practice == self._practice)
        return connection.scalar(seen) or ""

    def _saw(self, connection: sa.Connection, at: str) -> None:
        """Remembers a time, unless a later one was seen."""
        statement = self._insert(records.clock)
        later = statement.on_conflict_do_update(
            index_elements=["practice"], set_={"at": statement.excluded["at"]}, where=records.clock.c.at < at
        )
        connection.execute(later, {"practice": self._practice, "at": at})

    @contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """One transaction; the database's exceptions become ours here, without their words, which quote values."""
        try:
            if not self._ready:
                records.make_tables(self._engine)
                self._ready = True
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise RetriableError(
                f"The embedded portal's database does not answer ({type(error).__name__}). "
                "Check portal.store_url in config.toml."
            ) from None
