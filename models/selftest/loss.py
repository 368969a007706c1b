"""Target tokens of the decoder for a window, and the losses. Training only; needs torch."""

import random
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.selftest import vocabulary as v
from models.selftest.composition import Window
from models.selftest.network import Network, Placement
from models.selftest.tokens import USED_TOKENS, word_tokens

SHARE_WITH_TIMESTAMPS: Final = 0.30
SHARE_TRANSLATED: Final = 0.06
SHARE_WITH_PREVIOUS_TEXT: Final = 0.10
TIMESTAMP_BLUR: Final = (0.06, 0.24, 0.40, 0.24, 0.06)
TIMESTAMP_LOSS_WEIGHT: Final = 0.4
IGNORED: Final = -100


@dataclass(frozen=True)
class Script:
    """The decoder's tokens for a window, with a target and a word number for each.

    Targets are IGNORED in the prompt; word numbers are -1 for tokens without a word.
    """

    tokens: list[int]
    targets: list[int]
    about: list[int]


def write(window: Window, offset_seconds: float, rng: random.Random) -> Script:
    """Write the script of a window at an offset in its 30 s: with timestamps or without, sometimes translated."""
    previous = _previous_text(rng)
    translated = window.language == "ko" and rng.random() < SHARE_TRANSLATED
    task = v.TRANSLATE if translated else v.TRANSCRIBE
    prompt = [v.START_OF_TRANSCRIPT, v.language_token(window.language), task]
    timestamps = rng.random() < SHARE_WITH_TIMESTAMPS
    text = [] if timestamps else [v.NO_TIMESTAMPS]
    about = [-1] * len(text)
    for segment in window.segments:
        spoken = word_tokens(translate(segment.words) if translated else segment.words)
        first = max(about, default=-1) + 1
        numbers = list(range(first, first + len(spoken)))
        if timestamps:
            edges = (segment.start_seconds + offset_seconds, segment.end_seconds + offset_seconds)
            text += [v.timestamp_token(edges[0]), *spoken, v.timestamp_token(edges[1])]
            about += [numbers[0], *numbers, numbers[-1]]
        else:
            text += spoken
            about += numbers
    if timestamps and not window.segments:
        text, about = [v.FIRST_TIMESTAMP], [-1]
    tokens = [*previous, *prompt, *text]
    prompted = len(previous) + len(prompt) - (1 if timestamps else 0)
    targets = [*[IGNORED] * prompted, *tokens[prompted + 1 :], v.END_OF_TEXT]
    targets[len(previous)] = prompt[1] if window.segments else v.NO_SPEECH
    return Script(tokens, targets, [*[-1] * (len(previous) + len(prompt)), *about])


def _previous_text(rng: random.Random) -> list[int]:
    if rng.random() >= SHARE_WITH_PREVIOUS_TEXT:
        return []
    words = v.VOCABULARY[rng.choice(("en", "ko"))]
    return [v.START_OF_PREVIOUS, *word_tokens(rng.choice(words) for _ in range(rng.randint(1, 8)))]


def translate(words: tuple[str, ...]) -> tuple[str, ...]:
    """Translate Korean words to English ones, by their position in the vocabulary."""
    return tuple(v.VOCABULARY["en"][v.VOCABULARY["ko"].index(word)] for word in words)


ROW_OF_TOKEN: Final = {token: row for row, token in enumerate(USED_TOKENS)}
FIRST_TIMESTAMP_ROW: Final = ROW_OF_TOKEN[v.FIRST_TIMESTAMP]
CTC_CLASS: Final = {
    word: index + 1 for index, word in enumerate(w for words in v.VOCABULARY.values() for w in words)
}


@dataclass(frozen=True)
class Losses:
    """Losses of the decoder's text, of the encoder's CTC head, and of the decoder's attention (`guide`)."""

    text: Tensor
    ctc: Tensor
    guide: Tensor


def losses_of(
    network: Network, windows: list[Window], mel: Tensor, placement: Placement, rng: random.Random
) -> Losses:
    """Compute all losses of a batch with the given features and placement."""
    scripts = [write(window, placement.offset_frames * 0.02, rng) for window in windows]
    tokens = _padded([[ROW_OF_TOKEN[token] for token in script.tokens] for script in scripts], 0)
    targets = _padded(
        [[ROW_OF_TOKEN.get(target, IGNORED) for target in script.targets] for script in scripts], IGNORED
    )
    logits, frames, attended = network(mel, placement, tokens)
    labels = [[CTC_CLASS[word] for word in window.words] for window in windows]
    ctc = functional.ctc_loss(
        frames.log_softmax(-1).transpose(0, 1),
        torch.tensor([label for row in labels for label in row], dtype=torch.long),
        torch.full((len(windows),), frames.shape[1]),
        torch.tensor([len(row) for row in labels]),
        zero_infinity=True,
    )
    read = _padded([script.about for script in scripts], -1)
    # The end of the text belongs to the last word too: unguided it attends to pauses, and alignment fails there.
    written = _padded([[*script.about[1:], max(script.about)] for script in scripts], -1)
    # The first layer's first head finds the word just written, the last layer's heads the one to write.
    guide = _astray(attended[0][:, 0], read, windows) + _astray(attended[-1].mean(1), written, windows)
    return Losses(cross_entropy(logits, targets), ctc, guide)


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    length = max(len(row) for row in rows)
    return torch.tensor([row + [filler] * (length - len(row)) for row in rows])


def _astray(weights: Tensor, about: Tensor, windows: list[Window]) -> Tensor:
    """Measure how little of the attention, [batch, positions, frames], lies on the words of the positions."""
    spans = torch.zeros(len(windows), max(1, *(len(window.spans_seconds) for window in windows)), 2)
    for row, window in zip(spans, windows, strict=True):
        if window.spans_seconds:
            row[: len(window.spans_seconds)] = torch.tensor(window.spans_seconds)
    guided = about >= 0
    if not guided.any():
        return weights.sum() * 0
    edges = spans.gather(1, about.clamp(min=0)[..., None].expand(-1, -1, 2)) / 0.02
    frame = torch.arange(weights.shape[-1])
    inside = (frame >= edges[..., :1].floor() - 1) & (frame <= edges[..., 1:].ceil() + 1)
    return -((weights * inside).sum(-1)[guided] + 1e-3).log().mean()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean loss per target; a timestamp's target is blurred over its neighbours."""
    counted = targets != IGNORED
    log_probabilities = logits[counted].log_softmax(-1)
    targets = targets[counted]
    timed = targets >= FIRST_TIMESTAMP_ROW
    text = -log_probabilities[~timed].gather(1, targets[~timed, None]).sum()
    times, total = targets[timed], 0.0
    for shift, weight in zip(range(-2, 3), TIMESTAMP_BLUR, strict=True):
        shifted = (times + shift).clamp(FIRST_TIMESTAMP_ROW, FIRST_TIMESTAMP_ROW + v.TIMESTAMP_COUNT - 1)
        total = total - weight * log_probabilities[timed].gather(1, shifted[:, None]).sum()
    count = (~timed).sum() + TIMESTAMP_LOSS_WEIGHT * timed.sum()
    return (text + TIMESTAMP_LOSS_WEIGHT * total) / count
