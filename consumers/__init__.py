"""Everything that comes in: the Kafka runtime, object fetch, and the two stages."""
