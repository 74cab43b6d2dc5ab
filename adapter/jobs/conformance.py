"""Trying a portal: what the adapter needs of it, requirement by requirement, with accounts that are removed again."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from adapter.core.portal import PortalAccount, PortalDependent, compare, opened
from adapter.errors import AdapterError
from adapter.portal import Portal

MARK = "adapter-check"
"""The practice under which a portal is tried: no real account has it."""
ANSWERS = "answers, and knows what it offers"


class Requirement(NamedTuple):
    """One thing that was tried; ``detail`` says what came instead."""

    name: str
    ok: bool
    detail: str = ""


def check_portal(portal: Portal, now: datetime) -> Iterator[Requirement]:
    """Tries everything in order; each requirement stands on those before it. Cleans up whatever happens.

    An error of the portal fails the requirement that was tried, with its message; the rest is tried nevertheless,
    unless the portal cannot be used at all.
    """
    trial = _Trial(portal, now)
    try:
        if problem := trial.answers():
            yield Requirement(ANSWERS, False, problem)
            return
        yield Requirement(ANSWERS, True)
        for name, attempt in trial.steps():
            try:
                problem = attempt()
            except AdapterError as error:
                problem = str(error)
            yield Requirement(name, not problem, problem)
        problem = trial.clean_up()
        yield Requirement("removes what was made for this", not problem, problem)
    finally:
        trial.clean_up()


class _Trial:
    """Two made-up parents and their charts."""

    def __init__(self, portal: Portal, now: datetime) -> None:
        self.portal, self.now = portal, now
        self.made: list[str] = []
        word = secrets.token_hex(4)
        soon = now + timedelta(days=30)
        self.full = PortalDependent(f"Patient/check-{word}-1", "mother", "joint", "full", "eligible", now, until=soon)
        self.limited = PortalDependent(f"Patient/check-{word}-2", "father", "exclusive", "limited", "eligible", now)
        email = f"adapter-check-{word}@example.org"
        self.first = PortalAccount(f"{word}a", email, "Check One", True, "invited", (self.full, self.limited), "en")
        self.second = PortalAccount(f"{word}b", f"second-{email}", "Check Two", True, "pending", (self.full,), "es")

    def steps(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "takes an account and shows it as it was put", lambda: self._put(self.first, new=True)
        yield "takes it twice and has it once", self._twice
        yield "shows an account nobody made as not there", self._nobody
        yield (
            "changes name and charts",
            lambda: self._put(self.first._replace(name="Check Uno", dependents=(self.full,))),
        )
        yield (
            "moves an account to another address",
            lambda: self._put(self.first._replace(email=f"moved-{self.first.email}", dependents=(self.full,))),
        )
        yield "refuses a second account with one address, and keeps the first", self._collision
        yield "closes a chart that was taken away", lambda: self._put(self.first._replace(dependents=()))
        yield (
            "opens nothing for a suspended account",
            lambda: self._put(self.second._replace(active=False, status="suspended", dependents=())),
        )
        yield "opens it again", lambda: self._put(self.second)
        yield "lists every account once", self._listing
        yield from self.portal.trials(self.second)
        yield "shuts an account that nothing was decided about", self._shut

    def answers(self) -> str:
        try:
            return "" if self.portal.check() else "it says nothing"
        except AdapterError as error:
            return str(error)

    def _put(self, account: PortalAccount, *, new: bool = False) -> str:
        self.made += [] if account.key in self.made else [account.key]
        refused = self.portal.put_accounts([account], new={account.key} if new else frozenset())
        if refused:
            return str(refused[account.key])
        shown = self.portal.get_accounts([account.key]).get(account.key)
        drift = compare(self.portal.kept(account), shown, self.now)
        return f"it differs: {drift.kind} ({', '.join(drift.where) or 'the whole account'})" if drift else ""

    def _twice(self) -> str:
        problem = self._put(self.first, new=True)
        number = [one.key for one in self.portal.accounts()].count(self.first.key)
        return problem or ("" if number == 1 else f"the listing has it {number} times")

    def _nobody(self) -> str:
        return "it shows one" if self.portal.get_accounts([f"{self.first.key}-nobody"]) else ""

    def _collision(self) -> str:
        if problem := self._put(self.second, new=True):
            return problem
        if not self.portal.offers.strangers:
            return ""
        taken = self.second._replace(key=f"{self.second.key}-third")
        self.made.append(taken.key)
        refused = self.portal.put_accounts([taken], new={taken.key}).get(taken.key)
        if refused is None:
            return "it took another account with the same address"
        return "" if refused.permanent else f"it does not say so for good: {refused}"

    def _listing(self) -> str:
        keys = [one.key for one in self.portal.accounts()]
        return (
            "" if keys.count(self.first.key) == keys.count(self.second.key) == 1 else "one is missing, or there twice"
        )

    def _shut(self) -> str:
        self.portal.shut(self.second.key)
        shown = self.portal.get_accounts([self.second.key]).get(self.second.key)
        return "" if shown is not None and not opened(shown, self.now) else "it is gone, or still opens a chart"

    def clean_up(self) -> str:
        keys, self.made = self.made, []
        try:
            for key in keys:
                self.portal.remove(key)
            left = self.portal.get_accounts(keys) if keys else {}
        except AdapterError as error:
            return str(error)
        return f"{len(left)} of the accounts are still there: remove them by hand" if left else ""
