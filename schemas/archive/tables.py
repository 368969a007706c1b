"""The archive's tables, for SQLite and PostgreSQL alike, as the last migration leaves them.

Times are milliseconds since the epoch, UTC. The search index differs by database and is no part of ``METADATA``:

- SQLite: the FTS5 table ``search(terms)`` with the tokenizer ``ascii``. Its ``rowid`` is ``jobs.number``.
- PostgreSQL: ``search(job_number, terms tsvector, words text)``. ``terms`` has no positions and a GIN index;
  ``words`` has all terms in order, each between two spaces, for phrases.

Only recordings with a transcript are in it: name, text and metadata, with ``tenant_term`` and ``language_term``
of ``schemas.archive.search_terms`` beside them.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    column,
    table,
)

SCHEMA_VERSION: Final = "0001"
"""The revision that these tables are: that of the last migration, as in the table ``alembic_version``."""

METADATA: Final = MetaData()
_Number: Final = BigInteger().with_variant(Integer(), "sqlite")
"""On SQLite an INTEGER PRIMARY KEY is the rowid itself."""

ARCHIVE: Final = Table(
    "archive",
    METADATA,
    Column("id", Text, primary_key=True),  # random; part of the consumer group's name
    Column("created_at_ms", BigInteger, nullable=False),
    Column("loaded_until", Text, nullable=True),  # last key of the bucket that was loaded; None: nothing yet
    Column("loaded_at_ms", BigInteger, nullable=True),  # when all of the bucket was loaded
)

JOBS: Final = Table(
    "jobs",
    METADATA,
    Column("number", _Number, primary_key=True, autoincrement=False),  # see schemas.archive.numbers
    Column("job_id", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("name", Text, nullable=False),
    Column("source_uri", Text),
    Column("source_version_id", Text),
    Column("lane", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("phase", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("fraction", Float),
    Column("status", Text),
    Column("language", Text),
    Column("languages", JSON, nullable=False),
    Column("model", Text),
    Column("task", Text),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("finished_at_ms", BigInteger),
    Column("audio_duration_seconds", Float),
    Column("speech_duration_seconds", Float),
    Column("processing_seconds", Float),
    Column("flags", JSON, nullable=False),
    Column("failure_reason", Text),
    Column("failure_message", Text),
    Column("transcript_uri", Text),
    Column("content_key", Text),
    Column("reused", Boolean, nullable=False),
    Column("text_preview", Text),
    Column("enrichment_count", Integer, nullable=False),
    Column("standing", JSON, nullable=False),  # the latest event of each kind, from which phase and failure follow
)

# With the name, so that SQLite looks for parts of names in the index alone.
Index("jobs_by_time", JOBS.c.created_at_ms.desc(), JOBS.c.number.desc(), JOBS.c.name)
Index("jobs_by_tenant", JOBS.c.tenant, JOBS.c.created_at_ms.desc(), JOBS.c.number.desc(), JOBS.c.name)
Index("jobs_by_phase", JOBS.c.phase, JOBS.c.created_at_ms.desc(), JOBS.c.number.desc(), JOBS.c.tenant)
Index("jobs_by_language", JOBS.c.language, JOBS.c.created_at_ms.desc(), JOBS.c.number.desc(), JOBS.c.tenant)

SEGMENTS: Final = Table(
    "segments",
    METADATA,
    Column("job_number", _Number, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),  # the segment's id
    Column("start_seconds", Float, nullable=False),
    Column("end_seconds", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("channel", Integer),
    Column("language", Text),
    sqlite_with_rowid=False,
)

ENRICHMENTS: Final = Table(
    "enrichments",
    METADATA,
    Column("job_number", _Number, ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
    Column("enrichment_id", Text, primary_key=True),  # the digest of the options
    Column("profile", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("output", JSON(none_as_null=True)),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("flags", JSON, nullable=False),
    sqlite_with_rowid=False,
)

DELETIONS: Final = Table(
    "deletions",
    METADATA,
    Column("job_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("deleted_at_ms", BigInteger, nullable=False),
)

SEARCH_SQLITE: Final = table("search", column("rowid", BigInteger), column("terms", Text))
SEARCH_POSTGRESQL: Final = table(
    "search", column("job_number", BigInteger), column("terms"), column("words", Text)
)
