"""The Whisper architecture in PyTorch, for training only: its weights are saved as numpy arrays.

Training is made cheap by two shortcuts that leave the trained function (nearly) unchanged:
- of the constant padding around the speech only every n-th encoder frame is kept; its attention logits get log(n),
  so that it weighs as much as the n frames it stands for;
- the softmax runs over the tokens in use and one row that stands for all others (plus the log of their number).
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.selftest import vocabulary as v

WIDTH: Final = 128
HEADS: Final = 2
ENCODER_LAYERS: Final = 4
DECODER_LAYERS: Final = 2
DECODER_POSITIONS: Final = 448
EDGE_FRAMES: Final = 4
"""Encoder frames of padding computed in full at either side of the content: the convolutions reach its edges."""


@dataclass(frozen=True)
class Placement:
    """Position of the content in the window, in frames of 20 ms; unless `padded`, the window ends with it."""

    content_frames: int
    offset_frames: int
    padded: bool
    stride: int = 20
    phase: int = 10
    """The first frame kept of each run of padding."""


def sinusoids(length: int, width: int) -> Tensor:
    """Compute Whisper's position table, [length, width]."""
    inverse = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(length)[:, None] * inverse[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Attention(nn.Module):
    """Multi-head attention; `bias` is added to the logits of each key.

    Cross-attention leaves its weights, [batch, heads, queries, keys], in `weights`: they are guided in training.
    """

    def __init__(self, *, crossed: bool) -> None:
        super().__init__()
        self.crossed = crossed
        self.query = nn.Linear(WIDTH, WIDTH if crossed else 3 * WIDTH)
        if crossed:
            self.memory = nn.Linear(WIDTH, 2 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, bias: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Map [batch, queries, width] to the same shape."""
        if self.crossed:
            query = self.query(x)
            key, value = self.memory(memory).chunk(2, dim=-1)
        else:
            query, key, value = self.query(x).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (query, key, value))
        if self.crossed:
            logits = (query @ key.transpose(-1, -2)).float() * key.shape[-1] ** -0.5
            self.weights = (logits if bias is None else logits + bias).softmax(-1)
            mixed = self.weights.to(value.dtype) @ value
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, is_causal=causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """One pre-norm layer of the encoder or, with cross-attention, of the decoder."""

    def __init__(self, *, decoder: bool) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(WIDTH)
        self.self_attention = Attention(crossed=False)
        self.decoder = decoder
        if decoder:
            self.cross_norm = nn.LayerNorm(WIDTH)
            self.cross_attention = Attention(crossed=True)
        self.feed_norm = nn.LayerNorm(WIDTH)
        self.feed_in = nn.Linear(WIDTH, 4 * WIDTH)
        self.feed_out = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor, memory: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Map [batch, positions, width] to the same shape; `bias` applies to the encoder's frames."""
        if self.decoder:
            x = x + self.self_attention(self.self_norm(x), causal=True)
            x = x + self.cross_attention(self.cross_norm(x), memory, bias)
        else:
            x = x + self.self_attention(self.self_norm(x), bias=bias)
        return x + self.feed_out(functional.gelu(self.feed_in(self.feed_norm(x))))


class Encoder(nn.Module):
    """Mel frames to encoder frames."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(v.MEL_BINS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(Block(decoder=False) for _ in range(ENCODER_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("positions", sinusoids(v.ENCODER_FRAMES, WIDTH), persistent=False)

    def forward(self, mel: Tensor, placement: Placement) -> tuple[Tensor, Tensor | None, slice]:
        """Return the encoder output, the bias of its frames, and the slice of the content.

        `mel` is [batch, bins, frames]: the content, with `2 * EDGE_FRAMES` of padding before it when it has an
        offset and after it when it is padded.
        """
        x = functional.gelu(self.conv1(mel))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        frames, where, bias, content = _frames_kept(placement)
        x = x[:, frames] + self.positions[where].to(x.dtype)
        mask = None if bias is None else bias.to(x.dtype)[None, None, None, :]
        for layer in self.layers:
            x = layer(x, bias=mask)
        return self.norm(x), mask, content


def _frames_kept(placement: Placement) -> tuple[Tensor, Tensor, Tensor | None, slice]:
    """Return the computed frames, their positions in the window, their bias, and the slice of the content."""
    lead_edge = EDGE_FRAMES if placement.offset_frames else 0
    tail_edge = EDGE_FRAMES if placement.padded else 0
    computed = lead_edge + placement.content_frames + tail_edge
    first = placement.offset_frames - lead_edge
    lead = torch.tensor(range(placement.phase, first, placement.stride), dtype=torch.long)
    end = first + computed
    tail_end = v.ENCODER_FRAMES if placement.padded else end
    tail = torch.tensor(range(end + placement.phase, tail_end, placement.stride), dtype=torch.long)
    dense = torch.arange(computed)
    frames = torch.cat([torch.ones_like(lead), dense, torch.full_like(tail, computed - 2)])
    where = torch.cat([lead, dense + first, tail])
    content = slice(len(lead) + lead_edge, len(lead) + lead_edge + placement.content_frames)
    if len(lead) + len(tail) == 0:
        return frames, where, None, content
    weight = math.log(placement.stride)
    bias = torch.cat([torch.full((len(lead),), weight), torch.zeros(computed), torch.full((len(tail),), weight)])
    return frames, where, bias, content


class Network(nn.Module):
    """The whole model over the tokens in use; the last row of the embedding stands for all others."""

    def __init__(self, used_tokens: list[int]) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.embedding = nn.Parameter(_initial_embedding(used_tokens))
        self.positions = nn.Parameter(0.1 * sinusoids(DECODER_POSITIONS, WIDTH))
        self.layers = nn.ModuleList(Block(decoder=True) for _ in range(DECODER_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.ctc = nn.Linear(WIDTH, 1 + sum(len(words) for words in v.VOCABULARY.values()))
        self.unused_weight = math.log(v.VOCABULARY_SIZE - len(used_tokens))

    def forward(self, mel: Tensor, placement: Placement, tokens: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return logits, CTC logits of the content, and each decoder layer's attention to it.

        Logits of the tokens in use and the others' row: [batch, positions, rows]. Attention: [batch, heads,
        positions, content frames].
        """
        memory, bias, content = self.encoder(mel, placement)
        x = self.embedding[tokens] + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, memory, bias)
        logits = functional.linear(self.norm(x), self.embedding).float()
        logits[..., -1] += self.unused_weight
        attended = [layer.cross_attention.weights[..., content] for layer in self.layers]
        return logits, self.ctc(memory[:, content]).float(), attended


def _initial_embedding(used_tokens: list[int]) -> Tensor:
    """Initialise rows at random, with similar rows for neighbouring timestamps."""
    rows = torch.randn(len(used_tokens) + 1, WIDTH) * WIDTH**-0.5
    times = [index for index, token in enumerate(used_tokens) if token >= v.FIRST_TIMESTAMP]
    rotation = torch.linalg.qr(torch.randn(WIDTH, WIDTH)).Q
    rows[times] = 0.6 * rows[times] + (sinusoids(v.TIMESTAMP_COUNT, WIDTH) @ rotation) * WIDTH**-0.5
    return rows
