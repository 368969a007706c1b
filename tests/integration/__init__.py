"""Tests against a real Kafka and a real MinIO on loopback."""
