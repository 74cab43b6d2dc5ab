"""The files that pages load: all of them here, each under an address that changes with its content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Response

FOLDER = Path(__file__).with_name("static")
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_FOREVER = "public, max-age=31536000, immutable"


def make_router() -> APIRouter:
    """The route: it knows the files that are there now, and reaches no others."""
    router = APIRouter()

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        found = _files().get(name)
        if found is None:
            raise HTTPException(404, "Not Found")
        headers = {"Cache-Control": _FOREVER if name != "LICENSES.txt" else "no-cache"}
        return Response(found.read_bytes(), media_type=_KINDS[found.suffix], headers=headers)

    return router


def address_of(name: str) -> str:
    """Where a page finds this file: ``/static/desk-1a2b3c4d.css``."""
    return f"/static/{_hashed(FOLDER / name)}"


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    files = [file for file in FOLDER.iterdir() if file.suffix in _KINDS]
    # The stylesheet names its fonts as they are called: a browser reads no hash out of it.
    return {name: file for file in files for name in (file.name, _hashed(file))}


@lru_cache(maxsize=64)
def _hashed(file: Path) -> str:
    return f"{file.stem}-{hashlib.sha256(file.read_bytes()).hexdigest()[:10]}{file.suffix}"
