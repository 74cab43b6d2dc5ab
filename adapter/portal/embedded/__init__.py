"""The portal that comes with the adapter: a directory of accounts, grants and home pages in tables of its own."""

from adapter.portal.embedded.portal import EmbeddedPortal

__all__ = ["EmbeddedPortal"]
