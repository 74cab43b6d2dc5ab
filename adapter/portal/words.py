"""What a portal says, fit to be kept: short, on one line, and without anybody's name, address, date or number."""

import re

from adapter.core.portal import PortalAccount

LONGEST = 200
_GONE = "…"
_PRIVATE = re.compile(
    r"""[^\s<>"']*@[^\s<>"']*      # addresses
      | "[^"]*" | '[^']*' | “[^”]*” | `[^`]*`   # whatever is quoted is a value
      | \S*\d{3,}\S*               # numbers, dates, ids
      | \b[A-Z][A-Za-z]+/\S+       # references
    """,
    re.VERBOSE,
)


def scrubbed(text: object, account: PortalAccount) -> str:
    """The portal's own words without what could be health information; empty when it said nothing usable."""
    if not isinstance(text, str):
        return ""
    words = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    words = _PRIVATE.sub(_GONE, words)
    for part in sorted(_parts(account), key=len, reverse=True):
        words = re.sub(re.escape(part), _GONE, words, flags=re.IGNORECASE)
    words = re.sub(rf"{_GONE}(\W*{_GONE})+", _GONE, words)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1].rstrip()}{_GONE}"


def _parts(account: PortalAccount) -> set[str]:
    """Everything of an account that a message might repeat."""
    local, _, domain = account.email.partition("@")
    words = [account.email, local, domain, *re.split(r"\W+", account.name), account.key]
    charts = [part for chart in account.dependents for part in (chart.patient, chart.patient.rpartition("/")[2])]
    return {word for word in (*words, *charts) if len(word) > 1}
