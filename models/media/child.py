"""Decoding child: receives requests from its input, one at a time, and writes replies to its output.

A request comes with two open files: the recording and the spool. The child holds no credentials, limits its own
memory and processor time, opens no file once it is ready (``sandbox``), and may be killed at any moment.
"""

import errno
import io
import os
import resource
import signal
import socket
import sys
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import RawIOBase
from typing import BinaryIO, Final

import numpy as np
import onnxruntime

from models.media.decoding.sound import DecodeStats, SoundReader
from models.media.decoding.track_choice import speech_by_track
from models.media.messages import (
    FRAME_BYTES_LIMIT,
    ChildReady,
    ContainerOpened,
    DecodeFinished,
    DecodeProgress,
    DecodeRefused,
    DecodeRequest,
    Message,
    WindowReady,
    encode,
    receive_request,
)
from models.media.sandbox import confinement, kernel
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
        self,
        request: DecodeRequest,
        files: tuple[BinaryIO, RawIOBase],
        output: BinaryIO,
        session: onnxruntime.InferenceSession,
        *,
        clock: Clock,
    ) -> None:
        self._request = request
        self._recording, self._spool = files
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
        track = self._request.track if self._request.track is not None else self._track_with_speech()
        with SoundReader(self._recording, split=self._request.split, track=track) as sound:
            self._declared_seconds = sound.facts.declared_seconds or 0.0
            self._send(ContainerOpened(**asdict(sound.facts)))
            packers: list[WindowPacker] = []
            for block in self._blocks(sound):
                block_start = self._decoded_samples - block.shape[1]
                packers += [self._packer(starts_at=block_start) for _ in block[len(packers) :]]
                for channel, packer in enumerate(packers):
                    samples = block[channel] if channel < len(block) else np.zeros(block.shape[1], np.int16)
                    audio = samples.astype(np.float32) / 32768.0
                    self._emit(channel, self._detect(packer.feed(audio)))
                self._send(DecodeProgress(decoded_seconds=self._decoded_samples / SAMPLE_RATE_HERTZ))
            for channel, packer in enumerate(packers):
                self._emit(channel, self._detect(packer.finish()))
            self._send(self._finished(packers, sound.stats, downmix_replaced=sound.downmix.replaced))

    def _track_with_speech(self) -> int | None:
        """Return the first of several tracks with speech; None where there is no choice, or no speech."""
        limit_samples = int(self._request.audio_limit_seconds * SAMPLE_RATE_HERTZ)
        with self._measure("vad"):
            tracks = speech_by_track(self._recording, self._speech_finder, limit_samples=limit_samples)
            for track, has_speech in tracks:
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

    def _emit(self, channel: int, windows: Sequence[PackedWindow]) -> None:
        for window in windows:
            with self._measure("features"):
                features = self._mel(window.audio())
            if self._offset_bytes + features.nbytes > self._request.spool_limit_bytes:
                limit = self._request.spool_limit_bytes
                raise AudioTooLarge(f"decodes to more than {limit:,} bytes of features")
            self._write(features.tobytes(), until=window.spans[-1].end)
            self._send(
                WindowReady(
                    channel=channel if self._request.split else None,
                    spans=tuple((span.start, span.end) for span in window.spans),
                    frames=features.shape[1],
                    offset_bytes=self._offset_bytes,
                )
            )
            self._offset_bytes += features.nbytes

    def _write(self, body: bytes, *, until: int) -> None:
        left = memoryview(body)
        try:
            while left:  # a disk that is nearly full accepts a part without an error
                left = left[self._spool.write(left) or 0 :]
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
    # Without privileges a process may lower its hard limit, and never raise it.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _serve(
    request: DecodeRequest,
    files: tuple[BinaryIO, RawIOBase],
    output: BinaryIO,
    session: onnxruntime.InferenceSession,
) -> None:
    try:
        DecodeRun(request, files, output, session, clock=SystemClock()).run()
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


def _rehearse(session: onnxruntime.InferenceSession) -> None:
    """Decode a second of sound, and something that is none, so that modules load while files can be opened."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HERTZ // 2)
        file.writeframes(np.random.default_rng(1).integers(-9_000, 9_000, SAMPLE_RATE_HERTZ, np.int16).tobytes())
    for content in (sound.getvalue(), b"not audio" * 1_000):
        for vad in (True, False):
            request = DecodeRequest(
                split=not vad, vad=vad, mel_bands=80, audio_limit_seconds=60.0, spool_limit_bytes=FRAME_BYTES_LIMIT
            )
            with (
                os.fdopen(os.memfd_create("recording"), "w+b") as recording,
                os.fdopen(os.memfd_create("spool"), "r+b", buffering=0) as spool,
            ):
                recording.write(content)
                recording.flush()
                _serve(request, (recording, spool), io.BytesIO(), session)


def main(arguments: Sequence[str]) -> None:
    """Serve requests until the input ends. An error outside a request ends the process: a crash to the parent.

    ``arguments``: limits of address space and of the spool in bytes, and the setting ``decoder_sandbox``.
    """
    memory_bytes, file_bytes, sandbox = int(arguments[0]), int(arguments[1]), arguments[2]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A decoder inside one long call would not notice the closed socket of a parent that was killed or exited.
    kernel.end_with_parent(signal.SIGKILL)
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output of libraries must not mix with messages
    confinement.limit_resources(memory_bytes=memory_bytes, file_bytes=max(file_bytes, FRAME_BYTES_LIMIT))
    session = load_session()
    _rehearse(session)
    with socket.socket(fileno=0) as requests:
        report = confinement.unconfined() if sandbox == "off" else confinement.confine()
        os.dup2(1, 2)  # until here the parent reads stderr, to learn why a child does not start
        output.write(encode(ChildReady(sandbox=report)))
        output.flush()
        while (received := receive_request(requests)) is not None:
            request, recording, spool = received
            with os.fdopen(recording, "rb") as source, os.fdopen(spool, "r+b", buffering=0) as target:
                _serve(request, (source, target), output, session)


if __name__ == "__main__":
    main(sys.argv[1:])
