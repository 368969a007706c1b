"""Generation of the documents in docs/: contracts, tables, the page of commands."""
