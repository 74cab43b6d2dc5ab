"""Any other portal, by a contract of our own: openapi.json beside this file says what it has to answer."""

from adapter.portal.http.portal import HttpPortal

__all__ = ["HttpPortal"]
