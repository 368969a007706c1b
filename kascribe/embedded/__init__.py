"""``kascribe up``: broker, object store, consumers and drop folder in one process tree, for one machine."""
