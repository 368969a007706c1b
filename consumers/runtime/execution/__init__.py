"""How flights run: workers, the mailbox, isolation of suspects, followers."""
