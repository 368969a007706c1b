"""Pure book-keeping of offsets: the ledger, the gap map, the journal. No I/O, no threads, no clock."""
