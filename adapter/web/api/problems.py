"""Every refusal of the JSON API in one shape: RFC 9457, ``application/problem+json``."""

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Request, Response

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"


class Problem(Exception):
    """A request that is not done; ``detail`` says why and what to do, for people."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        self.status, self.detail, self.headers = status, detail, headers
        super().__init__(detail)


def is_api(request: Request) -> bool:
    """Whether it is a program that asks."""
    return request.url.path.startswith(PREFIX)


def told(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """The problem as an answer."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail} | more
    return Response(orjson.dumps(told), status, headers, media_type=MEDIA_TYPE)
