"""Who is behind a request: what the guard found out, and what a route may ask of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi import HTTPException, Request

from adapter.core.staff import StaffRole
from adapter.jobs.sign_in import SignedIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody, or a program, that may use routes. ``actor`` is their name in the audit trail."""

    name: str
    actor: str
    roles: Mapping[str, StaffRole]
    """By practice."""
    csrf: str = ""
    """What a change must bring along; empty for who does not come with a cookie."""
    session: SignedIn | None = None
    """Where they are signed in; None for a program with a token."""

    def may(self, role: StaffRole, practice: str) -> bool:
        """Whether they have this role, or a higher one, at this practice."""
        return practice in self.roles and self.roles[practice].covers(role)

    def practices(self, role: StaffRole = StaffRole.VIEWER) -> Sequence[str]:
        """Where they have this role, or a higher one."""
        return [practice for practice in self.roles if self.may(role, practice)]


Authenticate = Callable[[Request], Caller | None]
"""One way of knowing a caller: None when the request brings nothing of the kind. May ask the database."""


def caller(request: Request) -> Caller:
    """The caller of a route that needs one; for ``Depends``. Raises 401 where the guard let nobody through."""
    found = getattr(request.state, "caller", None)
    if not isinstance(found, Caller):
        raise HTTPException(401, "Sign in first.")
    return found


def require(role: StaffRole, practice: str | None = None) -> Callable[[Request], Caller]:
    """A dependency: a caller with this role at ``practice``, at the path's practice, or at any one.

    The table of permissions has said so already; this is for routes that learn of the practice later, and a second
    lock where it matters. Raises 401 and 403.
    """

    def dependency(request: Request) -> Caller:
        found = caller(request)
        wanted = practice or request.path_params.get("practice")
        if not (found.may(role, wanted) if wanted else found.practices(role)):
            raise HTTPException(403, "Your role does not allow this.")
        return found

    return dependency
