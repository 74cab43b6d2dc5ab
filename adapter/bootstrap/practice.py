"""One practice as the jobs see it, from its settings and its mapping profile."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from adapter.core.mapping import Mapper, MappingProfile
from adapter.ehr import Reader
from adapter.jobs.practice import Practice
from adapter.profiles import load_profile
from adapter.settings import FilesEhr, PracticeSettings

UNDECISIVE = ("repair_portal", "brakes", "release_needs_two", "release_days")
"""Switches that say how much may happen at once, not what is right: another value is no reason to decide anew."""


def make_practice(
    settings: PracticeSettings, reader: Callable[[PracticeSettings, MappingProfile], Reader], folder: Path
) -> Practice:
    """The practice, with ``reader`` made for its profile; profiles in ``folder`` come first.

    Raises ConfigError listing the faults of the profile, or what ``reader`` refuses.
    """
    profile = load_profile(settings.mapping, [folder / "mappings"])
    policy = settings.policy.to_policy()
    base_url = None if isinstance(settings.ehr, FilesEhr) else settings.ehr.base_url
    switches = msgspec.to_builtins(policy, order="deterministic")
    decisive = {name: value for name, value in switches.items() if name not in UNDECISIVE}
    rules = msgspec.json.encode((profile.hash, decisive, settings.time_zone))
    return Practice(
        id=settings.id,
        name=settings.name,
        policy=policy,
        zone=ZoneInfo(settings.time_zone),
        reader=reader(settings, profile),
        mapper=Mapper(profile, base_url=base_url),
        rules_hash=hashlib.sha256(rules).hexdigest(),
        authority_file=settings.authority_file,
    )
