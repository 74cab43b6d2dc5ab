"""What the DNS says of the domain that mail comes from: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489).

Only what can be told without sending is looked at: whether the records are there, single, and make sense.
"""

from base64 import b64decode
from collections.abc import Sequence
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.resolver

SECONDS = 5.0
_RESERVED = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")


class Record(NamedTuple):
    """One kind of record: whether it is in order, what was found, and what to do."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


class SenderDns:
    """Asks the system's name servers, or those given as ``address`` or ``address:port``."""

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        self._asks_all = bool(nameservers)
        self._resolver = dns.resolver.Resolver(configure=not nameservers)
        if nameservers:
            hosts = [server.rpartition(":")[0] or server for server in nameservers]
            self._resolver.nameservers = list(hosts)
            ports = [server.rpartition(":")[2] for server in nameservers if ":" in server]
            self._resolver.port = int(ports[0]) if ports else 53
        self._resolver.lifetime = SECONDS

    def look(self, domain: str, *, selector: str = "", signs_as: str = "") -> list[Record]:
        """SPF and DMARC of a domain, and DKIM when the mail is signed (``selector``, under ``signs_as``)."""
        if not self._asks_all and any(domain == name or domain.endswith(f".{name}") for name in _RESERVED):
            return [Record("sender domain", True, f"{domain} is reserved for examples: nothing to look up.")]
        return [self._spf(domain), self._dkim(selector, signs_as or domain), self._dmarc(domain, signs_as or domain)]

    def _spf(self, domain: str) -> Record:
        try:
            found = [text for text in self._texts(domain) if text.lower().split(" ")[0] == "v=spf1"]
        except dns.exception.DNSException as error:
            return _unanswered("SPF", domain, error)
        publish = f'Publish a TXT record for {domain}, for example "v=spf1 include:<your mail provider> -all".'
        if not found:
            return Record("SPF", False, f"{domain} does not say which servers may send its mail.", publish)
        if len(found) > 1:
            return Record("SPF", False, f"{domain} has {len(found)} SPF records, which counts as none.", "Keep one.")
        last = found[0].lower().split()[-1]
        if last in ("+all", "all"):
            return Record("SPF", False, f"{domain} lets every server send its mail ({last}).", 'End it with "-all".')
        if last not in ("-all", "~all") and "redirect=" not in found[0].lower():
            return Record(
                "SPF", False, f"{domain}: the record does not say what else is forged.", 'End it with "-all".'
            )
        return Record("SPF", True, f"{domain}: {found[0]}")

    def _dkim(self, selector: str, domain: str) -> Record:
        if not selector:
            detail = f"Mail of {domain} is not signed here; a mail server that signs it is as good."
            return Record("DKIM", True, detail)
        name = f"{selector}._domainkey.{domain}"
        try:
            found = self._texts(name)
        except dns.exception.DNSException as error:
            return _unanswered("DKIM", name, error)
        if not found:
            remedy = f"Publish the public half of the key as a TXT record for {name}."
            return Record("DKIM", False, f"{name} has no key, so the signatures count for nothing.", remedy)
        tags = _tags(found[0])
        try:
            usable = tags.get("k", "rsa") == "rsa" and len(b64decode(tags.get("p", ""), validate=True)) > 0
        except ValueError:
            usable = False
        if len(found) > 1 or not usable:
            remedy = 'It should be one record: "v=DKIM1; k=rsa; p=<public key>".'
            return Record("DKIM", False, f"{name} has no usable key.", remedy)
        return Record("DKIM", True, f"{name} has a key.")

    def _dmarc(self, domain: str, signs_as: str) -> Record:
        name = f"_dmarc.{domain}"
        try:
            found = [text for text in self._texts(name) if _tags(text).get("v") == "DMARC1"]
        except dns.exception.DNSException as error:
            return _unanswered("DMARC", name, error)
        publish = f'Publish a TXT record for {name}, for example "v=DMARC1; p=quarantine; rua=mailto:<you>".'
        if len(found) != 1:
            detail = f"{domain} does not say what to do with forged mail." if not found else f"{name} is there twice."
            return Record("DMARC", False, detail, publish)
        policy = _tags(found[0]).get("p", "").lower()
        if policy not in ("none", "quarantine", "reject"):
            return Record("DMARC", False, f"{name} names no policy.", publish)
        if not _aligned(signs_as, domain):
            detail = f"Mail of {domain} is signed as {signs_as}, which is another domain."
            return Record("DMARC", False, detail, f"Sign as {domain}.")
        return Record("DMARC", True, f"{name}: {found[0]}")

    def _texts(self, name: str) -> list[str]:
        """The TXT records of a name; none where there is no such name."""
        try:
            answer = self._resolver.resolve(name, "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def _aligned(one: str, other: str) -> bool:
    """Whether one is the other or below it. (Relaxed alignment needs the list of public suffixes; this is stricter.)"""
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip(): value.strip().replace(" ", "") for name, equals, value in pairs if equals}


def _unanswered(what: str, name: str, error: Exception) -> Record:
    return Record(what, False, f"The DNS did not answer for {name} ({type(error).__name__}).", "Try again later.")
