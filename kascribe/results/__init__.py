"""Finished jobs in the bucket, read for commands: their transcripts, and their events published again."""
