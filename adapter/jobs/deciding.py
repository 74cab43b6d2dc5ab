"""Decide: the charts that changed, then the addresses they touch; make the plan. The deciding itself is pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import decide_account
from adapter.core.answers import Decision
from adapter.core.brakes import Brake
from adapter.core.chart_merges import MergeState, replaced, waits
from adapter.core.findings import (
    Finding,
    address_scope,
    chart_scope,
    own_chart_findings,
    own_chart_scope,
)
from adapter.core.persons import name_key
from adapter.core.plan import Action, ActionKind, plan_move
from adapter.core.state import Account
from adapter.ehr import Progress
from adapter.jobs.chart_merges import look_at_merges
from adapter.jobs.deciders import Addresses, Deciders
from adapter.jobs.decisions import Terms, braked, encode_actions, own_chart
from adapter.jobs.spool import PlanSpool
from adapter.store import accounts, chart_merges, decisions, facts, findings, revocations
from adapter.store.sql import batches
from adapter.store.stored import StoredAddress, StoredChart


class Decider:
    """Decides inside one transaction. Charts first; then ``plan`` puts what the addresses they touch need in order."""

    def __init__(
        self,
        connection: sa.Connection,
        practice: str,
        terms: Terms,
        deciders: Deciders,
        progress: Progress,
        *,
        ending: Collection[str] = (),
    ) -> None:
        self.connection = connection
        self.practice = practice
        self.terms = terms
        self.deciders = deciders
        self.progress = progress
        self._addresses: dict[str, None] = {}
        """Chart by chart: what a family needs lies side by side in the database."""
        self._own_charts: set[str] = set()
        self._names: set[str] = set()
        self._nothing_found_yet = not findings.any_decided(connection, practice)
        self._answered = decisions.any_in_force(connection, practice)
        self._ending = ending
        """Merged charts whose grants a human has just let go to the chart that is left."""
        self._merges = [] if terms.first else chart_merges.load(connection, practice)
        self._revoked = {} if terms.first else revocations.in_force(connection, practice)

    def charts(self, refs: Sequence[str]) -> None:
        """Decides these charts and keeps the outcomes. Notes every address they have or had anything to do with.

        Unchanged outcomes count too: a run that was incomplete, or broke off, may have kept them without acting.
        """
        stored = (self._charts(batch) for batch in batches(refs))
        done = 0
        merged: list[str] = []
        for batch, decided in zip(batches(refs), self.deciders.charts(stored), strict=True):
            merged += decided.merged
            facts.save_outcomes(self.connection, self.practice, decided.outcomes, decided.reviews)
            self._settle([chart_scope(ref) for ref in batch], decided.found)
            self._addresses.update(dict.fromkeys(decided.addresses))
            self._own_charts |= decided.own_charts
            self._names |= decided.names
            if not self.terms.first:
                self.touch(accounts.addresses_on(self.connection, self.practice, batch))
            done += len(batch)
            self.progress("charts", done, len(refs))
        if not self.terms.first:
            self._look_at_merges(merged)

    def _look_at_merges(self, merged: Sequence[str]) -> None:
        """Charts that were merged, or are no more: their accounts are planned, and a finding says what waits."""
        before = self._merges
        self._merges = look_at_merges(self.connection, self.practice, before, merged, self.terms.now)
        self._revoked = revocations.in_force(self.connection, self.practice) if self._merges else self._revoked
        unsettled = [one.source for one in (*before, *self._merges) if one.state is not MergeState.DONE]
        self.touch(accounts.addresses_on(self.connection, self.practice, sorted(set(unsettled))))

    @property
    def addresses(self) -> frozenset[str]:
        """Every address that was touched so far."""
        return frozenset(self._addresses)

    def touch(self, addresses: Iterable[str]) -> None:
        """Has these addresses planned as well."""
        self._addresses.update(dict.fromkeys(sorted(addresses)))

    def _charts(self, refs: Sequence[str]) -> list[StoredChart]:
        charts = facts.stored_charts(self.connection, self.practice, refs)
        answers = self._answers([chart_scope(ref) for ref in refs])
        for chart in charts:
            chart.decisions = answers.get(chart_scope(chart.ref), [])
        return charts

    def _answers(self, scopes: Sequence[str]) -> dict[str, list[Decision]]:
        return decisions.in_force(self.connection, self.practice, scopes) if self._answered else {}

    def plan(self, spool: PlanSpool) -> None:
        """Spools the actions that make the touched accounts what they should be, address after address.

        An account whose move a brake holds stays where it is; so does everything at the address it would move to.
        """
        moved = dict(self._moves())
        keys = list(self._addresses)
        halted: set[str] = set()
        if Brake.ADDRESS_CHANGE in self.terms.brakes:
            halted = {account.email_key for account, _ in moved.values()}
            keys = [key for key in dict.fromkeys([*keys, *sorted(halted)]) if key not in moved]
            moved = {}
        moves = [action for _, action in sorted(moved.values(), key=lambda item: item[1].account)]
        spool.add(encode_actions(moves), {str(ActionKind.MOVE_ACCOUNT): len(moves)}, braked(moves))
        asked = (self._stored(batch, moved, halted) for batch in batches(keys))
        done = 0
        for batch, planned in zip(batches(keys), self.deciders.accounts(asked), strict=True):
            spool.add(planned.actions, planned.counts, planned.braked, planned.opened)
            self._settle([address_scope(key) for key in batch], planned.found)
            done += len(batch)
            self.progress("accounts", done, len(keys))

    def _stored(
        self, keys: Sequence[str], moved: dict[str, tuple[Account, Action]], halted: Collection[str]
    ) -> Addresses:
        """These addresses as they are, but for the accounts that move."""
        members = facts.stored_members(self.connection, self.practice, keys)
        known = {} if self.terms.first else accounts.by_email(self.connection, self.practice, keys)
        left = {account.email_key for account, _ in moved.values()}
        known = {key: account for key, account in known.items() if key not in left}
        known |= {key: _moved(*moved[key]) for key in keys if key in moved}
        resting_on = sorted(_contacts_of(known.values()))
        answers = self._answers([address_scope(key) for key in keys])
        shut: dict[str, str] = {}
        if self.terms.brakes:
            charts = sorted({chart for account in known.values() for chart in account.grants})
            shut = facts.shut_charts(self.connection, self.practice, charts)
        return Addresses(
            [
                StoredAddress(
                    key,
                    members[key],
                    known.get(key),
                    key in halted,
                    answers.get(address_scope(key), []),
                    self._revoked.get(key, []),
                    waits(known.get(key), self._merges),
                    replaced(known.get(key), self._merges, self._ending),
                    {chart: shut[chart] for chart in known[key].grants if chart in shut} if key in known else {},
                )
                for key in keys
            ],
            facts.stored_members_by_ref(self.connection, self.practice, resting_on),
        )

    def own_charts(self) -> None:
        """Looks at parents who are patients too: their own chart beside those of their children."""
        if self._names:
            for namesakes_of_one in facts.members_by_name(self.connection, self.practice, sorted(self._names)).values():
                self._own_charts |= {
                    member.contact.ref for member in namesakes_of_one if own_chart(member.contact, member.outcome)
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
                if own_chart(member.contact, member.outcome):
                    found += own_chart_findings(member, on_chart, elsewhere)
            self._settle([own_chart_scope(ref) for ref in batch], found)

    def _moves(self) -> Iterator[tuple[str, tuple[Account, Action]]]:
        """Accounts whose person has a new address on every chart: by the new address."""
        if self.terms.first or self.terms.only_restrict:
            return
        for batch in batches(sorted(self._addresses)):
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
        """Each scope once in a run; so what this run itself has found is never looked up."""
        first = self._nothing_found_yet
        findings.settle(self.connection, self.practice, scopes, found, self.terms.now, first=first)


def _moved(account: Account, action: Action) -> Account:
    """The account as it is after its move: nothing was sent to the new address yet, and nobody registered there."""
    assert action.status is not None
    return msgspec.structs.replace(
        account, email_key=action.new_key, email=action.email, status=action.status, welcome=None, registered=False
    )


def _contacts_of(known: Iterable[Account]) -> set[str]:
    return {grant.contact for account in known for grant in account.grants.values()}
