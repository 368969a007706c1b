"""Decoding child: reads requests from its input, one at a time, and writes replies to its output.

It holds no credentials, limits its own memory and processor time, and may be killed at any moment.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import onnxruntime

from models.media.decoding.sound import DecodeStats, SoundReader
from models.media.decoding.track_choice import speech_by_track
from models.media.messages import (
    ChildReady,
    ContainerOpened,
    DecodeFinished,
    DecodeProgress,
    DecodeRefused,
    DecodeRequest,
    Message,
    WindowReady,
    encode,
)
from models.media.speech.features import LogMel
from models.media.speech.packing import EverySpan, PackedWindow, SpeechSpans, WindowPacker
from models.media.speech.silero import VoiceDetector, load_session
from models.media.speech.spans import CHUNK_SAMPLES
from models.media.speech.windows import SAMPLE_RATE_HERTZ
from schemas.clock import Clock, SystemClock
from schemas.errors import AudioTooLarge, AudioTooLong, PermanentError, Reason

BLOCK_SAMPLES: Final = 625 * CHUNK_SAMPLES
"""Twenty seconds of audio, decoded and searched for speech at a time; a minute costs 100 MB more."""
BLOCK_CPU_SECONDS: Final = 300
"""Limit of processor seconds per block; a block takes about a tenth of a second."""
_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class StageSeconds:
    """Seconds spent per stage."""

    decode: float = 0.0
    vad: float = 0.0
    features: float = 0.0


class SpoolFull(Exception):
    """The disk is full. ``needed_bytes``: spool size of the whole recording, estimated from the part decoded."""

    def __init__(self, needed_bytes: int) -> None:
        super().__init__(f"the features need about {needed_bytes:,} bytes")
        self.needed_bytes = needed_bytes


class DecodeRun:
    """Execution of one request: reads blocks of audio, writes windows to the spool and messages to the parent."""

    def __init__(
        self, request: DecodeRequest, output: BinaryIO, session: onnxruntime.InferenceSession, *, clock: Clock
    ) -> None:
        self._request = request
        self._output = output
        self._session = session
        self._clock = clock
        self._mel = LogMel(request.mel_bands)
        self._seconds = StageSeconds()
        self._offset_bytes = 0
        self._decoded_samples = 0
        self._declared_seconds = 0.0

    def run(self) -> None:
        """Decode the whole file. Raises a PermanentError where the media is at fault, and SpoolFull."""
        path = Path(os.fsdecode(self._request.path))
        track = self._request.track if self._request.track is not None else self._track_with_speech(path)
        with (
            SoundReader(path, split=self._request.split, track=track) as sound,
            Path(os.fsdecode(self._request.spool_path)).open("r+b", buffering=0) as spool,
        ):
            self._declared_seconds = sound.facts.declared_seconds or 0.0
            self._send(ContainerOpened(**asdict(sound.facts)))
            packers: list[WindowPacker] = []
            for block in self._blocks(sound):
                block_start = self._decoded_samples - block.shape[1]
                packers += [self._packer(starts_at=block_start) for _ in block[len(packers) :]]
                for channel, packer in enumerate(packers):
                    samples = block[channel] if channel < len(block) else np.zeros(block.shape[1], np.int16)
                    audio = samples.astype(np.float32) / 32768.0
                    self._emit(spool, channel, self._detect(packer.feed(audio)))
                self._send(DecodeProgress(decoded_seconds=self._decoded_samples / SAMPLE_RATE_HERTZ))
            for channel, packer in enumerate(packers):
                self._emit(spool, channel, self._detect(packer.finish()))
            self._send(self._finished(packers, sound.stats, downmix_replaced=sound.downmix.replaced))

    def _track_with_speech(self, path: Path) -> int | None:
        """Return the first of several tracks with speech; None where there is no choice, or no speech."""
        limit_samples = int(self._request.audio_limit_seconds * SAMPLE_RATE_HERTZ)
        with self._measure("vad"):
            for track, has_speech in speech_by_track(path, self._speech_finder, limit_samples=limit_samples):
                _allow_processor_seconds(BLOCK_CPU_SECONDS)
                self._send(DecodeProgress(decoded_seconds=0.0))
                if has_speech:
                    return track
        return None

    def _blocks(self, sound: SoundReader) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
        blocks = sound.blocks(BLOCK_SAMPLES)
        while True:
            _allow_processor_seconds(BLOCK_CPU_SECONDS)
            with self._measure("decode"):
                block = next(blocks, None)
            if block is None:
                return
            self._decoded_samples += block.shape[1]
            if self._decoded_samples > self._request.audio_limit_seconds * SAMPLE_RATE_HERTZ:
                limit = self._request.audio_limit_seconds
                raise AudioTooLong(f"longer than {limit:g} seconds (KASCRIBE_WHISPER_AUDIO_LIMIT_SECONDS)")
            yield block

    def _speech_finder(self) -> SpeechSpans:
        return SpeechSpans(VoiceDetector(self._session), self._request.vad_parameters)

    def _packer(self, *, starts_at: int) -> WindowPacker:
        finder = self._speech_finder() if self._request.vad else EverySpan()
        return WindowPacker(finder, starts_at=starts_at)

    def _detect(self, windows: Iterator[PackedWindow]) -> list[PackedWindow]:
        with self._measure("vad"):
            return list(windows)

    def _emit(self, spool: RawIOBase, channel: int, windows: Sequence[PackedWindow]) -> None:
        for window in windows:
            with self._measure("features"):
                features = self._mel(window.audio())
            if self._offset_bytes + features.nbytes > self._request.spool_limit_bytes:
                limit = self._request.spool_limit_bytes
                raise AudioTooLarge(f"decodes to more than {limit:,} bytes of features")
            self._write(spool, features.tobytes(), until=window.spans[-1].end)
            self._send(
                WindowReady(
                    channel=channel if self._request.split else None,
                    spans=tuple((span.start, span.end) for span in window.spans),
                    frames=features.shape[1],
                    offset_bytes=self._offset_bytes,
                )
            )
            self._offset_bytes += features.nbytes

    def _write(self, spool: RawIOBase, body: bytes, *, until: int) -> None:
        left = memoryview(body)
        try:
            while left:  # a disk that is nearly full accepts a part without an error
                left = left[spool.write(left) or 0 :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SpoolFull(self._needed_bytes(self._offset_bytes + len(body), until)) from error
            raise

    def _needed_bytes(self, known_bytes: int, known_samples: int) -> int:
        samples = min(self._declared_seconds, self._request.audio_limit_seconds) * SAMPLE_RATE_HERTZ
        return int(known_bytes * max(1.0, samples / known_samples))

    def _finished(
        self, packers: Sequence[WindowPacker], stats: DecodeStats, *, downmix_replaced: bool
    ) -> DecodeFinished:
        speech_samples = max(packer.speech_samples for packer in packers)
        return DecodeFinished(
            audio_seconds=self._decoded_samples / SAMPLE_RATE_HERTZ,
            decoded_seconds=stats.decoded_seconds,
            broken_packets=stats.broken_packets,
            incomplete=stats.incomplete,
            speech_seconds=min(speech_samples, self._decoded_samples) / SAMPLE_RATE_HERTZ,
            decode_seconds=self._seconds.decode,
            vad_seconds=self._seconds.vad,
            features_seconds=self._seconds.features,
            downmix_replaced=downmix_replaced,
        )

    @contextmanager
    def _measure(self, stage: str) -> Iterator[None]:
        start = self._clock.monotonic()
        try:
            yield
        finally:
            setattr(self._seconds, stage, getattr(self._seconds, stage) + self._clock.monotonic() - start)

    def _send(self, message: Message) -> None:
        self._output.write(encode(message))
        self._output.flush()


def _allow_processor_seconds(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _die_with_parent() -> None:
    # A decoder inside one long call would not notice the closed pipe of a parent that was killed or exited.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(request: DecodeRequest, output: BinaryIO, session: onnxruntime.InferenceSession) -> None:
    try:
        DecodeRun(request, output, session, clock=SystemClock()).run()
    except PermanentError as error:
        output.write(encode(DecodeRefused(reason=error.reason, message=error.message)))
    except SpoolFull as error:
        reason = Reason.DEPENDENCY_DOWN
        output.write(encode(DecodeRefused(reason=reason, message=str(error), needed_bytes=error.needed_bytes)))
    except MemoryError:
        message = "decoding needs more memory than a child may have (KASCRIBE_WHISPER_DECODER_MEMORY_BYTES)"
        output.write(encode(DecodeRefused(reason=Reason.AUDIO_TOO_LARGE, message=message)))
    except Exception as error:  # noqa: BLE001 - the parent must receive the cause; the media is not at fault
        output.write(encode(DecodeRefused(reason=Reason.INTERNAL_ERROR, message=f"the decoder failed: {error!r}")))
    output.flush()


def main(arguments: Sequence[str]) -> None:
    """Serve requests until the input ends. An error outside a request ends the process: a crash to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output of libraries must not mix with messages
    _limit_memory(int(arguments[0]))
    session = load_session()
    os.dup2(1, 2)  # until here the parent reads stderr, to learn why a child does not start
    output.write(encode(ChildReady()))
    output.flush()
    for line in sys.stdin.buffer:
        _serve(DecodeRequest.model_validate_json(line), output, session)


if __name__ == "__main__":
    main(sys.argv[1:])
