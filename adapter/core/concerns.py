"""The reason codes of what is worth a look, or a word, without changing any grant: the rest of the table in reasons."""

from adapter.core.reason import Reason, Severity

MANY_CLOSED = "many-closed"
"""Why a run that did all it should is looked at all the same: so much was closed at once that the EHR may be wrong."""
RUN_SUSPICIOUS = "run-suspicious"
"""Why a run that ended well is looked at all the same."""

CONCERNS = (
    Reason(
        "self-only",
        "the parent is also a patient, and the entry in their own chart has the Role/Reason Self",
        "In the parent's own chart, change the Role/Reason from Self to Other Relative, set Authority to Joint or "
        "Exclusive, and use the same e-mail address as in the child's chart.",
        finding=Severity.WARNING,
    ),
    Reason(
        "merge-held",
        "the chart was merged, but not into one that could be opened",
        "Put the link to the other chart right in the EHR; until then nobody opens the merged chart.",
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
        MANY_CLOSED,
        "the EHR itself says of far more charts than is ordinary that they must be closed, so they were suspended",
        "Ask at the practice whether that is right. If not, put it right in the EHR and sync again; what is then to be "
        "opened waits for a release (adapter held). If it is right, dismiss this.",
        finding=Severity.ERROR,
    ),
    Reason(
        "widget-late",
        "the portal does not show the published widget yet",
        "Ask the portal whether it accepted the change, then publish again: adapter widgets publish --again",
        finding=Severity.WARNING,
    ),
    Reason(
        "widget-no-place",
        "the portal has no place for a payment widget",
        "Ask the portal's maker for one (docs/portals.md), or put the link to the payment page into the portal by hand "
        "and take [practice.merchant] out of config.toml.",
        finding=Severity.INFO,
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
        "give each person their own e-mail address in Family Contacts.",
        finding=Severity.ERROR,
    ),
)
