"""A dead man's switch: an address that is called at each run, and raises the alarm when it is called no more.

The addresses of healthchecks.io: the bare one for success, ``/start`` and ``/fail`` below it
(https://healthchecks.io/docs/http_api/). Nothing is sent but the call itself, and no redirect is followed.
"""

from urllib.parse import urlsplit, urlunsplit

import requests

from adapter.errors import RetriableError
from adapter.http.wire import make_session

SECONDS = 5.0


def call(url: str, step: str = "") -> None:
    """Calls the address, or the step (``start``, ``fail``) below it.

    Raises RetriableError when the call was not taken; the address, a secret of sorts, is not in its message.
    """
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{step}" if step else parts.path
    address = urlunsplit(parts._replace(path=path))
    try:
        with (
            make_session(1) as session,
            session.get(address, timeout=SECONDS, allow_redirects=False, stream=True) as answer,
        ):
            status = answer.status_code
    except (requests.RequestException, ValueError, OSError) as error:
        raise RetriableError(f"The watcher of runs cannot be reached ({type(error).__name__}).") from None
    if not 200 <= status < 300:
        raise RetriableError(f"The watcher of runs answered {status}.")
