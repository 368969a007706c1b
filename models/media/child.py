"""The decoding child: reads requests from its input, one at a time, and answers on its output.

It holds no credentials, limits its own memory and processor time, and may be killed at any moment.
"""

import ctypes
import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnxruntime

from models.media.decoding.sound import SoundReader, SoundTally
from models.media.decoding.track_choice import tracks_heard
from models.media.messages import Advanced, Finished, Message, Opened, Ready, Refused, Request, WindowReady, encode
from models.media.speech.features import LogMel
from models.media.speech.packing import EverySpan, PackedWindow, SpeechSpans, WindowPacker
from models.media.speech.silero import VoiceDetector, load_session
from models.media.speech.spans import CHUNK_SAMPLES
from models.media.speech.windows import SAMPLE_RATE_HERTZ
from schemas.errors import AudioTooLarge, AudioTooLong, PermanentError, Reason

BLOCK_SAMPLES = 625 * CHUNK_SAMPLES
"""Twenty seconds: what is decoded and searched for speech at a time; a minute costs 100 MB more."""
BLOCK_CPU_SECONDS = 300
"""Processor seconds that one block may take; it takes about a tenth of one."""
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Clocks:
    """Seconds spent per kind of work."""

    decode: float = 0.0
    vad: float = 0.0
    features: float = 0.0


class NoRoom(Exception):
    """The disk is full. ``needed_bytes`` of spool the recording takes, going by what was heard of it."""

    def __init__(self, needed_bytes: int) -> None:
        super().__init__(f"the features need about {needed_bytes:,} bytes")
        self.needed_bytes = needed_bytes


