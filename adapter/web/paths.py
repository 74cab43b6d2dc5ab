"""Where an answer may lead: to pages of this service alone."""

from urllib.parse import urlsplit

HOME = "/"


def own_path(given: str) -> str:
    """The path of a page of this service; home for whatever could lead anywhere else."""
    try:
        parts = urlsplit(given)
    except ValueError:
        return HOME
    plain = given.isascii() and given.isprintable() and "\\" not in given and len(given) <= 500
    if not plain or parts.scheme or parts.netloc or not given.startswith("/") or given.startswith("//"):
        return HOME
    return given
