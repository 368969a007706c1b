"""The routes of the archive: jobs listed, recordings searched, usage summed up."""
