"""Answers "why did this parent not get the Welcome email?" from the facts as they are now."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import AccountDecision, Member, decide_account
from adapter.core.chain import mapped_steps, moment
from adapter.core.chart_merges import MERGE_HELD, MERGE_WAITING, UNMERGE_WAITING, MergeState, waits, withhold
from adapter.core.decide import Step, decide_chart, steps_of
from adapter.core.email import email_key
from adapter.core.explain import Explanation, Row, WelcomeView, explain_address, explain_chart, explain_contact
from adapter.core.findings import address_scope, chart_scope
from adapter.core.reasons import BRAKE_ON, REASONS, SUSPENDED
from adapter.core.revoked import withdraw
from adapter.core.state import Account, EffectState, GrantState
from adapter.jobs.chain import chain_of, expressions
from adapter.jobs.chart_merges import names_of, say
from adapter.jobs.practice import Clock, Practice
from adapter.store import accounts, chart_merges, decisions, facts, held, revocations
from adapter.store import tables as t
from adapter.store.engine import read


def explain(engine: sa.Engine, practice: Practice, who: str, *, clock: Clock) -> Explanation:
    """Explains an e-mail address, a ``Patient/<id>`` or a ``RelatedPerson/<id>``.

    The rules run again over the stored facts, so the answer is today's, not that of the last run.
    """
    with read(engine) as connection:
        explainer = _Explainer(connection, practice, clock)
        if who.startswith("Patient/"):
            return explainer.chart(who)
        if who.startswith("RelatedPerson/"):
            return explainer.contact(who)
        return explainer.address(who.strip(), email_key(who))


def knows(engine: sa.Engine, practice: Practice, who: str) -> bool:
    """Whether the practice has a chart, a contact or an account of this reference or address."""
    with read(engine) as connection:
        if who.startswith("Patient/"):
            return bool(facts.known_patients(connection, practice.id, [who]))
        if who.startswith("RelatedPerson/"):
            return bool(facts.members_by_ref(connection, practice.id, [who]))
        key = email_key(who)
        return bool(facts.members_of(connection, practice.id, [key])[key]) or bool(
            accounts.by_email(connection, practice.id, [key])
        )


class _Explainer:
    def __init__(self, connection: sa.Connection, practice: Practice, clock: Clock) -> None:
        self.connection = connection
        self.practice = practice
        self.now = clock().astimezone(practice.zone)
        self.merges = chart_merges.load(connection, practice.id)

    def address(self, who: str, key: str) -> Explanation:
        account = accounts.by_email(self.connection, self.practice.id, [key]).get(key)
        members = facts.members_of(self.connection, self.practice.id, [key])[key]
        rows = self._rows(sorted({member.contact.patient for member in members}))
        mine = [row for row in rows if row.member.contact.email_key == key]
        decision = self._decided(key, mine) if mine else None
        chain = chain_of(self.connection, self.practice.id, key, mine, account)
        answer = explain_address(who, mine, decision, account, self._welcome(account), self.now, chain)
        answer = self._merged(answer, who, account)
        return self._by_hand(self._held(answer, who, key), who, key)

    def _by_hand(self, answer: Explanation, who: str, key: str) -> Explanation:
        """The same, where somebody has suspended the account: that comes before everything."""
        row = revocations.suspensions(self.connection, self.practice.id, [key]).get(key)
        if row is None:
            return answer
        by = row["actor"].partition(":")[2] or row["actor"]
        because = f'{by} suspended the account {who} on {moment(row["at"], self.now)}: "{row["reason"]}".'
        verdict = because if answer.reason == SUSPENDED else f"{because} {answer.verdict}"
        step = Step("suspension", SUSPENDED, because, f"revocation/{row['id']}")
        return Explanation(who, verdict, SUSPENDED, REASONS[SUSPENDED].remedy, (step, *answer.steps))

    def _merged(self, answer: Explanation, who: str, account: Account | None) -> Explanation:
        """The same, where a merge of charts waits for a human: that comes first."""
        mine = [one for one in self.merges if account and one.source in account.grants]
        waiting = [one for one in mine if one.state not in (None, MergeState.DONE)]
        if not waiting or (account and any(one.state is GrantState.ACTIVE for one in account.grants.values())):
            names = names_of(self.connection, self.practice.id, mine)
            steps = [Step("merge", str(one.state), say(one, names), one.source) for one in mine if one.state]
            return msgspec.structs.replace(answer, steps=(*steps, *answer.steps))
        names = names_of(self.connection, self.practice.id, waiting)
        steps = [Step("merge", str(one.state), say(one, names), one.source) for one in waiting]
        code = {MergeState.HELD: MERGE_HELD, MergeState.TAKEN_BACK: UNMERGE_WAITING}.get(
            waiting[0].state or MergeState.PENDING, MERGE_WAITING
        )
        verdict = f"{steps[0].because} {answer.verdict}"
        return Explanation(who, verdict, code, REASONS[code].remedy, (*steps, *answer.steps))

    def _held(self, answer: Explanation, who: str, key: str) -> Explanation:
        """The same, where a brake holds something for this address: that comes first."""
        run = held.run_that_holds(self.connection, self.practice.id, key)
        if run is None:
            return answer
        because = f"what run {run} would change for {who} is more than is ordinary at once, and waits for a human"
        step = Step("brake", BRAKE_ON, f"{because[0].upper()}{because[1:]}.", f"run/{run}")
        remedy = f"Look at it, and release it if it is right: adapter held {run}."
        return Explanation(who, f"{step.because} {answer.verdict}", BRAKE_ON, remedy, (step, *answer.steps))

    def contact(self, ref: str) -> Explanation:
        member = facts.members_by_ref(self.connection, self.practice.id, [ref]).get(ref)
        if member is None:
            return Explanation(
                ref,
                f"{ref} is not known to the adapter.",
                "contact-unknown",
                f"Read it from the EHR: adapter sync --person {ref}.",
            )
        row = next(row for row in self._rows([member.contact.patient]) if row.member.contact.ref == ref)
        key = member.contact.email_key
        if not key:
            return explain_contact(ref, row, None, None, None)
        account = accounts.by_email(self.connection, self.practice.id, [key]).get(key)
        members = facts.members_of(self.connection, self.practice.id, [key])[key]
        rows = [
            other
            for other in self._rows(sorted({other.contact.patient for other in members}))
            if other.member.contact.email_key == key
        ]
        decision = self._decided(key, rows)
        grant = account.grants.get(member.contact.patient) if account else None
        return explain_contact(ref, row, self.address(member.contact.email, key), grant, decision)

    def chart(self, ref: str) -> Explanation:
        loaded = next(iter(facts.load_charts(self.connection, self.practice.id, [ref])))
        query = (
            sa.select(t.account.c.email_key)
            .join(t.grant, t.grant.c.account_id == t.account.c.id)
            .where(t.account.c.practice == self.practice.id, t.grant.c.patient == ref)
        )
        found = accounts.by_email(self.connection, self.practice.id, sorted(self.connection.scalars(query)))
        grants = [(account.email, account.grants[ref]) for _, account in sorted(found.items())]
        return explain_chart(ref, loaded.patient, self._rows([ref]), grants)

    def _decided(self, key: str, rows: Sequence[Row]) -> AccountDecision:
        scope = address_scope(key)
        answers = decisions.in_force(self.connection, self.practice.id, [scope]).get(scope, [])
        decision = decide_account(key, [row.member for row in rows], [one for one in answers if one.on(self.now)])
        decision = withdraw(decision, revocations.in_force(self.connection, self.practice.id).get(key, []))
        account = accounts.by_email(self.connection, self.practice.id, [key]).get(key)
        return withhold(decision, account, waits(account, self.merges))

    def _rows(self, charts: Sequence[str]) -> list[Row]:
        """Every contact on these charts, decided now."""
        rows = []
        policy = self.practice.policy
        by = expressions(self.practice)
        answers = decisions.in_force(self.connection, self.practice.id, [chart_scope(ref) for ref in charts])
        for chart in facts.load_charts(self.connection, self.practice.id, charts):
            here = answers.get(chart_scope(chart.ref), [])
            decision = decide_chart(chart.patient, chart.contacts, policy, self.now, here)
            for contact in sorted(chart.contacts, key=lambda contact: contact.ref):
                steps = steps_of(contact, chart.patient, chart.contacts, policy, self.now)
                member = Member(contact, decision.outcomes[contact.ref])
                rows.append(Row(member, chart.patient, tuple(steps), mapped_steps(contact, by)))
        return rows

    def _welcome(self, account: Account | None) -> WelcomeView | None:
        if account is None:
            return None
        row = accounts.latest_welcomes(self.connection, [account.id]).get(account.id)
        if row is None:
            return None
        return WelcomeView(
            EffectState(row["state"]),
            row["email"],
            row["generation"],
            row["sent_count"],
            row["last_sent_at"],
            row["link_expires_at"],
            row["last_error"],
            row["run"],
            row["id"],
        )
