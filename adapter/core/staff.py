"""Who of the practice's staff may do what: three roles, each of which may do everything the one before it may."""

from enum import StrEnum


class StaffRole(StrEnum):
    """``viewer`` looks; ``reconciler`` also settles, resends, syncs a family; ``admin`` also publishes and releases."""

    VIEWER = "viewer"
    RECONCILER = "reconciler"
    ADMIN = "admin"

    def covers(self, other: "StaffRole") -> bool:
        """Whether somebody with this role may do what needs the other one."""
        order = list(StaffRole)
        return order.index(self) >= order.index(other)


STAFF_TRAIL = "adapter.staff"
"""The audit trail of who signed in and who may do what: beside those of the practices, and no practice can be so named.

Of its own, because whoever adds to a practice's trail waits until nobody else changes that practice.
"""
