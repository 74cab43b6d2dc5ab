"""Identifiers of rows: unique, and growing with time, so that new rows go to the end of an index and not all over it."""

import itertools
import secrets
import time

_counter = itertools.count(secrets.randbits(16))


def new_id() -> str:
    """26 hex digits: microseconds, a counter, and 24 random bits against another process at the same moment."""
    return f"{time.time_ns() // 1000:014x}{next(_counter) & 0xFFFFFF:06x}{secrets.randbits(24):06x}"
