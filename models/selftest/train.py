"""Training of the self-test model on a CPU, from scratch, within a given time.

    python -m models.selftest.train --corpus DIRECTORY --checkpoints DIRECTORY --budget-seconds 6000

Safe to stop and restart at any moment: it resumes from the last checkpoint, and the learning rate follows the time
spent, so that it reaches zero when the budget ends. `convert` reads `weights.npz` beside the checkpoint.
"""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from faster_whisper.feature_extractor import FeatureExtractor
from torch import Tensor, distributed, multiprocessing

from models.selftest import corpus as corpora
from models.selftest import vocabulary as v
from models.selftest.composition import Composer
from models.selftest.loss import losses_of
from models.selftest.network import EDGE_FRAMES, Network, Placement
from models.selftest.optimizer import Optimizer
from models.selftest.tokens import USED_TOKENS

CHECKPOINT_INTERVAL_SECONDS: Final = 120
REPORT_INTERVAL_STEPS: Final = 50
SHARE_INTERVAL_STEPS: Final = 8
GUIDE_WEIGHT: Final = 0.3


@dataclass(frozen=True)
class Lesson:
    """A kind of batch: content length, rows, and its share of the steps at the start, the middle and the end."""

    content_seconds: float
    rows: int
    shares: tuple[float, float, float]


LESSONS: Final = (
    Lesson(2.0, 24, (0.75, 0.15, 0.06)),
    Lesson(4.0, 16, (0.25, 0.45, 0.24)),
    Lesson(7.0, 10, (0.00, 0.32, 0.35)),
    Lesson(14.0, 6, (0.00, 0.08, 0.25)),
    Lesson(30.0, 4, (0.00, 0.00, 0.10)),
)


def choose_lesson(progress: float, rng: random.Random) -> Lesson:
    """Choose a lesson: short windows first, long ones in the second half."""
    position = min(1.999, 2.2 * progress)
    left, part = int(position), position % 1
    weights = [lesson.shares[left] * (1 - part) + lesson.shares[left + 1] * part for lesson in LESSONS]
    return rng.choices(LESSONS, weights)[0]


def place(lesson: Lesson, progress: float, rng: random.Random) -> Placement:
    """Place a batch's content in the 30-s window: mostly at its start, as after voice activity detection."""
    frames = round(lesson.content_seconds * 50)
    if frames >= v.ENCODER_FRAMES or rng.random() < max(0.25, 0.8 - 0.6 * progress):
        return Placement(min(frames, v.ENCODER_FRAMES), 0, padded=False)
    room = v.ENCODER_FRAMES - frames - 2 * EDGE_FRAMES
    offset = rng.randint(EDGE_FRAMES, room) if rng.random() < 0.3 and room > EDGE_FRAMES else 0
    return Placement(frames, offset, padded=True, phase=rng.randrange(20))


class Features:
    """Whisper's log-mel spectrogram, batched, with SpecAugment and the padding around the content."""

    def __init__(self) -> None:
        self._filters = torch.from_numpy(FeatureExtractor(feature_size=v.MEL_BINS).mel_filters)
        self._window = torch.hann_window(400)

    def __call__(self, audio: Tensor, placement: Placement, rng: random.Random) -> Tensor:
        """Map [batch, samples] to [batch, bins, frames]."""
        spectrum = torch.stft(audio, 400, 160, window=self._window, center=True, return_complex=True)
        mel = self._filters @ spectrum[..., :-1].abs() ** 2
        log = torch.clamp(mel, min=1e-10).log10()
        peak = log.amax(dim=(1, 2), keepdim=True)
        features = (torch.maximum(log, peak - 8.0) + 4.0) / 4.0
        floor = (peak - 4.0) / 4.0
        for row in features:
            if rng.random() < 0.25:
                _mask(row, rng)
        edge = 2 * EDGE_FRAMES
        parts = [features]
        if placement.offset_frames:
            parts.insert(0, floor.expand(-1, v.MEL_BINS, edge))
        if placement.padded:
            # faster-whisper pads features with 0.0; OpenAI's code pads the audio, which gives the floor.
            parts.append(floor.expand(-1, v.MEL_BINS, edge) * (rng.random() < 0.35))
        return torch.cat(parts, dim=2)


