"""A practice in memory: facts in, the core's own functions in order, accounts out. No store, no portal, no mail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby

import msgspec

from adapter.core.accounts import AccountDecision, Member, decide_account, nobody
from adapter.core.answers import Decision
from adapter.core.decide import decide_chart, steps_of
from adapter.core.explain import Explanation, Row, WelcomeView, explain_address
from adapter.core.facts import Contact, Fact, Patient
from adapter.core.findings import Finding, account_findings, address_scope, chart_findings
from adapter.core.plan import Action, ActionKind, plan_account, plan_move
from adapter.core.policy import Policy
from adapter.core.state import Account, AccountStatus, EffectState, GrantState
from tests.core.personas import NOW

POLICY = Policy()
WELCOMES = {
    ActionKind.QUEUE_WELCOME: EffectState.QUEUED,
    ActionKind.HOLD_WELCOME: EffectState.HELD,
    ActionKind.CANCEL_WELCOME: EffectState.CANCELLED,
}


def applied(account: Account | None, actions: Iterable[Action]) -> Account | None:
    """The account as it is once the actions are done; those that say nothing about it leave it alone."""
    for action in actions:
        account = _after(account, action)
    return account


def _after(account: Account | None, action: Action) -> Account:
    if action.action is ActionKind.OPEN_ACCOUNT:
        assert account is None and action.status is not None
        return Account(
            f"id-{action.account}", action.account, action.email, action.name, action.language, action.status, {}
        )
    assert account is not None
    replace = msgspec.structs.replace
    if action.grant is not None:
        return replace(account, grants=account.grants | {action.grant.patient: action.grant})
    if action.action in WELCOMES:
        new = action.action is not ActionKind.CANCEL_WELCOME
        return replace(account, welcome=WELCOMES[action.action], generation=account.generation + new)
    if action.action is ActionKind.UPDATE_ACCOUNT:
        return replace(account, email=action.email, name=action.name, language=action.language)
    assert action.status is not None
    if action.action is ActionKind.MOVE_ACCOUNT:
        moved = replace(account, email_key=action.new_key, email=action.email, status=action.status)
        return replace(moved, welcome=None, registered=False, registered_at=None)
    return replace(account, status=action.status)


def invited(account: Account) -> Account:
    """The account after its Welcome email has left."""
    return msgspec.structs.replace(account, status=AccountStatus.INVITED, welcome=EffectState.SENT)


def registered(account: Account) -> Account:
    """The account after the parent has set a password."""
    return msgspec.structs.replace(invited(account), status=AccountStatus.REGISTERED, registered=True)


def decided(
    facts: Sequence[Fact],
    *,
    policy: Policy = POLICY,
    now: datetime = NOW,
    answers: Sequence[Decision] = (),
) -> dict[str, Member]:
    """Every contact with what its chart's rules say, by reference."""
    patients = {fact.ref: fact for fact in facts if isinstance(fact, Patient)}
    members: dict[str, Member] = {}
    for ref, group in _by_chart(facts):
        decision = decide_chart(patients.get(ref), group, policy, now, answers)
        members |= {contact.ref: Member(contact, decision.outcomes[contact.ref]) for contact in group}
    return members


def decisions(members: Mapping[str, Member], answers: Sequence[Decision] = ()) -> dict[str, AccountDecision]:
    """What every address should be."""
    keys = {member.contact.email_key for member in members.values() if member.contact.email_key}
    return {key: decide_account(key, _at(key, members), _about(key, answers)) for key in sorted(keys)}


def _about(key: str, answers: Sequence[Decision]) -> list[Decision]:
    """The answers about one address, as the store gives them."""
    return [one for one in answers if one.scope == address_scope(key)]


def row_of(
    contact: Contact, patient: Patient | None, *others: Contact, policy: Policy = POLICY, now: datetime = NOW
) -> Row:
    """One contact with its chart, the others on it in view, as explain wants it."""
    group = (contact, *others)
    outcome = decide_chart(patient, group, policy, now).outcomes[contact.ref]
    return Row(Member(contact, outcome), patient, tuple(steps_of(contact, patient, group, policy, now)))


