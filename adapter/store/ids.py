"""Identifiers of rows: unique, and growing with time, so that new rows go to the end of an index, not all over it."""

import itertools
import secrets
import time

_counter = itertools.count(secrets.randbits(16))
_process = secrets.token_hex(3)


def new_id() -> str:
    """26 hex digits: microseconds, a counter, and 24 random bits that tell processes apart."""
    return f"{time.time_ns() // 1000:014x}{next(_counter) & 0xFFFFFF:06x}{_process}"
