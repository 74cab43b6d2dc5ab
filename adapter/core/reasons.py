"""Every reason code: what it does to a grant, whether a human should look, and the step that fixes it.

The table is in the order of the rules; the first reason that applies is the headline.
"""

from types import MappingProxyType

from adapter.core.concerns import CONCERNS, RUN_SUSPICIOUS
from adapter.core.mail_reasons import ABOUT_MAIL, LINK_LOCKED
from adapter.core.reason import Reason, Severity
from adapter.core.state import GrantState

__all__ = [
    "APPROVED",
    "BRAKE_ON",
    "ELIGIBLE",
    "FIRST_RUN",
    "LINK_LOCKED",
    "NOT_DECIDED",
    "OPENING",
    "ORDER",
    "REASONS",
    "RELEASED",
    "RESTORED",
    "RUN_SUSPICIOUS",
    "Reason",
    "Severity",
]

FIRST_RUN = "first-run"
"""Why a practice's first Welcome emails wait for a release."""
BRAKE_ON = "brake-on"
"""Why changes wait for a human: there are more of one kind than is ordinary."""
RELEASED = "released"
"""Why what a brake held was done after all: somebody looked at it and released it."""
UNDONE = "undone"
"""Why something is as it was before a run: a human has taken the run back."""
REVOKED = "revoked-by-practice"
"""Why a chart is closed whatever the EHR says: somebody at the practice has taken it away."""
SUSPENDED = "suspended-by-practice"
"""Why every chart of an account is closed whatever the EHR says: somebody at the practice has suspended it."""
RESTORED = "restored"
"""Why a chart that a backup has open is not opened by putting the backup back."""

ELIGIBLE = "eligible"
APPROVED = "approved"
"""Every rule but those that somebody at the practice has looked at and approved for exactly these facts."""
OPENING = frozenset({ELIGIBLE, APPROVED})
"""The reasons that open a chart."""
NOT_DECIDED = "not-decided"

_IN_CONTACTS = "in Family Contacts"

