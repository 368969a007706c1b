"""Jobs that outlive their request: submit, read the transcript and the enrichments, enrich, cancel, delete."""
