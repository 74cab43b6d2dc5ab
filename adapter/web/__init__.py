"""The service's HTTP door: health, and what an EHR pushes."""

from adapter.web.app import make_app
from adapter.web.server import WebServer

__all__ = ["WebServer", "make_app"]
