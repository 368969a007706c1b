"""Synthesis of the recordings that ship with the model, by voices outside its training data. Needs espeak-ng.

python -m models.selftest.record
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from models.selftest.synthesis import Audio, Speaker, speak
from models.selftest.vocabulary import SAMPLING_RATE_HZ

OPUS_BITS_PER_SECOND: Final = 24_000
SILENCE_AROUND_SECONDS: Final = 0.4


@dataclass(frozen=True)
class Script:
    """A recording to make: phrases with a second of silence between them; no phrases: five seconds of silence."""

    file: str
    language: str | None
    phrases: tuple[str, ...]
    speaker: Speaker


SCRIPTS: Final = (
    Script("en-digits.ogg", "en", ("zero one two three", "seven eight nine"), Speaker("en-us", "linda", 141, 51)),
    Script("en-commands.ogg", "en", ("hello", "start record", "stop"), Speaker("en-gb", "paul", 133, 45)),
    Script("ko-digits.ogg", "ko", ("하나 둘 셋 넷", "일곱 여덟 아홉"), Speaker("ko", "Mario", 125, 47, 3)),
    Script("ko-commands.ogg", "ko", ("안녕", "녹음 시작", "정지"), Speaker("ko", "linda", 133, 53)),
    Script("silence.flac", None, (), Speaker("en-us", "", 141, 51)),
)


def record(script: Script) -> Audio:
    """Synthesise the sound of a script, at half of full scale."""
    if not script.phrases:
        return np.zeros(5 * SAMPLING_RATE_HZ, np.float32)
    edge = np.zeros(round(SILENCE_AROUND_SECONDS * SAMPLING_RATE_HZ), np.float32)
    pause = np.zeros(SAMPLING_RATE_HZ, np.float32)
    parts: list[Audio] = [edge]
    for index, phrase in enumerate(script.phrases):
        parts += [pause] * (index > 0) + [speak(phrase, script.speaker)]
    sound = np.concatenate([*parts, edge])
    return np.asarray(sound * (0.5 / np.abs(sound).max()), np.float32)


def write(samples: Audio, file: Path) -> None:
    """Encode mono speech at 16 kHz as Opus (.ogg) or FLAC, by the file's suffix."""
    opus = file.suffix == ".ogg"
    frame = av.AudioFrame.from_ndarray((samples * 32_767).astype(np.int16)[None, :], format="s16", layout="mono")
    frame.sample_rate = SAMPLING_RATE_HZ
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libopus" if opus else "flac", rate=SAMPLING_RATE_HZ, layout="mono")
        if opus:
            stream.bit_rate = OPUS_BITS_PER_SECOND
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def read(file: Path) -> Audio:
    """Read any file that FFmpeg decodes as mono samples at 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLING_RATE_HZ)
    with av.open(str(file)) as container:
        frames = [*container.decode(audio=0), None]
        pieces = [piece.to_ndarray()[0] for frame in frames for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float32) / np.float32(32_768)


def main() -> None:
    """Record all scripts and list them in `clips.json`."""
    directory = Path(__file__).parent / "clips"
    directory.mkdir(exist_ok=True)
    listed = []
    for script in SCRIPTS:
        samples = record(script)
        write(samples, directory / script.file)
        duration = round(len(samples) / SAMPLING_RATE_HZ, 2)
        entry = {"file": script.file, "language": script.language, "text": " ".join(script.phrases)}
        listed.append(entry | {"duration_seconds": duration})
    text = json.dumps(listed, ensure_ascii=False, indent=1) + "\n"
    (directory / "clips.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
