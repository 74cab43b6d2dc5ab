"""The rules, as pure functions over facts: no I/O, no clock, no randomness; ``now`` is a parameter."""
