"""Commands that take audio and give transcripts."""
