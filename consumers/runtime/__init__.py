"""The runtime: one thread owns the Kafka consumer, workers run the stage, the committer publishes and commits."""
