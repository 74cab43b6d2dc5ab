"""A practice's portal, as its settings want it."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from adapter.portal import Portal
from adapter.portal.embedded import EmbeddedPortal
from adapter.settings import PracticeSettings
from adapter.store.engine import make_engine


def make_portal(practice: PracticeSettings, *, own: Callable[[], sa.Engine], clock: Callable[[], datetime]) -> Portal:
    """The practice's portal; ``own`` gives the adapter's database, in which the embedded one may keep its tables."""
    url = practice.portal.store_url
    engine = make_engine(url.get_secret_value()) if url else own()
    return EmbeddedPortal(
        engine, practice=practice.id, show_after_minutes=practice.portal.show_after_minutes, now=clock
    )
