#!/bin/sh
# Creates the topics that must be there before anybody publishes; Kascribe itself creates retry and dead-letter
# topics. Safe to repeat: a topic that exists stays as it is.
set -eu

for name in references objects cancellations transcripts enrichments progress; do
  /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$BOOTSTRAP_SERVERS" --create --if-not-exists \
    --topic "audio.$name" --partitions "$PARTITIONS"
done
