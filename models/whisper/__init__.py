"""Speech to text with Whisper: batches are shared by all records; ``Transcriber`` is the entry point."""
