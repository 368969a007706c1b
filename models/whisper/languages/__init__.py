"""Which language is spoken: one for the whole file, or one for each span of speech."""
