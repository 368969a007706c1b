"""The archive's role: jobs, transcripts and enrichments from the topics and the bucket into a database."""
