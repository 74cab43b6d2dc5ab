"""Every table of the adapter. Names are the domain's; nothing clinical and no raw resource is ever stored.

``facts`` and ``outcome`` columns hold the JSON of the ``core`` structs of that name; the other columns exist to find
rows. Times are UTC. The schema is created and changed by ``migrations/`` only.
"""

import sqlalchemy as sa

from adapter.store.chart_merge_table import chart_merge
from adapter.store.client_tables import api_answer, api_token, vendor_assertion, vendor_token
from adapter.store.columns import Instant, changed_at, metadata
from adapter.store.columns import text as _text
from adapter.store.decision_table import decision
from adapter.store.find_tables import find_key, find_mark
from adapter.store.held_tables import change_count, held_account, held_plan
from adapter.store.mail_tables import suppressed, welcome
from adapter.store.revocation_table import revocation
from adapter.store.staff_tables import person, person_role, session, sign_in_attempt

practice = sa.Table(
    "practice",
    metadata,
    _text("id", primary_key=True),
    sa.Column("released_at", Instant),  # when its first Welcome emails were released; null = still held
    sa.Column("decided_run", sa.Integer, nullable=False, default=0),  # facts that changed in a later run are undecided
    sa.Column("decided_at", Instant),  # the latest time that a run has decided by: a clock that goes back opens nothing
    sa.Column("rules_hash", sa.Text),  # charts decided under another mapping or policy are decided again
    sa.Column("mail_minute", Instant),  # the minute in which mail left last
    sa.Column("mail_count", sa.Integer, nullable=False, server_default="0"),  # how many in that minute
)

patient = sa.Table(
    "patient",
    metadata,
    _text("practice", primary_key=True),
    _text("ref", primary_key=True),
    _text("hash"),
    _text("facts"),
    sa.Column("updated", Instant),  # meta.lastUpdated of the version that was read
    sa.Column("changed_run", sa.Integer, nullable=False),
    sa.Column("seen_run", sa.Integer, nullable=False),
    sa.Column("review_on", sa.Date),  # the first day on which the decision may change by itself
    sa.Index("ix_patient_changed", "practice", "changed_run"),
    sa.Index("ix_patient_review", "practice", "review_on"),
)

contact = sa.Table(
    "contact",
    metadata,
    _text("practice", primary_key=True),
    _text("ref", primary_key=True),
    _text("patient"),
    _text("email_key"),
    _text("name_key"),
    _text("hash"),
    _text("facts"),
    sa.Column("updated", Instant),
    sa.Column("outcome", sa.Text),  # null until its chart was decided
    sa.Column("changed_run", sa.Integer, nullable=False),
    sa.Column("seen_run", sa.Integer, nullable=False),
    sa.Index("ix_contact_patient", "practice", "patient"),
    sa.Index("ix_contact_email", "practice", "email_key"),
    sa.Index("ix_contact_name", "practice", "name_key"),
    sa.Index("ix_contact_changed", "practice", "changed_run"),
)

account = sa.Table(
    "account",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("email_key"),
    _text("email"),  # as written in the chart: what mail is sent to
    _text("name"),
    _text("language"),
    _text("status"),  # core.state.AccountStatus
    _text("reason"),
    sa.Column("since", Instant, nullable=False),
    sa.Column("registered_at", Instant),
    changed_at(),
    sa.UniqueConstraint("practice", "email_key"),
)

grant = sa.Table(
    "grant",
    metadata,
    _text("account_id", sa.ForeignKey("account.id"), primary_key=True),
    _text("patient", primary_key=True),
    _text("contact"),
    _text("role"),
    _text("authority"),
    _text("access"),
    _text("state"),  # core.state.GrantState
    _text("reason"),
    _text("source"),
    sa.Column("is_self", sa.Boolean, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("until", Instant),  # when time alone ends the access or makes it narrower
    _text("organization", server_default=""),  # who keeps the chart: its merchant is shown to the account
    changed_at(),
    sa.Index("ix_grant_patient", "patient"),
    sa.Index("ix_grant_contact", "contact"),
)

effect = sa.Table(
    "effect",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("kind"),  # core.state.EffectKind
    _text("subject"),  # account id, welcome id or widget revision
    _text("to"),  # who or what it goes to, for people to read
    _text("state"),  # core.state.EffectState
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_at", Instant),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", Instant),
    sa.Column("last_error", sa.Text),
    sa.Column("run", sa.Integer),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("done_at", Instant),
    changed_at(),
    sa.Index("ix_effect_due", "state", "next_at", "kind", "practice"),
    sa.Index("ix_effect_subject", "kind", "subject"),
)