def _mask(mel: Tensor, rng: random.Random) -> None:
    bins, frames = mel.shape
    width = rng.randint(0, 10)
    start = rng.randint(0, bins - width)
    mel[start : start + width] = mel.mean()
    for _stripe in range(rng.randint(0, 1 + frames // 300)):
        length = rng.randint(1, 6)
        at = rng.randint(0, frames - length)
        mel[:, at : at + length] = mel.mean()


class Trainer:
    """One process of a training run: its state and its loop.

    Each process trains on its own windows, and weights are averaged every few steps: on cores shared with other
    work, processes that rarely wait for each other get further than threads that do so within every operation.
    """

    def __init__(
        self,
        corpus: corpora.Corpus,
        directory: Path,
        *,
        budget_seconds: float,
        seed: int,
        rank: int,
        processes: int,
    ) -> None:
        torch.manual_seed(seed)
        self._rank, self._processes = rank, processes
        self._directory = directory
        self._budget_seconds = budget_seconds
        self._network = Network(list(USED_TOKENS)).to(torch.bfloat16)
        self._optimizer = Optimizer(self._network)
        self._features = Features()
        self._step = 0
        self._spent_seconds = 0.0
        self._resume()
        self._progress = self._spent_seconds / budget_seconds
        self._shared_rng = random.Random(seed + self._step)
        self._rng = random.Random(seed + self._step + 1_000 * rank)
        self._composer = Composer(corpus, seed=seed + self._step + 1_000_000 * rank)

    def run(self) -> None:
        """Train until the budget is spent."""
        history: dict[float, list[tuple[float, ...]]] = {}
        saved_at = began = time.monotonic()
        spent_before = self._spent_seconds
        while self._progress < 1:
            started = time.monotonic()
            lesson, losses = self._one_step()
            self._spent_seconds = spent_before + time.monotonic() - began
            history.setdefault(lesson.content_seconds, []).append((*losses, time.monotonic() - started))
            if self._rank > 0:
                continue
            if self._step % REPORT_INTERVAL_STEPS == 0:
                self._report(history)
                history = {}
            if time.monotonic() - saved_at > CHECKPOINT_INTERVAL_SECONDS:
                self._save()
                saved_at = time.monotonic()
        if self._rank == 0:
            self._save()

    def _one_step(self) -> tuple[Lesson, tuple[float, float, float]]:
        progress = self._progress
        lesson = choose_lesson(progress, self._shared_rng)
        placement = place(lesson, progress, self._shared_rng)
        windows = [self._composer.window(lesson.content_seconds) for _ in range(lesson.rows)]
        audio = torch.from_numpy(np.stack([window.samples for window in windows]))
        mel = self._features(audio, placement, self._rng).to(torch.bfloat16)
        losses = losses_of(self._network, windows, mel, placement, self._rng)
        auxiliary = (0.5 - 0.35 * progress) * losses.ctc + GUIDE_WEIGHT * (1.2 - progress) * losses.guide
        (losses.text + auxiliary).backward()
        self._optimizer.step(self._step, progress)
        self._step += 1
        self._share()
        return lesson, (losses.text.item(), losses.ctc.item(), losses.guide.item())

    def _share(self) -> None:
        """Average weights and optimizer over the processes, every few steps. Blocks until all processes arrive."""
        progress = self._spent_seconds / self._budget_seconds
        if self._processes == 1:
            self._progress = progress
        if self._processes == 1 or self._step % SHARE_INTERVAL_STEPS:
            return
        tensors = self._optimizer.tensors()
        flat = torch.cat([*(tensor.flatten() for tensor in tensors), torch.tensor([progress])])
        distributed.all_reduce(flat)
        flat /= self._processes
        self._progress = flat[-1].item()
        for tensor, shared in zip(tensors, flat[:-1].split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(shared.view_as(tensor))
        self._optimizer.publish()

    def _report(self, history: dict[float, list[tuple[float, ...]]]) -> None:
        parts = []
        for seconds, rows in sorted(history.items()):
            text, ctc, guide, spent = np.mean(rows, axis=0)
            parts.append(f"{seconds:g}s x{len(rows)}: {text:.3f} ctc {ctc:.3f} guide {guide:.3f} ({spent:.2f} s)")
        print(f"step {self._step} at {self._spent_seconds:.0f} s | " + " | ".join(parts), flush=True)

    def _save(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        state = {"optimizer": self._optimizer.state(), "step": self._step, "spent_seconds": self._spent_seconds}
        torch.save(state, self._directory / "checkpoint.tmp")
        (self._directory / "checkpoint.tmp").replace(self._directory / "checkpoint.pt")
        arrays = {name: value.numpy() for name, value in self._optimizer.masters().items()}
        np.savez(self._directory / "weights.tmp.npz", **arrays)
        (self._directory / "weights.tmp.npz").replace(self._directory / "weights.npz")

    def _resume(self) -> None:
        path = self._directory / "checkpoint.pt"
        if path.exists():
            state = torch.load(path)
            self._optimizer.restore(state["optimizer"])
            self._step, self._spent_seconds = state["step"], state["spent_seconds"]


def work(rank: int, arguments: argparse.Namespace) -> None:
    """Run one process of the training."""
    torch.set_num_threads(1)
    if arguments.processes > 1:
        rendezvous = f"tcp://127.0.0.1:{arguments.port}"
        distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=arguments.processes)
    trainer = Trainer(
        corpora.load(arguments.corpus),
        arguments.checkpoints,
        budget_seconds=arguments.budget_seconds,
        seed=arguments.seed,
        rank=rank,
        processes=arguments.processes,
    )
    trainer.run()


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--budget-seconds", type=float, default=6_000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--port", type=int, default=29_611)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.processes == 1:
        work(0, arguments)
    else:
        multiprocessing.spawn(work, (arguments,), nprocs=arguments.processes)


if __name__ == "__main__":
    main()
