"""One account before and after a run, with what the audit trail keeps of the run: what an undo starts from."""

from collections.abc import Sequence
from typing import Any

import msgspec

from adapter.core.plan import Action
from adapter.core.state import Standing
from adapter.core.undo import Change, Terms, Undoing, undo_account
from tests.core.personas import ANNAS, anna, mia
from tests.core.practice import Practice


def trail(actions: Sequence[Action]) -> list[Change]:
    """What the audit trail has of these actions."""
    return [
        Change(
            action=action.action,
            patient=action.patient,
            before=action.before,
            after=Terms.of(action.grant) if action.grant else None,
            was=action.was,
            became=None if action.grant else Standing(action.status, action.email, action.name, action.language),
            email_key=action.account,
            new_key=action.new_key,
        )
        for action in actions
    ]


class Run:
    """Anna may open Mia's chart; then a run does something to her account."""

    def __init__(self, was: Any = None, *facts: Any) -> None:
        self.practice = Practice()
        self.practice.sync(*(facts or (mia(), anna())))
        if was is not None:
            self.practice.accounts[ANNAS] = was(self.practice.accounts[ANNAS])
        self.before = self.practice.accounts[ANNAS]
        self.changes: list[Change] = []
        self.after = self.before

    def sync(self, *facts: Any) -> "Run":
        self.changes = trail(self.practice.sync(*facts))
        self.after = next(iter(self.practice.accounts.values()))
        return self

    def undo(self, **changed: Any) -> Undoing:
        """On the account as the run left it, or as it has changed since; every chart may open again as it was."""
        return undo_account(self.changes, msgspec.structs.replace(self.after, **changed), {})
