"""The archive as it is read: jobs listed, recordings searched, usage summed up. Nothing is written here."""
