"""Muon for the matrices and AdamW for the rest, over float32 masters of a bfloat16 network."""

from typing import Any, Final

import torch
from torch import Tensor, nn

MUON_RATE: Final = 0.02
ADAM_RATE: Final = 3e-3
MUON_MOMENTUM: Final = 0.95
ADAM_BETAS: Final = (0.9, 0.98)
WEIGHT_DECAY: Final = 0.02
WARM_UP_STEPS: Final = 100
GRADIENT_NORM_LIMIT: Final = 1.0
SPLIT_ROWS: Final = 128
"""Fused projections are orthogonalised in pieces of this many rows, one piece for each projection."""


class Optimizer:
    """Optimizer of float32 masters: reads the network's gradients, writes its parameters back."""

    def __init__(self, network: nn.Module) -> None:
        self._parameters = dict(network.named_parameters())
        self._masters = {name: parameter.detach().float().clone() for name, parameter in self._parameters.items()}
        self._matrices = {name for name, value in self._masters.items() if _is_matrix(name, value)}
        self._first = {name: torch.zeros_like(value) for name, value in self._masters.items()}
        self._second = {
            name: torch.zeros_like(value) for name, value in self._masters.items() if name not in self._matrices
        }

    def step(self, step: int, progress: float) -> None:
        """Run one update; the rates warm up over steps and fall to zero with progress."""
        rate = min(1.0, (step + 1) / WARM_UP_STEPS) * min(1.0, 1.35 * (1 - progress))
        gradients = {
            name: torch.zeros_like(self._masters[name]) if parameter.grad is None else parameter.grad.float()
            for name, parameter in self._parameters.items()
        }
        norm = torch.sqrt(sum((gradient.square().sum() for gradient in gradients.values()), torch.zeros(())))
        scale = min(1.0, GRADIENT_NORM_LIMIT / (norm.item() + 1e-6))
        for name, gradient in gradients.items():
            if name not in self._matrices:
                self._adam(name, gradient * scale, step, ADAM_RATE * rate)
        self._muon(gradients, MUON_RATE * rate)
        self.publish()

    def publish(self) -> None:
        """Write the masters into the network and clear its gradients."""
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(self._masters[name])
                parameter.grad = None

    def tensors(self) -> list[Tensor]:
        """Return masters and moments, to be averaged in place between processes; call `publish` afterwards."""
        return [*self._masters.values(), *self._first.values(), *self._second.values()]

    def masters(self) -> dict[str, Tensor]:
        """Return the weights, in float32, by parameter name."""
        return self._masters

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`."""
        return {"masters": self._masters, "first": self._first, "second": self._second}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        for mine, saved in ((self._masters, "masters"), (self._first, "first"), (self._second, "second")):
            for name, value in state[saved].items():
                mine[name].copy_(value)
        self.publish()

    def _adam(self, name: str, gradient: Tensor, step: int, rate: float) -> None:
        first, second, master = self._first[name], self._second[name], self._masters[name]
        first.lerp_(gradient, 1 - ADAM_BETAS[0])
        second.lerp_(gradient.square(), 1 - ADAM_BETAS[1])
        corrected = (second / (1 - ADAM_BETAS[1] ** (step + 1))).sqrt_().add_(1e-8)
        master.addcdiv_(first / (1 - ADAM_BETAS[0] ** (step + 1)), corrected, value=-rate)

    def _muon(self, gradients: dict[str, Tensor], rate: float) -> None:
        pieces: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for name in self._matrices:
            first, gradient = self._first[name].flatten(1), gradients[name].flatten(1)
            first.mul_(MUON_MOMENTUM).add_(gradient)
            update = gradient.add(first, alpha=MUON_MOMENTUM)
            master = self._masters[name].flatten(1)
            split = SPLIT_ROWS if "attention" in name else len(master)
            for piece, target in zip(update.split(split), master.split(split), strict=True):
                wide = piece if piece.shape[0] <= piece.shape[1] else piece.T
                pieces.setdefault(tuple(wide.shape), []).append((wide, target))
        for group in pieces.values():
            directions = orthogonal(torch.stack([wide for wide, _target in group]))
            for direction, (wide, target) in zip(directions, group, strict=True):
                step = direction if wide.shape == target.shape else direction.T
                factor = max(1.0, target.shape[0] / target.shape[1]) ** 0.5
                target.mul_(1 - rate * WEIGHT_DECAY).add_(step.float(), alpha=-rate * factor)


def _is_matrix(name: str, value: Tensor) -> bool:
    return value.ndim >= 2 and not name.startswith(("embedding", "positions", "ctc"))


def orthogonal(matrices: Tensor) -> Tensor:
    """Approximate the nearest semi-orthogonal matrices by Newton-Schulz.

    The shape is [count, rows, columns], with rows <= columns.
    """
    x = matrices.bfloat16()
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _iteration in range(5):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x
