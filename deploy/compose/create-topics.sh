#!/bin/sh
# Create the topics that must exist before the first record is published; Kascribe itself creates retry and dead-letter
# topics. Safe to repeat: an existing topic is not changed.
set -eu

for name in references objects cancellations deletions transcripts enrich-requests enrichments progress webhooks; do
  /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$BOOTSTRAP_SERVERS" --create --if-not-exists \
    --topic "audio.$name" --partitions "$PARTITIONS"
done
