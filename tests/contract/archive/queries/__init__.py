"""The archive's questions, on SQLite and on a real PostgreSQL server, filled by the archive's own stage."""