sighting = sa.Table(  # what the portal was seen to have
    "sighting",
    metadata,
    _text("account_id", sa.ForeignKey("account.id"), primary_key=True),
    _text("practice"),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("last_sign_in", Instant),
)

_OPEN = sa.text("closed_at IS NULL")

finding = sa.Table(
    "finding",
    metadata,
    _text("id", primary_key=True),
    _text("practice"),
    _text("scope"),  # what is decided again when this may close: a chart, an address, a record or the practice
    _text("code"),
    _text("severity"),
    sa.Column("patient", sa.Text),
    sa.Column("contact", sa.Text),
    sa.Column("email", sa.Text),
    _text("message"),
    _text("remedy"),
    _text("facts", server_default=""),  # hash of the facts that made it: what an answer is bound to
    sa.Column("since", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    changed_at(),
    sa.Index("ix_finding_scope", "practice", "scope"),
    sa.Index("ix_finding_open", "practice", "code", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    _text("practice"),
    _text("kind"),  # full, incremental, person, review
    _text("status"),  # running, complete, incomplete, failed, held
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Column("released_at", Instant),
    sa.Column("plan_hash", sa.Text),
    _text("report", default="{}"),  # JSON: read, changes, held, findings, problems, strategy
    sa.Index("ix_run_practice", "practice", "id"),
)

watermark = sa.Table(
    "watermark",
    metadata,
    _text("practice", primary_key=True),
    _text("resource_type", primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

widget_revision = sa.Table(
    "widget_revision",
    metadata,
    _text("practice", primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    _text("hash"),
    _text("content"),  # JSON of core.widget.Widget
    _text("state"),  # core.state.WidgetState
    _text("reason"),
    sa.Column("accepted_at", Instant),
    sa.Column("live_at", Instant),
    sa.Column("created_at", Instant, nullable=False),
    _text("organization", server_default=""),  # whose page it is; empty: the practice's own
    _text("configured", server_default=""),  # hash of what the settings asked for; another than `hash` after a rollback
)

audit = sa.Table(
    "audit",
    metadata,
    _text("practice", primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    _text("actor"),
    sa.Column("run", sa.Integer),
    _text("action"),
    sa.Column("account", sa.Text),
    sa.Column("patient", sa.Text),
    _text("reason"),
    _text("source"),
    _text("detail"),  # JSON: before and after
    _text("hash"),  # sha-256 over the row before and this row (core.audit)
)

lease = sa.Table(
    "lease",
    metadata,
    _text("name", primary_key=True),
    _text("owner"),
    sa.Column("until", Instant, nullable=False),
)

nudge = sa.Table(
    "nudge",
    metadata,
    _text("practice", primary_key=True),
    _text("ref", primary_key=True),  # a chart or contact to read again; "*": whatever changed
    sa.Column("seq", sa.Integer, nullable=False),  # one more each time it is named again
    sa.Column("taken", sa.Integer),  # the seq that is being worked on
    sa.Column("deleted", sa.Boolean, nullable=False),  # it is said to be gone
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("next_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", Instant),
)

push_channel = sa.Table(
    "push_channel",
    metadata,
    _text("practice", primary_key=True),
    _text("subscription", primary_key=True),  # Subscription/<id>; empty: notifications that do not say
    _text("status"),  # as the EHR last called it; empty when it did not
    sa.Column("events", sa.BigInteger),  # how many events it has told of
    sa.Column("seen_at", Instant, nullable=False),
)

__all__ = [
    "Instant",
    "account",
    "api_answer",
    "api_token",
    "audit",
    "change_count",
    "chart_merge",
    "contact",
    "decision",
    "effect",
    "find_key",
    "find_mark",
    "finding",
    "grant",
    "held_account",
    "held_plan",
    "lease",
    "metadata",
    "nudge",
    "patient",
    "person",
    "person_role",
    "practice",
    "push_channel",
    "revocation",
    "run",
    "session",
    "sighting",
    "sign_in_attempt",
    "suppressed",
    "vendor_assertion",
    "vendor_token",
    "watermark",
    "welcome",
    "widget_revision",
]
