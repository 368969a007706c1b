"""The committer: outputs first or together with their commits."""
