"""Delivering the mail: each one claimed, decided again, handed over once, and honest about what is not known.

As many mails are under way as the mailer takes at once. When half of them are done, one transaction writes down what
became of those and claims the next, while the others go on: ``sending`` is on disk before any of them is handed over,
and a crash leaves only those ``unknown`` that were really under way.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import sqlalchemy as sa

from adapter.core.state import EffectKind
from adapter.errors import AdapterError
from adapter.jobs.answers import Answer, record, record_doubts, record_lost, record_stopped, record_suppressed
from adapter.jobs.letters import Letter, PracticeMail, Suppressed, notices, welcomes
from adapter.jobs.round import Round
from adapter.mail import Handed, Mailer
from adapter.store import outbox, post
from adapter.store.turns import turn

PAGE = 200
"""Mails looked up at a time; each is claimed just before it is handed over."""


def deliver_mail(work: Round, practice: PracticeMail, *, mailer: Mailer, key: bytes) -> bool:
    """Sends the practice's mail that is due. False when no mail at all can leave now; the rest then stays queued."""
    with turn(work.engine, practice.id) as connection:
        record_lost(connection, work, practice, post.lost(connection, practice.id, now=work.now()))
        if hours := practice.resend_unknown_hours:
            before = work.now() - timedelta(hours=hours)
            post.resend_unknown(connection, practice.id, before=before, now=work.now())
    with ThreadPoolExecutor(mailer.at_once, thread_name_prefix="mail") as pool:
        return all(
            _Post(work, practice, kind, mailer, key, pool).deliver() for kind in (EffectKind.NOTICE, EffectKind.WELCOME)
        )


class _Post:
    """One kind of a practice's mail."""

    def __init__(
        self,
        work: Round,
        practice: PracticeMail,
        kind: EffectKind,
        mailer: Mailer,
        key: bytes,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._work, self._practice, self._kind = work, practice, kind
        self._mailer, self._key, self._pool = mailer, key, pool
        self._waiting: list[tuple[str, str]] = []
        """Mails that were due when they were looked up, and where they go."""
        self._under_way: dict[Future[Handed | AdapterError], Letter] = {}

    def deliver(self) -> bool:
        """False when no mail can leave now. An interruption waits for the answers under way, and writes them down."""
        well = True
        try:
            while True:
                answers = self._take_answers()
                with turn(self._work.engine, self._practice.id) as connection:
                    well = record(connection, self._work, answers) and well
                    letters = self._next(connection) if well else []
                for letter in letters:
                    self._under_way[self._pool.submit(_send, self._mailer, letter, self._work.now)] = letter
                if not self._under_way:
                    return well
                self._wait()
        except BaseException:
            self._write_down()
            raise

    def _wait(self) -> None:
        """Until half of the connections are free: the others go on while the answers are written down."""
        enough = max(1, len(self._under_way) - self._mailer.at_once // 2)
        while sum(future.done() for future in self._under_way) < enough:
            wait([future for future in self._under_way if not future.done()], return_when=FIRST_COMPLETED)

    def _take_answers(self) -> list[Answer]:
        """What became of those that are done; an error that nobody expected is raised."""
        done = [future for future in self._under_way if future.done()]
        broken = next((error for future in done if (error := future.exception()) is not None), None)
        if broken is not None:
            raise broken
        return [(self._under_way.pop(future).mail, future.result()) for future in done]

    def _next(self, connection: sa.Connection) -> list[Letter]:
        """The next mails, claimed; none when nothing is due that may leave in this minute."""
        work, practice = self._work, self._practice
        while True:
            chosen = self._choose(connection)
            claimed = outbox.claim(connection, chosen, owner=work.owner, now=work.now())
            if not chosen:
                return []
            work.spend(len(claimed))
            if self._kind is EffectKind.WELCOME:
                decided = welcomes(connection, practice, claimed, key=self._key, now=work.now())
            else:
                decided = notices(connection, practice, claimed)
            letters = [letter for _, letter in decided if isinstance(letter, Letter)]
            record_stopped(connection, work, [(mail, why) for mail, why in decided if isinstance(why, str)])
            record_suppressed(connection, work, [one for one in decided if isinstance(one[1], Suppressed)])
            record_doubts(connection, work, [letter.mail for letter in letters])
            if letters:
                return letters

    def _choose(self, connection: sa.Connection) -> list[str]:
        """Ids of the next mails: as many as go at once, by limit, minute and domain."""
        work, practice = self._work, self._practice
        number = work.allowed(self._mailer.at_once - len(self._under_way))
        if number and not self._waiting:
            today = work.now().astimezone(practice.zone).date()
            ids = outbox.due(connection, practice=practice.id, kind=self._kind, now=work.now(), today=today, limit=PAGE)
            self._waiting = list(post.addresses(connection, ids).items())
        chosen: list[str] = []
        domains = Counter(_domain(letter.mail.claimed.to) for letter in self._under_way.values())
        for id_, to in self._waiting:
            domain = _domain(to)
            if len(chosen) < number and (not practice.per_domain or domains[domain] < practice.per_domain):
                chosen.append(id_)
                domains[domain] += 1
        if chosen and practice.per_minute:
            now, most = work.now(), practice.per_minute
            chosen = chosen[: post.take_minute(connection, practice.id, wanted=len(chosen), most=most, now=now)]
        taken = set(chosen)
        self._waiting = [one for one in self._waiting if one[0] not in taken]
        return chosen

    def _write_down(self) -> None:
        wait(self._under_way)
        known = [
            (letter.mail, future.result()) for future, letter in self._under_way.items() if future.exception() is None
        ]
        if known:
            with turn(self._work.engine, self._practice.id) as connection:
                record(connection, self._work, known)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _send(mailer: Mailer, letter: Letter, now: Callable[[], datetime]) -> Handed | AdapterError:
    """Hands one mail over; what goes wrong in a known way is a value, since the others' answers count too."""
    try:
        return mailer.send(letter.write(now()))
    except AdapterError as error:
        return error
