"""Benchmarks of times: words beside faster-whisper's, and cues of subtitles."""
