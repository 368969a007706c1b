"""Events on Kafka: records, headers, wire format, topics, dead letters."""
