"""A fact on its way into the store. Light to import: a process that only reads makes these too."""

import hashlib
from datetime import datetime
from typing import Self

import msgspec

from adapter.core.facts import Contact, Fact
from adapter.core.persons import name_key
from adapter.store.stored import decode_contact, decode_patient, encode


class Incoming(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One fact as it was read, ready to be stored."""

    ref: str
    hash: str
    """Of the fact as it was read."""
    facts: str
    chart: str
    email_key: str = ""
    name_key: str = ""
    updated: datetime | None = None
    """``meta.lastUpdated``, where the EHR gives it."""
    origin: str = ""

    @classmethod
    def of(cls, fact: Fact, updated: datetime | None = None, origin: str = "") -> Self:
        """The fact with what the store finds it by; ``origin`` is the place where the record stood."""
        encoded = encode(fact)
        digest = hashlib.blake2b(encoded, digest_size=16).hexdigest()
        if isinstance(fact, Contact):
            names = name_key(fact.names)
            return cls(fact.ref, digest, encoded.decode(), fact.patient, fact.email_key, names, updated, origin)
        return cls(fact.ref, digest, encoded.decode(), fact.ref, updated=updated, origin=origin)

    @property
    def of_contact(self) -> bool:
        return self.ref.startswith("RelatedPerson/")

    @property
    def fact(self) -> Fact:
        return decode_contact(self.facts) if self.of_contact else decode_patient(self.facts)
