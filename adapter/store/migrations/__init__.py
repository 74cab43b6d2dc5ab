"""Creating and changing the schema, with alembic; each step is one file in ``versions/``, written by hand."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from adapter.errors import FatalError
from adapter.store.engine import begin, read

_LOCK = 0x61646170746572  # "adapter": PostgreSQL's advisory lock, so that two migrations take turns


def migrate(engine: sa.Engine) -> None:
    """Brings the schema up to date in one transaction. Doing it twice, or in two processes at once, is harmless.

    Raises FatalError when the database was written by a newer version of the adapter, or cannot be reached.
    """
    config = _config()
    with begin(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:
            raise FatalError(
                "The database was written by a newer version of the adapter. Install that version again."
            ) from None


def is_new(engine: sa.Engine) -> bool:
    """True when nothing was ever migrated here. Raises FatalError when the database cannot be reached."""
    with read(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision() is None


def pending(engine: sa.Engine) -> bool:
    """True when ``migrate`` would change something. Raises FatalError when the database cannot be reached."""
    with read(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current != ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