class Practice:
    """Keeps accounts from sync to sync."""

    def __init__(self, *, policy: Policy = POLICY, now: datetime = NOW, hold_welcome: bool = False) -> None:
        self.policy = policy
        self.now = now
        self.hold_welcome = hold_welcome
        self.accounts: dict[str, Account] = {}
        self.facts: tuple[Fact, ...] = ()
        self.answers: list[Decision] = []

    def findings(self) -> list[Finding]:
        """What is there to be answered."""
        found: list[Finding] = []
        patients = {fact.ref: fact for fact in self.facts if isinstance(fact, Patient)}
        for ref, group in _by_chart(self.facts):
            decision = decide_chart(patients.get(ref), group, self.policy, self.now)
            found += chart_findings(ref, patients.get(ref), group, decision)
        members = decided(self.facts, policy=self.policy, now=self.now, answers=self.answers)
        for wanted in decisions(members).values():
            found += account_findings(wanted)
        return found

    def sync(self, *facts: Fact, only_restrict: bool = False) -> list[Action]:
        """Makes the accounts what these facts say and returns the actions that were needed."""
        self.facts = facts
        members = decided(facts, policy=self.policy, now=self.now, answers=self.answers)
        wanted = decisions(members, [one for one in self.answers if one.on(self.now)])
        actions = [] if only_restrict else self._moves(wanted, members)
        for key in sorted(wanted.keys() | self.accounts.keys()):
            planned = plan_account(
                wanted.get(key) or nobody(key),
                self.accounts.get(key),
                members,
                hold_welcome=self.hold_welcome,
                only_restrict=only_restrict,
            )
            account = applied(self.accounts.get(key), planned)
            if account is not None:
                self.accounts[key] = account
            actions += planned
        return actions

    def explain(self, email: str) -> Explanation:
        """The answer to "why didn't this parent get the Welcome email?"."""
        members = decided(self.facts, policy=self.policy, now=self.now)
        account = self.accounts.get(email)
        rows = [self._row(member) for member in _at(email, members)]
        return explain_address(email, rows, decisions(members).get(email), account, _view(account), self.now)

    def opens(self, email: str) -> list[str]:
        """The charts that the account opens today."""
        account = self.accounts.get(email)
        grants = account.grants if account else {}
        return sorted(patient for patient, grant in grants.items() if grant.state is GrantState.ACTIVE)

    def welcome(self, email: str) -> EffectState | None:
        """What became of the account's latest Welcome email."""
        account = self.accounts.get(email)
        return account.welcome if account else None

    def _row(self, member: Member) -> Row:
        ref = member.contact.patient
        patient = next((fact for fact in self.facts if isinstance(fact, Patient) and fact.ref == ref), None)
        others = [fact for fact in self.facts if isinstance(fact, Contact) and fact.patient == ref]
        others.remove(member.contact)
        return row_of(member.contact, patient, *others, policy=self.policy, now=self.now)

    def _moves(self, wanted: Mapping[str, AccountDecision], members: Mapping[str, Member]) -> list[Action]:
        moves = []
        for key, decision in wanted.items():
            refs = {member.contact.ref for person in decision.people for member in person}
            resting = [
                account
                for account in self.accounts.values()
                if any(grant.contact in refs for grant in account.grants.values())
            ]
            if key in self.accounts or len(resting) != 1:
                continue
            action = plan_move(decision, resting[0], members)
            moved = applied(resting[0], [action]) if action else None
            if action and moved:
                del self.accounts[resting[0].email_key]
                self.accounts[key] = moved
                moves.append(action)
        return moves


def synced(*facts: Fact) -> Practice:
    """A practice with the default policy after its first sync."""
    practice = Practice()
    practice.sync(*facts)
    return practice


def _by_chart(facts: Sequence[Fact]) -> list[tuple[str, tuple[Contact, ...]]]:
    contacts = sorted((fact for fact in facts if isinstance(fact, Contact)), key=lambda contact: contact.patient)
    return [(ref, tuple(group)) for ref, group in groupby(contacts, key=lambda contact: contact.patient)]


def _at(key: str, members: Mapping[str, Member]) -> list[Member]:
    return [member for member in members.values() if member.contact.email_key == key]


def _view(account: Account | None) -> WelcomeView | None:
    if account is None or account.welcome is None:
        return None
    sent = NOW if account.welcome is EffectState.SENT else None
    return WelcomeView(account.welcome, account.email, account.generation, 1 if sent else 0, sent, None, None)
