"""The archive's schema, one script per revision. A script that was released is never changed."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

_LOCK: Final = 7_249_021_331
"""PostgreSQL's advisory lock of processes that migrate an archive: one at a time."""


def migrate(connection: Connection) -> None:
    """Bring the schema to the last revision. Blocks; safe to repeat and to race; the caller commits.

    Nothing is changed when a script fails. Raises what the database raises.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    configuration = _configuration()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def last_revision() -> str | None:
    """Return the revision that ``migrate`` leads to."""
    return ScriptDirectory.from_config(_configuration()).get_current_head()


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration
