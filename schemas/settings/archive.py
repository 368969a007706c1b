"""The settings of the archive."""

import re
from typing import Final

from pydantic import Field, SecretStr, field_validator

from schemas.settings.types import Count, Seconds, Section

SQLITE: Final = "sqlite:///"
POSTGRESQL: Final = "postgresql+psycopg://"
ARCHIVE_URL: Final = "KASCRIBE_ARCHIVE_URL"

_POSTGRESQL_ALIAS: Final = re.compile(r"^postgres(ql)?://")


class ArchiveSettings(Section):
    """The database of jobs, transcripts and enrichments that the gateway lists and searches."""

    url: SecretStr | None = Field(
        default=None,
        description="sqlite:///path/archive.db, or postgresql://user:password@host/database?sslmode=require; "
        "without it there is no archive.",
    )
    connection_limit: Count = Field(default=8, description="Connections to the database per process.")
    timeout_seconds: Seconds = Field(
        default=10.0,
        description="Limit of one connect, of one wait for a lock, and of one statement of a gateway.",
    )

    @field_validator("url")
    @classmethod
    def _known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        url = _POSTGRESQL_ALIAS.sub(POSTGRESQL, value.get_secret_value().strip())
        if not url.startswith((SQLITE, POSTGRESQL)) or url in {SQLITE, POSTGRESQL}:
            raise ValueError("Input should be as in sqlite:///path/archive.db or postgresql://user@host/database")
        return SecretStr(url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the archive is a file on this machine."""
        return self.url is not None and self.url.get_secret_value().startswith(SQLITE)
