"""Traces of records, through the broker inside librdkafka."""
