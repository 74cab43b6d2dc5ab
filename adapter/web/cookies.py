"""The session's cookie, and the token a form must bring along so that no other site can send it."""

import hashlib
import hmac
from urllib.parse import urlsplit

from fastapi import Request, Response

from adapter.settings import Settings

LANGUAGE = "adapter_language"


def session_cookie(settings: Settings) -> str:
    """The cookie's name. Over https ``__Host-``: the browser then takes it from this very host alone (RFC 6265bis)."""
    return "__Host-adapter" if is_https(settings) else "adapter"


def is_https(settings: Settings) -> bool:
    """Whether people reach the service by https."""
    return bool(settings.web.public_url and settings.web.public_url.startswith("https://"))


def set_session(response: Response, token: str, settings: Settings) -> None:
    """Gives the browser its token, until it is closed."""
    response.set_cookie(
        session_cookie(settings), token, path="/", secure=is_https(settings), httponly=True, samesite="strict"
    )


def drop_session(response: Response, settings: Settings) -> None:
    """Takes the token back."""
    response.delete_cookie(
        session_cookie(settings), path="/", secure=is_https(settings), httponly=True, samesite="strict"
    )


def csrf_token(token: str) -> str:
    """What every form of this session holds; nobody without the session's token can know it."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_same_origin(request: Request, settings: Settings) -> bool:
    """Whether the browser says that this page of ours sent the request: by Origin, else by Sec-Fetch-Site.

    A request with neither is refused: every browser since 2020 sends one with a POST (Fetch, "Origin" header).
    """
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    scheme = "https" if is_https(settings) else "http"
    ours = {f"{scheme}://{request.headers.get('host', '')}".lower()}
    if settings.web.public_url:
        public = urlsplit(settings.web.public_url)
        ours.add(f"{public.scheme}://{public.netloc}".lower())
    return origin.lower() in ours
