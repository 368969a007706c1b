"""Commands that ask the language model about transcripts."""
