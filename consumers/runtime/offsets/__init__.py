"""Pure book-keeping of offsets: the ledger, the gap map, the journal. Imports no Kafka client."""
