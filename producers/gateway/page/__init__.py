"""The page for people at ``/``: uploads, jobs as they run, transcripts, search."""
