"""A portal, or the identity provider in front of it, that speaks SCIM 2.0 (RFC 7643, RFC 7644)."""

from adapter.portal.scim.portal import ScimPortal

__all__ = ["ScimPortal"]
