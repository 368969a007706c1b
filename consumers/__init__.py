"""The reading side: the Kafka runtime, and the two roles that run on it."""
