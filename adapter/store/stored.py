"""Facts and outcomes as their rows hold them, undecoded. Light to import: a process that only decides takes these."""

from datetime import date

import msgspec

from adapter.core.accounts import Member
from adapter.core.answers import Decision
from adapter.core.decide import Outcome
from adapter.core.facts import Contact, Patient
from adapter.core.policy import Access
from adapter.core.reasons import NOT_DECIDED
from adapter.core.state import Account, GrantState

encode = msgspec.json.Encoder().encode
decode_patient = msgspec.json.Decoder(Patient).decode
decode_contact = msgspec.json.Decoder(Contact).decode
decode_outcome = msgspec.json.Decoder(Outcome).decode
_UNDECIDED = Outcome((NOT_DECIDED,), Access.FULL, current=True)


class StoredChart(msgspec.Struct, gc=False, array_like=True):
    """One chart: the patient's facts, and everybody on it as ``(reference, facts, outcome)``; each JSON or None."""

    ref: str
    patient: str | None
    review_on: date | None
    contacts: list[tuple[str, str, str | None]]
    decisions: list[Decision] = []
    """What humans have answered about this chart."""


class StoredMember(msgspec.Struct, gc=False, array_like=True):
    """One contact with what its chart's rules said the last time."""

    facts: str
    outcome: str | None

    def decode(self) -> Member:
        """A contact that was not decided since its facts changed opens nothing new; what stands, stays."""
        return Member(decode_contact(self.facts), decode_outcome(self.outcome) if self.outcome else _UNDECIDED)


class StoredAddress(msgspec.Struct, gc=False, array_like=True):
    """One e-mail address: every contact that has it, and its account."""

    email_key: str
    members: list[StoredMember]
    account: Account | None
    halted: bool = False
    """Its account waits to be moved: meanwhile every brake is on."""
    decisions: list[Decision] = []
    """What humans have answered about who uses it."""
    revoked: list[str] = []
    """Charts that the practice has taken away from it."""
    waits: dict[str, str] = {}
    """Charts that do not open for it before a human has looked at a merge, with the reason code."""
    merged: dict[str, GrantState] = {}
    """Charts that were merged into others, with the state its grants on them go to."""
    shut: dict[str, str] = {}
    """While a brake is on: its charts that their own record closes, and for which reason."""
