"""Every reason code: what it does to a grant, whether a human should look, and the step that fixes it.

The table is in the order of the rules; the first reason that applies is the headline.
"""

from types import MappingProxyType

from adapter.core.mail_reasons import ABOUT_MAIL, LINK_LOCKED
from adapter.core.reason import Reason, Severity
from adapter.core.state import GrantState

__all__ = ["LINK_LOCKED", "ORDER", "REASONS", "Reason", "Severity"]

FIRST_RUN = "first-run"
"""Why a practice's first Welcome emails wait for a release."""
BRAKE_ON = "brake-on"
"""Why changes wait for a human: there are more of one kind than is ordinary."""
RELEASED = "released"
"""Why what a brake held was done after all: somebody looked at it and released it."""
RESTORED = "restored"
"""Why a chart that a backup has open is not opened by putting the backup back."""
RUN_SUSPICIOUS = "run-suspicious"
"""Why a run that ended well is looked at all the same."""


ELIGIBLE = "eligible"
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
        "patient-inactive",
        "the chart is inactive",
        "Activate the chart if the child is still a patient.",
        None,
        GrantState.SUSPENDED,
    ),
    Reason(
        "patient-merged",
        "the chart was merged into another one",
        "Check the Family Contacts of the chart that is left; access never moves to it by itself.",
        None,
        GrantState.SUSPENDED,
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
    Reason("registered-again", "somebody at the practice asked for the Welcome email again", ""),
    # What is worth a look without changing any grant.
    *ABOUT_MAIL,
    Reason(
        "self-only",
        "the parent is also a patient, and the entry in their own chart has the Role/Reason Self",
        "In the parent's own chart, change the Role/Reason from Self to Other Relative, set Authority to Joint or "
        "Exclusive, and use the same e-mail address as in the child's chart.",
        finding=Severity.WARNING,
    ),
    Reason(
        "email-mismatch",
        "the parent is also a patient, and the two charts have different e-mail addresses",
        "Use the same e-mail address for this person in both charts.",
        finding=Severity.WARNING,
    ),
    Reason(
        "source-problem",
        "part of the EHR's data could not be read",
        "Correct the export at the place that is named, then sync again.",
        finding=Severity.ERROR,
    ),
    Reason(
        "widget-late",
        "the portal does not show the published widget yet",
        "Ask the portal whether it accepted the change, then publish again: adapter widgets publish --again",
        finding=Severity.WARNING,
    ),
    Reason(
        RUN_SUSPICIOUS,
        "the last full read of the EHR was far smaller or faster than usual",
        "Check in the EHR that the adapter's account still sees every patient, then run `adapter sync --full`. If the "
        "practice has really changed, there is nothing to do: after a few such reads it counts as usual.",
        finding=Severity.WARNING,
    ),
    Reason(
        "widget-drift",
        "the widget in the portal is not the one that was published",
        "Publish again (adapter widgets publish), or change the configuration if the portal is right.",
        finding=Severity.WARNING,
    ),
    Reason("portal-drift", "the portal shows something else than was decided", ""),
    Reason("registered", "the parent has registered in the portal", ""),
    Reason(
        "portal-extra",
        "the portal opens more than was decided",
        "Nothing to do: it was taken away again. Ask who gives access in the portal by hand, if it happens again.",
        finding=Severity.ERROR,
    ),
    Reason(
        "portal-orphan",
        "the portal has accounts of the adapter that nothing was decided about",
        "Check that store.url in config.toml is this practice's database; if it is, close them: "
        "adapter portal compare --repair.",
        finding=Severity.ERROR,
    ),
    Reason(
        "portal-missing",
        "the portal does not have the account, or opens less than was decided",
        "If nobody closed it on purpose, put it back: adapter portal compare --repair. A parent whose account was "
        "deleted then needs a new Welcome email (Register).",
        finding=Severity.WARNING,
    ),
    Reason(
        "portal-changed",
        "the portal has another name, address or wording than the chart",
        "Correct Family Contacts if the portal is right; if not, put it back: adapter portal compare --repair.",
        finding=Severity.INFO,
    ),
    Reason(
        "portal-refused",
        "the portal does not take the account",
        "Correct what the portal names, in Family Contacts or in the portal; the next change delivers it again.",
        finding=Severity.ERROR,
    ),
    Reason(
        "account-collision",
        "the portal has an account with this e-mail address that the adapter did not make",
        "Look in the portal whose account that is: if it is this parent's, adopt it (adapter portal adopt); if not, "
        f"give each person their own e-mail address {_IN_CONTACTS}.",
        finding=Severity.ERROR,
    ),
)

REASONS = MappingProxyType({reason.code: reason for reason in _ALL})
ORDER = MappingProxyType({reason.code: number for number, reason in enumerate(_ALL)})
