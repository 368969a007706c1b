"""The Whisper engine: windows of many records share its batches; one Transcriber per process is its front."""
