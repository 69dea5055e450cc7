"""AdamW with a learning rate that warms up and then decays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

Schedule: TypeAlias = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW (Loshchilov and Hutter, arXiv 1711.05101), its schedule and its gradient clip.

    Attributes:
        lr: Peak learning rate.
        betas: Decay of the two moments.
        weight_decay: Decoupled decay of every parameter.
        epsilon: Added to the root of the second moment.
        warmup_steps: Steps of linear warm-up; the first step already has ``lr / warmup_steps``.
        schedule: ``constant`` after the warm-up, or ``linear`` or ``cosine`` down to ``final_ratio * lr``.
        final_ratio: What part of ``lr`` the last step has.
        total_steps: Steps of the stage, where the decay ends.
        max_grad_norm: Gradients of a larger norm are scaled down to it; 0 turns it off.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    epsilon: float = 1e-8
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    final_ratio: float = 0.1
    total_steps: int = 0
    max_grad_norm: float = 1.0


def learning_rate(step: int, config: OptimizerConfig) -> float:
    """The learning rate of ``step`` (from 0)."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    decaying = config.total_steps - config.warmup_steps
    if config.schedule == "constant" or decaying <= 1:
        return config.lr
    progress = min(1.0, (step - config.warmup_steps) / (decaying - 1))
    shape = 1.0 - progress if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))
    return config.lr * (config.final_ratio + (1.0 - config.final_ratio) * shape)


def make_optimizer(parameters: Iterable[torch.nn.Parameter], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the master weights, in one fused kernel per step."""
    return torch.optim.AdamW(
        parameters,
        lr=config.lr,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )
