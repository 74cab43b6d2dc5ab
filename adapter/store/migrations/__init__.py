"""Creating and changing the schema, with alembic; each step is one file in ``versions/``, written by hand.

Every command looks whether something is to be changed; alembic itself is loaded only when it is.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.store.engine import begin, read

if TYPE_CHECKING:
    from alembic.config import Config

_HERE = Path(__file__).parent
_LOCK = 0x61646170746572  # "adapter": PostgreSQL's advisory lock, so that two migrations take turns


def migrate(engine: sa.Engine) -> None:
    """Brings the schema up to date in one transaction. Doing it twice, or in two processes at once, is harmless.

    Raises FatalError when the database was written by a newer version of the adapter, or cannot be reached.
    """
    from alembic import command
    from alembic.util import CommandError

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
        return not _done(connection)


def pending(engine: sa.Engine) -> bool:
    """True when ``migrate`` would change something. Raises FatalError when the database cannot be reached."""
    with read(engine) as connection:
        return _done(connection) != [newest()]


def newest() -> str:
    """The revision that ``migrate`` leads to: files are named by their revisions, which are numbers in a row."""
    return max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))


def _done(connection: sa.Connection) -> list[str]:
    """The revision this database has, where it has one (https://alembic.sqlalchemy.org/en/latest/api/runtime.html)."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
