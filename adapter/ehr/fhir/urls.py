"""The URL guard: the one place that decides whether an address belongs to the configured EHR.

Nothing outside is ever asked, so neither the token nor a patient's id can leave (RFC 3986; FHIR search §3.1.3: next
links are the server's own words and may say anything).
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!#-\[\]_a-~]+")
"""Printable ASCII without blanks, quotes, backslash and caret, on which parsers of addresses disagree."""


@dataclass(frozen=True, slots=True)
class Base:
    """The configured base URL, taken apart. ``path`` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Base":
        """Raises ValueError when ``url`` is not a plain http(s) address."""
        parts = _split(url)
        if parts is None or parts.query or parts.fragment:
            raise ValueError("base_url must be a plain http(s) address without a query")
        return cls(parts.scheme, parts.hostname or "", _port(parts), parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def join(self, path: str) -> str:
        """The address of a path below the base, such as ``Patient/12``."""
        return f"{self.origin}{self.path}/{path}"

    def resolve(self, link: str, *, seen_at: str) -> str:
        """A link as an absolute address: a bare query counts from where it was seen, any other from the base."""
        return urljoin(seen_at if link.startswith("?") else self.join(""), link)

    def allows(self, url: str) -> bool:
        """Whether ``url`` may be fetched: same scheme, host and port, and not above the base path."""
        parts = _split(url)
        if parts is None or (parts.scheme, parts.hostname, _port(parts)) != (self.scheme, self.host, self.port):
            return False
        path = parts.path
        while (plain := unquote(path)) != path:  # %252e%252e is still a way up for some servers
            path = plain
        if "\\" in path or any(step.split(";")[0] in (".", "..") for step in path.split("/")):
            return False
        return parts.path == self.path or parts.path.startswith(f"{self.path}/")


def shown_origin(url: str) -> str:
    """Scheme, host and port of any address for a message; nothing else of it."""
    parts = _split(url)
    return f"{parts.scheme}://{parts.hostname}:{_port(parts)}"[:100] if parts else "an address that cannot be read"


def _split(url: str) -> SplitResult | None:
    """The parts of an http(s) address; None for anything that two parsers could understand differently."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or "@" in parts.netloc:
        return None
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
