"""The Kafka client on the reading side: configuration, messages as records, followers, fatal errors."""
