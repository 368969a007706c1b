"""What the engine does beside faster-whisper and CTranslate2 alone: throughput, latency, memory, broken files."""
