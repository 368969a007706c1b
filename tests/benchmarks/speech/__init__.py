"""What the product writes about real sound on a real model, beside faster-whisper on the same weights."""
