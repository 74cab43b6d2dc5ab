"""Telling somebody outside whether the work gets done: one address per practice that expects to hear from us."""

from adapter.alerts.ping import call

__all__ = ["call"]
