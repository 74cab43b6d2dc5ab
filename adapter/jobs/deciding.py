"""Decide: the charts that changed, then the addresses they touch, each by pure functions of ``core``; make the plan."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import decide_account, nobody
from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Contact, Role
from adapter.core.findings import (
    Finding,
    account_findings,
    address_scope,
    chart_findings,
    chart_scope,
    own_chart_findings,
    own_chart_scope,
)
from adapter.core.persons import name_key
from adapter.core.plan import Action, plan_account, plan_move
from adapter.core.policy import Policy
from adapter.core.state import Account
from adapter.ehr import Progress
from adapter.store import accounts, facts, findings
from adapter.store.facts import Chart
from adapter.store.sql import BATCH, batches


class Decider:
    """Decides inside one transaction. Charts first; then ``plan`` yields what the addresses they touch need."""

    def __init__(
        self,
        connection: sa.Connection,
        practice: str,
        policy: Policy,
        now: datetime,
        *,
        hold_welcome: bool,
        only_restrict: bool,
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.practice = practice
        self.policy = policy
        self.now = now
        self.hold_welcome = hold_welcome
        self.only_restrict = only_restrict
        self.progress = progress
        self.opened = 0
        self.closed = 0
        self.addresses: set[str] = set()
        self._first = not accounts.any_account(connection, practice)
        self._own_charts: dict[str, Contact] = {}
        self._names: set[str] = set()

    def charts(self, refs: Sequence[str]) -> None:
        """Decides these charts and keeps the outcomes. Notes every address they have or had anything to do with.

        Unchanged outcomes count too: a run that was incomplete, or broke off, may have kept them without acting.
        """
        for number, batch in enumerate(batches(refs)):
            outcomes: list[tuple[str, Outcome]] = []
            reviews = []
            found: list[Finding] = []
            for chart in facts.load_charts(self.connection, self.practice, batch):
                decision = decide_chart(chart.patient, chart.contacts, self.policy, self.now)
                found += chart_findings(chart.ref, chart.patient, chart.contacts, decision)
                # An incomplete run opens nothing, so what was due for it is due for the next one too.
                if chart.patient is not None and decision.review_on != chart.review_on and not self.only_restrict:
                    reviews.append((chart.ref, decision.review_on))
                for contact in chart.contacts:
                    outcome = decision.outcomes[contact.ref]
                    if outcome != chart.outcomes.get(contact.ref):
                        outcomes.append((contact.ref, outcome))
                    self._note(chart, contact, outcome)
            facts.save_outcomes(self.connection, self.practice, outcomes, reviews)
            self._settle([chart_scope(ref) for ref in batch], found)
            if not self._first:
                self.addresses |= accounts.addresses_on(self.connection, self.practice, batch)
            self.progress("charts", min((number + 1) * BATCH, len(refs)), len(refs))

    def plan(self) -> Iterator[list[Action]]:
        """The actions that make the touched accounts what they should be, by address."""
        moved = dict(self._moves())
        yield [action for _, action in sorted(moved.values(), key=lambda item: item[1].account)] if moved else []
        left = {account.email_key for account, _ in moved.values()}
        keys = sorted(self.addresses)
        for number, batch in enumerate(batches(keys)):
            members = facts.members_of(self.connection, self.practice, batch)
            known = {} if self._first else accounts.by_email(self.connection, self.practice, batch)
            known = {key: account for key, account in known.items() if key not in left}
            known |= {key: _moved(*moved[key]) for key in batch if key in moved}
            contacts_now = facts.members_by_ref(self.connection, self.practice, sorted(_contacts_of(known.values())))
            actions: list[Action] = []
            found: list[Finding] = []
            for key in batch:
                decision = decide_account(key, members[key]) if members[key] else nobody(key)
                found += account_findings(decision)
                actions += plan_account(
                    decision,
                    known.get(key),
                    contacts_now,
                    hold_welcome=self.hold_welcome,
                    only_restrict=self.only_restrict,
                )
            self._settle([address_scope(key) for key in batch], found)
            self.progress("accounts", min((number + 1) * BATCH, len(keys)), len(keys))
            yield actions

    def own_charts(self) -> None:
        """Looks at parents who are patients too: their own chart beside those of their children."""
        if not self._first and self._names:
            for namesakes_of_one in facts.members_by_name(self.connection, self.practice, sorted(self._names)).values():
                self._own_charts |= {
                    member.contact.ref: member.contact
                    for member in namesakes_of_one
                    if _own_chart(member.contact, member.outcome)
                }
        for batch in batches(sorted(self._own_charts)):
            own = facts.members_by_ref(self.connection, self.practice, batch)
            namesakes = facts.members_by_name(
                self.connection, self.practice, sorted({name_key(member.contact.names) for member in own.values()})
            )
            mailboxes = facts.members_of(
                self.connection, self.practice, sorted({member.contact.email_key for member in own.values()})
            )
            found: list[Finding] = []
            for member in own.values():
                near = [
                    *namesakes.get(name_key(member.contact.names), []),
                    *mailboxes.get(member.contact.email_key, []),
                ]
                others = {other.contact.ref: other for other in near if other.contact.ref != member.contact.ref}
                on_chart = [
                    other for _, other in sorted(others.items()) if other.contact.patient == member.contact.patient
                ]
                elsewhere = [
                    other for _, other in sorted(others.items()) if other.contact.patient != member.contact.patient
                ]
                if _own_chart(member.contact, member.outcome):
                    found += own_chart_findings(member, on_chart, elsewhere)
            self._settle([own_chart_scope(ref) for ref in batch], found)

    def _note(self, chart: Chart, contact: Contact, outcome: Outcome) -> None:
        if contact.email_key:
            self.addresses.add(contact.email_key)
        before = chart.outcomes.get(contact.ref)
        if _own_chart(contact, outcome) or (before is not None and _own_chart(contact, before)):
            self._own_charts[contact.ref] = contact
        elif not self._first:
            self._names.add(name_key(contact.names))

    def _moves(self) -> Iterator[tuple[str, tuple[Account, Action]]]:
        """Accounts whose person has a new address on every chart: by the new address."""
        if self._first or self.only_restrict:
            return
        for batch in batches(sorted(self.addresses)):
            taken = accounts.by_email(self.connection, self.practice, batch)
            members = facts.members_of(self.connection, self.practice, [key for key in batch if key not in taken])
            refs = [member.contact.ref for found in members.values() for member in found]
            resting = accounts.resting_on(self.connection, self.practice, refs)
            for key, found in members.items():
                elsewhere = {
                    account.id: account
                    for member in found
                    for account in resting.get(member.contact.ref, [])
                    if account.email_key != key
                }
                if len(elsewhere) == 1:
                    account = next(iter(elsewhere.values()))
                    contacts_now = facts.members_by_ref(self.connection, self.practice, sorted(_contacts_of([account])))
                    action = plan_move(decide_account(key, found), account, contacts_now)
                    if action is not None:
                        yield key, (account, action)

    def _settle(self, scopes: Sequence[str], found: list[Finding]) -> None:
        opened, closed = findings.settle(self.connection, self.practice, scopes, found, self.now)
        self.opened += opened
        self.closed += closed


def _own_chart(contact: Contact, outcome: Outcome) -> bool:
    return contact.role is Role.SELF or outcome.is_self


def _moved(account: Account, action: Action) -> Account:
    """The account as it is after its move: nothing was sent to the new address yet, and nobody registered there."""
    assert action.status is not None
    return msgspec.structs.replace(
        account, email_key=action.new_key, email=action.email, status=action.status, welcome=None, registered=False
    )


def _contacts_of(known: Iterable[Account]) -> set[str]:
    return {grant.contact for account in known for grant in account.grants.values()}
