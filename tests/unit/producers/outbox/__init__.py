"""The outboxes, without a broker."""
