"""The Kafka client on the reading side: configuration, records, committed offsets, followers, fatal errors."""
