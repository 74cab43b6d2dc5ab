"""The pages' words for what the adapter calls things: each with the shape that says it beside the colour."""

from collections.abc import Callable
from datetime import date

Say = Callable[[str], str]
"""A sentence in the reader's language."""


def states(words: Say) -> dict[str, tuple[str, str]]:
    """Shape and word for each state of an account, a grant, a mail, a run, a widget."""
    return {
        # of a grant
        "active": ("good", words("may open it")),
        "held": ("wait", words("held")),
        "suspended": ("stop", words("suspended")),
        "ended": ("idle", words("closed")),
        "none": ("idle", words("no access")),
        # of an account
        "pending": ("wait", words("not invited yet")),
        "invited": ("good", words("invited")),
        "registered": ("good", words("registered")),
        "closed": ("idle", words("closed")),
        "": ("idle", words("no account")),
        # of a mail
        "queued": ("idle", words("queued")),
        "sending": ("idle", words("being sent")),
        "sent": ("good", words("sent")),
        "unknown": ("wait", words("nobody knows whether it arrived")),
        "failed": ("stop", words("failed")),
        "cancelled": ("idle", words("cancelled")),
        # of a run
        "running": ("idle", words("running")),
        "complete": ("good", words("complete")),
        "incomplete": ("stop", words("incomplete")),
        # of a widget
        "live": ("good", words("live")),
        "drifted": ("stop", words("changed in the portal")),
        "replaced": ("idle", words("replaced")),
        "unpublished": ("idle", words("not published")),
        # of a finding
        "error": ("stop", words("grave")),
        "warning": ("wait", words("to settle")),
        "info": ("idle", words("for your information")),
    }


def pages(words: Say) -> list[tuple[str, str]]:
    """The pages of a practice, in the order of the menu."""
    return [
        ("today", words("Today")),
        ("find", words("Find")),
        ("findings", words("Findings")),
        ("plans", words("Plans")),
        ("runs", words("Runs")),
        ("outbox", words("Outbox")),
        ("widgets", words("Widgets")),
        ("audit", words("Audit")),
        ("settings", words("Settings")),
    ]


def widget_pending(words: Say) -> tuple[str, str]:
    """A widget that the portal took and does not show yet: the word for an account would be wrong."""
    return ("wait", words("pending"))


def kinds(words: Say) -> dict[str, str]:
    """What a run looked at, and what an effect is."""
    return {
        "full": words("everything"),
        "incremental": words("what changed"),
        "person": words("one family"),
        "review": words("what time changed"),
        "account": words("account"),
        "welcome": words("Welcome email"),
        "notice": words("notice to the old address"),
        "widget": words("payment widget"),
    }


def roles(words: Say) -> dict[str, str]:
    """What a contact is to the child."""
    return {
        "self": words("self"),
        "mother": words("mother"),
        "father": words("father"),
        "parent": words("parent"),
        "step_parent": words("step-parent"),
        "foster_parent": words("foster parent"),
        "grandparent": words("grandparent"),
        "guardian": words("guardian"),
        "sibling": words("sibling"),
        "spouse": words("spouse"),
        "child": words("child"),
        "other_relative": words("relative"),
        "other": words("contact"),
        "unknown": words("unknown role"),
    }


def mrn(number: str) -> str:
    """A chart number with its name, which some EHRs write into it."""
    return number if not number or number.upper().startswith("MRN") else f"MRN {number}"


def changes(words: Say) -> dict[str, str]:
    """What a run changed."""
    return {
        "open-account": words("accounts opened"),
        "grant": words("charts opened"),
        "queue-welcome": words("Welcome emails queued"),
        "hold-welcome": words("Welcome emails held"),
        "hold-grant": words("charts held"),
        "suspend-grant": words("charts suspended"),
        "end-grant": words("charts closed"),
        "change-grant": words("grants changed"),
        "cancel-welcome": words("Welcome emails cancelled"),
        "move-account": words("accounts moved to a new address"),
        "update-account": words("accounts updated"),
        "reopen-account": words("accounts opened again"),
        "suspend-account": words("accounts suspended"),
        "close-account": words("accounts closed"),
    }


def done(words: Say) -> dict[str, str]:
    """What a page says after something was done; the address has only the key."""
    return {
        "registered": words("The Welcome email is queued and leaves within a minute."),
        "suspended": words("The account is suspended. The portal is told within a minute."),
        "lifted": words("The suspension is lifted. Sync this family, and the charts decide again."),
        "released": words("The held Welcome emails are queued and leave with the next delivery."),
        "retried": words("It is queued again."),
        "cancelled": words("It will not be sent."),
        "published": words("It is published. Portals usually show a change within 15 minutes or longer."),
        "nothing": words("There was nothing left to do."),
    }


def for_desk(remedy: str) -> str:
    """A remedy without the command that the terminal names: the page has a button."""
    return ". ".join(part.split(": adapter ")[0] for part in remedy.split(". ")).rstrip(".") + "." if remedy else ""


def age(born: str, today: date) -> int | None:
    """Years of age by a full FHIR birth date; None for a partial or absurd one."""
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return None
    years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
    return years if 0 <= years < 150 else None
