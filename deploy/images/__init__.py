"""Images of compose files and Dockerfiles: ``python -m deploy.images`` writes digests beside their tags."""
