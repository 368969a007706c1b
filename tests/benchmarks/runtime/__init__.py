"""What the runtime and its ledger cost per record."""
