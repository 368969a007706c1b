"""OpenAI's own clients, unchanged, against the gateway."""