@contextmanager
def _measured(clocks: Clocks, name: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        setattr(clocks, name, getattr(clocks, name) + time.perf_counter() - start)


class Decoding:
    """One request at work: blocks of sound in, windows into the spool and onto the wire."""

    def __init__(self, request: Request, wire: BinaryIO, session: onnxruntime.InferenceSession) -> None:
        self._request = request
        self._wire = wire
        self._session = session
        self._mel = LogMel(request.mel_bands)
        self._clocks = Clocks()
        self._offset_bytes = 0
        self._decoded_samples = 0
        self._declared_seconds = 0.0

    def run(self) -> None:
        """Does all of it. Raises a PermanentError where the media is at fault."""
        path = Path(os.fsdecode(self._request.path))
        track = self._request.track if self._request.track is not None else self._track_with_speech(path)
        with (
            SoundReader(path, split=self._request.split, track=track) as sound,
            Path(os.fsdecode(self._request.spool_path)).open("r+b", buffering=0) as spool,
        ):
            self._declared_seconds = sound.facts.declared_seconds or 0.0
            self._say(Opened(**asdict(sound.facts)))
            packers: list[WindowPacker] = []
            for block in self._blocks(sound):
                begins = self._decoded_samples - block.shape[1]
                packers += [self._packer(starts_at=begins) for _ in block[len(packers) :]]
                for channel, packer in enumerate(packers):
                    sounds = block[channel] if channel < len(block) else np.zeros(block.shape[1], np.int16)
                    audio = sounds.astype(np.float32) / 32768.0
                    self._emit(spool, channel, self._vad_measured(packer.feed(audio)))
                self._say(Advanced(decoded_seconds=self._decoded_samples / SAMPLE_RATE_HERTZ))
            for channel, packer in enumerate(packers):
                self._emit(spool, channel, self._vad_measured(packer.finish()))
            self._say(self._finished(packers, sound.tally, downmix_replaced=sound.downmix.replaced))

    def _track_with_speech(self, path: Path) -> int | None:
        """Which of several tracks is heard; None where there is no choice, or nothing to choose by."""
        limit_samples = int(self._request.audio_limit_seconds * SAMPLE_RATE_HERTZ)
        with _measured(self._clocks, "vad"):
            for track, heard in tracks_heard(path, self._session, limit_samples=limit_samples):
                _allow_processor_seconds(BLOCK_CPU_SECONDS)
                self._say(Advanced(decoded_seconds=0.0))
                if heard:
                    return track
        return None

    def _blocks(self, sound: SoundReader) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int16]]]:
        blocks = sound.blocks(BLOCK_SAMPLES)
        while True:
            _allow_processor_seconds(BLOCK_CPU_SECONDS)
            with _measured(self._clocks, "decode"):
                block = next(blocks, None)
            if block is None:
                return
            self._decoded_samples += block.shape[1]
            if self._decoded_samples > self._request.audio_limit_seconds * SAMPLE_RATE_HERTZ:
                limit = self._request.audio_limit_seconds
                raise AudioTooLong(f"longer than {limit:g} seconds (KASCRIBE_WHISPER_AUDIO_LIMIT_SECONDS)")
            yield block

    def _packer(self, *, starts_at: int) -> WindowPacker:
        finder = SpeechSpans(VoiceDetector(self._session)) if self._request.vad else EverySpan()
        return WindowPacker(finder, starts_at=starts_at)

    def _vad_measured(self, windows: Iterator[PackedWindow]) -> list[PackedWindow]:
        with _measured(self._clocks, "vad"):
            return list(windows)

    def _emit(self, spool: RawIOBase, channel: int, windows: Sequence[PackedWindow]) -> None:
        for window in windows:
            with _measured(self._clocks, "features"):
                features = self._mel(window.audio())
            if self._offset_bytes + features.nbytes > self._request.spool_limit_bytes:
                limit = self._request.spool_limit_bytes
                raise AudioTooLarge(f"decodes to more than {limit:,} bytes of features")
            self._write(spool, features.tobytes(), until=window.spans[-1].end)
            self._say(
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
            while left:  # a disk that is nearly full takes a part without an error
                left = left[spool.write(left) or 0 :]
        except OSError as failed:
            if failed.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NoRoom(self._needed_bytes(self._offset_bytes + len(body), until)) from failed
            raise

    def _needed_bytes(self, known_bytes: int, known_samples: int) -> int:
        samples = min(self._declared_seconds, self._request.audio_limit_seconds) * SAMPLE_RATE_HERTZ
        return int(known_bytes * max(1.0, samples / known_samples))

    def _finished(self, packers: Sequence[WindowPacker], tally: SoundTally, *, downmix_replaced: bool) -> Finished:
        speech_samples = max(packer.speech_samples for packer in packers)
        return Finished(
            audio_seconds=self._decoded_samples / SAMPLE_RATE_HERTZ,
            decoded_seconds=tally.decoded_seconds,
            broken_packets=tally.broken_packets,
            incomplete=tally.incomplete,
            speech_seconds=min(speech_samples, self._decoded_samples) / SAMPLE_RATE_HERTZ,
            decode_seconds=self._clocks.decode,
            vad_seconds=self._clocks.vad,
            features_seconds=self._clocks.features,
            downmix_replaced=downmix_replaced,
        )

    def _say(self, message: Message) -> None:
        self._wire.write(encode(message))
        self._wire.flush()


def _allow_processor_seconds(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _die_with_parent() -> None:
    # A parent that is killed, or ends at once, closes no pipe that a decoder inside one long call would notice.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: Request, wire: BinaryIO, session: onnxruntime.InferenceSession) -> None:
    try:
        Decoding(request, wire, session).run()
    except PermanentError as refused:
        wire.write(encode(Refused(reason=refused.reason, message=refused.message)))
    except NoRoom as full:
        reason = Reason.DEPENDENCY_DOWN
        wire.write(encode(Refused(reason=reason, message=str(full), needed_bytes=full.needed_bytes)))
    except MemoryError:
        message = "decoding needs more memory than a child may have (KASCRIBE_WHISPER_DECODER_MEMORY_BYTES)"
        wire.write(encode(Refused(reason=Reason.AUDIO_TOO_LARGE, message=message)))
    except Exception as failed:  # noqa: BLE001 - the parent must learn why; it does not blame the media
        wire.write(encode(Refused(reason=Reason.INTERNAL_ERROR, message=f"the decoder failed: {failed!r}")))
    wire.flush()


def main(arguments: Sequence[str]) -> None:
    """Serves requests until the input ends. What no handler catches ends the process: the parent sees a crash."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    wire = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints must not reach the wire
    _limit(int(arguments[0]))
    session = load_session()
    os.dup2(1, 2)  # the parent listens until here, to learn why a child does not start
    wire.write(encode(Ready()))
    wire.flush()
    for line in sys.stdin.buffer:
        _answer(Request.model_validate_json(line), wire, session)


if __name__ == "__main__":
    main(sys.argv[1:])