_ALL = (
    Reason(
        "internal-error",
        "the adapter could not decide this contact",
        "Report this to the adapter's maintainers with the run number; nobody gets access meanwhile.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.ERROR,
    ),
    Reason(
        NOT_DECIDED,
        "the chart has changed and was not decided again yet",
        "Nothing to do: the next complete sync decides it. If syncs fail, see `adapter runs`.",
        GrantState.HELD,
        GrantState.HELD,
    ),
    Reason(
        "record-unusable",
        "the record in the EHR is damaged or carries something the adapter must not ignore",
        "Open the record in the EHR, correct the element that is named, and save it.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.ERROR,
    ),
    Reason(
        "patient-mismatch",
        "the contact does not point to exactly one chart of this EHR",
        f"Open the contact {_IN_CONTACTS} of the right child and save it there; remove it from the wrong chart.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.ERROR,
    ),
    Reason(
        "patient-merged",
        "the chart was merged into another one",
        "Check the Family Contacts of the chart that is left, then let the merge go: adapter merges. Access never "
        "moves by itself.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        "patient-gone",
        "the chart is no longer in the EHR",
        "If the child is still a patient, check that the EHR's address is the right practice's, then sync again.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        "patient-inactive",
        "the chart is inactive",
        "Activate the chart if the child is still a patient.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        "merge-waiting",
        "the chart took over another one, and nobody at the practice has looked at that yet",
        "Look at the merge, then let it go: adapter merges.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.WARNING,
    ),
    Reason(
        "unmerge-waiting",
        "the EHR has taken back a merge of this chart, and nobody at the practice has looked at that yet",
        "Look at what comes back, then let it go: adapter merges.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.WARNING,
    ),
    Reason("patient-deceased", "the chart says that the patient has died", "", None, GrantState.SUSPENDED),
    Reason("contact-inactive", "the contact is inactive", f"Activate the contact {_IN_CONTACTS} if that is wrong."),
    Reason(
        "contact-not-yet",
        "the contact's period has not begun",
        f"Nothing to do if the start date is right; otherwise correct it {_IN_CONTACTS}.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason("contact-ended", "the contact's period has ended", f"Correct the end date {_IN_CONTACTS} if that is wrong."),
    Reason(
        "authority-none",
        "the Authority is None",
        f"If this parent should have access, set Authority to Joint or Exclusive {_IN_CONTACTS}.",
    ),
    Reason(
        "authority-unknown",
        "the chart does not say which Authority the contact has",
        f"Set Authority to Joint or Exclusive {_IN_CONTACTS}, or to None if there should be no access.",
        None,
        GrantState.SUSPENDED,
        Severity.WARNING,
    ),
    Reason(
        "role-self",
        "the entry in the person's own chart has the Role/Reason Self",
        "In the person's own chart, change the Role/Reason from Self to Other Relative, set Authority to Joint or "
        "Exclusive, and use the same e-mail address as in the child's chart.",
    ),
    Reason(
        "role-unknown",
        "the Role/Reason is not one the adapter knows",
        f"Choose a Role/Reason from the list {_IN_CONTACTS}, for example Mother, Father or Guardian.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.WARNING,
    ),
    Reason(
        "role-not-allowed",
        "the practice gives no portal access to this Role/Reason",
        f"Correct the Role/Reason {_IN_CONTACTS} if it is wrong; otherwise this is as intended.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.WARNING,
    ),
    Reason(
        "email-missing",
        "the contact has no current e-mail address",
        f"Enter the e-mail address {_IN_CONTACTS}; the Welcome email then goes out by itself.",
        None,
        GrantState.SUSPENDED,
        Severity.WARNING,
    ),
    Reason(
        "email-invalid",
        "the contact's e-mail address is not a valid one",
        f"Correct the e-mail address {_IN_CONTACTS}; the Welcome email then goes out by itself.",
        None,
        GrantState.SUSPENDED,
        Severity.WARNING,
    ),
    Reason(
        "authority-conflict",
        "the chart gives somebody Exclusive Authority beside others",
        f"Check the custody papers, then make the Authority of everybody on the chart agree {_IN_CONTACTS}.",
        GrantState.SUSPENDED,
        GrantState.SUSPENDED,
        Severity.ERROR,
    ),
    Reason(
        "birthdate-unusable",
        "the patient's birth date is missing or cannot be right",
        "Correct the birth date in the patient's chart.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.WARNING,
    ),
    Reason(
        "dependent-is-adult",
        "the patient is of an age at which parents no longer have access",
        "An adult patient who should see their own chart needs a Family Contact in it with the Role/Reason Other "
        "Relative and Authority Joint or Exclusive.",
    ),
    Reason(
        "shared-email",
        "the e-mail address is used by several people who may not all see this chart",
        f"Give each person their own e-mail address {_IN_CONTACTS}.",
        GrantState.HELD,
        GrantState.HELD,
        Severity.ERROR,
    ),
    Reason(
        ELIGIBLE, "relationship, Authority and e-mail address are in order", "", GrantState.ACTIVE, GrantState.ACTIVE
    ),
    Reason(
        APPROVED,
        "somebody at the practice looked at it and approved it",
        "",
        GrantState.ACTIVE,
        GrantState.ACTIVE,
    ),
    # What can happen to an existing grant or account beside the rules.
    Reason(
        "contact-gone",
        "the contact was removed from the chart",
        f"Enter the contact again {_IN_CONTACTS} if that is wrong.",
    ),
    Reason(
        "contact-moved",
        "the contact now belongs to another chart",
        f"Enter the contact again {_IN_CONTACTS} if that is wrong.",
    ),
    Reason("email-changed", "the contact has a new e-mail address", "Ask about the new address instead."),
    Reason("no-open-chart", "none of the account's charts may be opened any more", ""),
    Reason(
        RESTORED,
        "a backup was put back that has this chart open, and access had been taken away since it was made",
        "Sync again: everything is then read and decided anew.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        REVOKED,
        "somebody at the practice has taken this access away",
        "If it should be given back, lift the revocation: adapter revoke --lift.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        SUSPENDED,
        "somebody at the practice has suspended this account",
        "If access should be given back, lift the suspension: adapter suspend EMAIL --lift.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        UNDONE,
        "somebody at the practice took back the run that had opened it",
        "If the chart should be open after all, sync this family again: adapter sync --person Patient/ID.",
    ),
    Reason("registered-again", "somebody at the practice asked for the Welcome email again", ""),
    *ABOUT_MAIL,
    *CONCERNS,
)

REASONS = MappingProxyType({reason.code: reason for reason in _ALL})
ORDER = MappingProxyType({reason.code: number for number, reason in enumerate(_ALL)})
