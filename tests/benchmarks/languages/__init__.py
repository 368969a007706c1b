"""Files that change their language, beside faster-whisper on the same weights."""
