"""Whether the broker serves this user: topics, rights, groups."""
