"""What schemathesis sends as a file: recordings that the engine of the tests reads, and bytes that it refuses.

schemathesis imports this module; see ``SCHEMATHESIS_HOOKS``.
"""

import schemathesis
from hypothesis import strategies

from tests.sound.wav_listener import wav_bytes

FILES = strategies.one_of(strategies.integers(1, 3).map(wav_bytes), strategies.binary(max_size=64))
schemathesis.openapi.format("binary", FILES)
