"""The one table of who may use which route. A route that is not in it does not exist: the service refuses to start.

A role counts at the practice that the path names (``{practice}``); where the path names none, somebody needs that role
at one practice at least, and the route looks at no other practices than those (``Caller.practices``).
"""

from enum import StrEnum
from types import MappingProxyType

from adapter.core.staff import StaffRole


class Need(StrEnum):
    """What it takes to use a route."""

    NOTHING = "nothing"
    """Open to everybody who reaches the service."""
    SECRET = "a secret of its own"  # noqa: S105 - says so, is none
    """The route itself checks what the caller brings."""
    SIGNED_IN = "signed in"
    """Any role at any practice."""
    VIEWER = "viewer"
    RECONCILER = "reconciler"
    ADMIN = "admin"

    @property
    def role(self) -> StaffRole | None:
        """The role that is needed, where one is."""
        return StaffRole(self.value) if self.value in [role.value for role in StaffRole] else None


ROUTES = MappingProxyType(
    {
        "GET /healthz": Need.NOTHING,
        "GET /readyz": Need.NOTHING,
        "GET /metrics": Need.SECRET,
        "GET /static/{name}": Need.NOTHING,
        "POST /notify/{practice}": Need.SECRET,
        "PUT /notify/{practice}": Need.SECRET,
        "POST /notify/{practice}/{rest:path}": Need.SECRET,
        "PUT /notify/{practice}/{rest:path}": Need.SECRET,
        "DELETE /notify/{practice}/{rest:path}": Need.SECRET,
        "POST /bounces": Need.SECRET,
        # The link in a Welcome email: its token is the secret, and a page without a referrer has no origin to compare
        "GET /register/{practice}": Need.SECRET,
        "HEAD /register/{practice}": Need.SECRET,
        "POST /register/{practice}": Need.SECRET,
        "POST /register/{practice}/verify": Need.SECRET,
        # What EHR vendors read; what may not be done there is refused in FHIR's own words.
        "POST /oauth2/token": Need.SECRET,
        **{
            f"{method} /fhir/{{practice}}{rest}": Need.SECRET
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
            for rest in ("", "/{rest:path}")
        },
        "GET /demo/{given}": Need.SECRET,
        # The JSON API. Syncing the whole practice takes an admin: the route looks.
        "GET /api/v1/openapi.json": Need.SIGNED_IN,
        **{
            f"GET /api/v1/practices/{{practice}}/{path}": Need.VIEWER
            for path in (
                "accounts",
                "accounts/{email}",
                "explain",
                "findings",
                "runs",
                "runs/{run}",
                "held",
                "merges",
                "merges/{chart}",
                "outbox",
                "widgets",
                "audit",
            )
        },
        "POST /api/v1/practices/{practice}/plan": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/sync": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/accounts/{email}/register": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/accounts/{email}/suspend": Need.ADMIN,
        "POST /api/v1/practices/{practice}/accounts/{email}/lift": Need.ADMIN,
        "POST /api/v1/practices/{practice}/findings/{finding}/decide": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/runs/{run}/release": Need.ADMIN,
        "POST /api/v1/practices/{practice}/runs/{run}/undo": Need.ADMIN,
        "POST /api/v1/practices/{practice}/accounts/{email}/revoke": Need.ADMIN,
        "POST /api/v1/practices/{practice}/deliver": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/widgets/publish": Need.ADMIN,
        "POST /api/v1/practices/{practice}/widgets/{revision}/rollback": Need.ADMIN,
        "POST /api/v1/practices/{practice}/outbox/{effect}/retry": Need.RECONCILER,
        "POST /api/v1/practices/{practice}/outbox/{effect}/cancel": Need.RECONCILER,
        "GET /api/v1/practices/{practice}/audit/verify": Need.ADMIN,
        "POST /api/v1/practices/{practice}/merges/{chart}": Need.ADMIN,
        # Signing in and out
        "GET /sign-in": Need.NOTHING,
        "POST /sign-in": Need.NOTHING,
        "GET /sign-in/oidc": Need.NOTHING,
        "GET /sign-in/oidc/back": Need.NOTHING,
        "POST /sign-out": Need.SIGNED_IN,
        "POST /language": Need.NOTHING,
        # Pages
        "GET /": Need.SIGNED_IN,
        "GET /p/{practice}/today": Need.VIEWER,
        "GET /p/{practice}/find": Need.VIEWER,
        "POST /p/{practice}/find": Need.VIEWER,
        "GET /p/{practice}/findings": Need.VIEWER,
        "POST /p/{practice}/findings": Need.RECONCILER,
        "GET /p/{practice}/plans": Need.VIEWER,
        "POST /p/{practice}/plans/{run}/release": Need.ADMIN,
        "GET /p/{practice}/merges/{chart}": Need.VIEWER,
        "POST /p/{practice}/merges/{chart}": Need.ADMIN,
        "GET /p/{practice}/runs": Need.VIEWER,
        "GET /p/{practice}/runs/{run}": Need.VIEWER,
        "GET /p/{practice}/outbox": Need.VIEWER,
        "POST /p/{practice}/outbox/retry": Need.RECONCILER,
        "POST /p/{practice}/outbox/cancel": Need.RECONCILER,
        "GET /p/{practice}/widgets": Need.VIEWER,
        "POST /p/{practice}/widgets/publish": Need.ADMIN,
        "GET /p/{practice}/widgets/edit": Need.ADMIN,
        "POST /p/{practice}/widgets/edit/preview": Need.ADMIN,
        "POST /p/{practice}/widgets/edit": Need.ADMIN,
        "GET /p/{practice}/widgets/{revision}/rollback": Need.ADMIN,
        "POST /p/{practice}/widgets/{revision}/rollback": Need.ADMIN,
        "GET /p/{practice}/audit": Need.VIEWER,
        "POST /p/{practice}/audit": Need.VIEWER,
        "POST /p/{practice}/audit/export": Need.ADMIN,
        "GET /p/{practice}/settings": Need.VIEWER,
        "GET /p/{practice}/accounts/{account}": Need.VIEWER,
        "GET /p/{practice}/contacts/{contact}": Need.VIEWER,
        "GET /p/{practice}/charts/{chart}": Need.VIEWER,
        "POST /p/{practice}/accounts/{account}/sync": Need.RECONCILER,
        "POST /p/{practice}/contacts/{contact}/sync": Need.RECONCILER,
        "GET /p/{practice}/accounts/{account}/register": Need.RECONCILER,
        "POST /p/{practice}/accounts/{account}/register": Need.RECONCILER,
        "GET /p/{practice}/accounts/{account}/suspend": Need.ADMIN,
        "POST /p/{practice}/accounts/{account}/suspend": Need.ADMIN,
        "POST /p/{practice}/accounts/{account}/lift": Need.ADMIN,
        "GET /p/{practice}/break-glass": Need.VIEWER,
        "POST /p/{practice}/break-glass": Need.VIEWER,
        "POST /p/{practice}/mend-glass": Need.VIEWER,
    }
)
