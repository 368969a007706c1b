"""Webhooks: addresses, targets, payloads and signatures, as Standard Webhooks 1.0 describes them. Pure."""
