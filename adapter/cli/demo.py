"""``adapter demo``: the whole story on this machine, with an invented practice."""
