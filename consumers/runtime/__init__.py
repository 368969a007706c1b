"""The runtime: one thread owns the Kafka consumer; stages do the work; the outbox lets results out."""
