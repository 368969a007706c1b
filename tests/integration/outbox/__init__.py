"""The outboxes on a real broker: the librdkafka mock has neither isolation nor transactional offsets."""
