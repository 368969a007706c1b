"""Images: their references, their digests from a registry, and the steps that build ours."""
