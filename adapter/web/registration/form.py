"""What a parent sends: a small form, within bounds."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.requests import ClientDisconnect

from adapter.core.redeem import SecondFact, date_answer, number_answer

MOST_BYTES = 4096
SECONDS = 10.0
TOKEN_LENGTH = 43
"""Of a token: 32 bytes in base64url (``core.welcome.link_token``)."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields, each once; empty for anything that is no such form, is too large, or does not arrive."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return {}
    data = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MOST_BYTES:
                    return {}
        return dict(parse_qsl(data.decode("ascii"), max_num_fields=10))
    except (TimeoutError, ClientDisconnect, ValueError):
        return {}


def token_in(fields: Mapping[str, str]) -> str:
    """The link's token; empty when there is none of the right form."""
    token = fields.get("token", "")
    plain = len(token) == TOKEN_LENGTH and token.isascii() and token.replace("-", "").replace("_", "").isalnum()
    return token if plain else ""


def answer_in(fields: Mapping[str, str], fact: SecondFact) -> str:
    """The answer in the form in which it is compared; empty when it is none."""
    if fact is SecondFact.RECORD_NUMBER:
        return number_answer(fields.get("number", ""))
    return date_answer(*(fields.get(part, "") for part in ("year", "month", "day")))
