"""Where the link in a Welcome email leads: a public page for parents, and the same check for a portal's own page."""

from adapter.web.registration.routes import is_ours, make_router

__all__ = ["is_ours", "make_router"]
