"""Who is asking: the ``Authorization`` header of every request to the EHR. One file for each way to get one."""

from typing import Protocol

from adapter.ehr import Check


class Authorization(Protocol):
    """One way to be known to the EHR. Used by several threads at once; its repr shows no secret."""

    def header(self) -> str | None:
        """The value of the ``Authorization`` header to send now, such as ``Bearer …``; None when there is none.

        Gets or renews a token when that is due. Raises SourceError when none is granted, or too little is allowed.
        """
        ...

    def renew(self, refused: str | None) -> bool:
        """Called after a 401 to ``refused``, the header that was sent: whether ``header`` now has another one.

        True also when another thread has renewed it meanwhile; False when asking again cannot help. Raises SourceError
        like ``header``.
        """
        ...

    def check(self) -> list[Check]:
        """The lines of ``adapter check``; may ask for a token, never for a patient."""
        ...
