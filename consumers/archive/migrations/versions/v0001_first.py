"""Make the first tables, and the search index of each database."""

from contextlib import suppress
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import ProgrammingError

revision = "0001"
down_revision = None

_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _archive()
    _jobs()
    _of_jobs()
    if op.get_bind().dialect.name == "postgresql":
        _search_of_postgresql()
        _parts_of_names_of_postgresql()
    else:
        op.execute("CREATE VIRTUAL TABLE search USING fts5(terms, tokenize = 'ascii')")


def _archive() -> None:
    op.create_table(
        "archive",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("loaded_until", sa.Text),
        sa.Column("loaded_at_ms", sa.BigInteger),
    )
    op.create_table(
        "deletions",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("deleted_at_ms", sa.BigInteger, nullable=False),
    )


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("job_id", sa.Text, nullable=False, unique=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("source_uri", sa.Text),
        sa.Column("source_version_id", sa.Text),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("fraction", sa.Float),
        sa.Column("status", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("languages", sa.JSON, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("task", sa.Text),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
        sa.Column("finished_at_ms", sa.BigInteger),
        sa.Column("audio_duration_seconds", sa.Float),
        sa.Column("speech_duration_seconds", sa.Float),
        sa.Column("processing_seconds", sa.Float),
        sa.Column("flags", sa.JSON, nullable=False),
        sa.Column("failure_reason", sa.Text),
        sa.Column("failure_message", sa.Text),
        sa.Column("transcript_uri", sa.Text),
        sa.Column("content_key", sa.Text),
        sa.Column("reused", sa.Boolean, nullable=False),
        sa.Column("text_preview", sa.Text),
        sa.Column("enrichment_count", sa.Integer, nullable=False),
        sa.Column("standing", sa.JSON, nullable=False),
    )
    newest = (sa.text("created_at_ms DESC"), sa.text("number DESC"))
    op.create_index("jobs_by_time", "jobs", [*newest, "name"])
    op.create_index("jobs_by_tenant", "jobs", ["tenant", *newest, "name"])
    op.create_index("jobs_by_phase", "jobs", ["phase", *newest, "tenant"])
    op.create_index("jobs_by_language", "jobs", ["language", *newest, "tenant"])


def _of_jobs() -> None:
    op.create_table(
        "segments",
        sa.Column("job_number", _NUMBER, sa.ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_seconds", sa.Float, nullable=False),
        sa.Column("end_seconds", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("channel", sa.Integer),
        sa.Column("language", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "enrichments",
        sa.Column("job_number", _NUMBER, sa.ForeignKey("jobs.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("enrichment_id", sa.Text, primary_key=True),
        sa.Column("profile", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("output", sa.JSON),
        sa.Column("occurred_at_ms", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )


def _search_of_postgresql() -> None:
    op.execute(
        "CREATE TABLE search (job_number bigint PRIMARY KEY REFERENCES jobs (number) ON DELETE CASCADE, "
        "terms tsvector NOT NULL, words text NOT NULL)"
    )
    # The planner reads common words along the numbers and rare ones from the index: it must know which is which.
    op.execute("ALTER TABLE search ALTER COLUMN terms SET STATISTICS 1000")
    # Every search reads the entries that are not merged yet: at most half a megabyte of them.
    op.execute("CREATE INDEX search_terms ON search USING gin (terms) WITH (gin_pending_list_limit = 512)")


def _parts_of_names_of_postgresql() -> None:
    """Index the parts of names with pg_trgm; without it, rows are read until enough are found."""
    bind = op.get_bind()
    if not bind.scalar(sa.text("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'")):
        return
    # The database's owner, and users with the right CREATE in it, may add this extension.
    with suppress(ProgrammingError), bind.begin_nested():
        bind.execute(sa.text("CREATE EXTENSION IF NOT EXISTS pg_trgm"))
        bind.execute(sa.text("CREATE INDEX jobs_by_name ON jobs USING gin (name gin_trgm_ops)"))
