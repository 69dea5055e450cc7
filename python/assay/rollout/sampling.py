"""Drawing one token for each row of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from assay.rollout.types import SamplingParams

_MASK_64 = (1 << 64) - 1


def group_uniforms(seed: int, group_id: int, rows: int, steps: int) -> Tensor:
    """Returns ``float64[rows, steps]`` uniforms in [0, 1) that depend on ``seed`` and ``group_id`` alone.

    Every token of every rollout has its own number, so neither the batch a group lands in nor the rows that finished
    before it change what it samples.
    """
    # `SeedSequence` mixes both words, so that (seed 1, group 2) and (seed 2, group 1) are unrelated streams.
    state = np.random.SeedSequence([seed & _MASK_64, group_id & _MASK_64]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(state) >> 1)
    return torch.rand(rows, steps, dtype=torch.float64, generator=generator)


def sample(logits: Tensor, uniforms: Tensor, params: SamplingParams) -> tuple[Tensor, Tensor]:
    """Draws one token per row by inverting the cumulative distribution at the row's uniform number.

    Args:
        logits: ``[rows, vocabulary]``, any float dtype.
        uniforms: ``float64[rows]`` in [0, 1).
        params: Temperature, top-k, then top-p are applied in this order.

    Returns:
        ``int64[rows]`` tokens and ``float32[rows]`` log-probs of ``log_softmax(logits / temperature)`` before
        truncation; at temperature 0 the likeliest token and its log-prob at temperature 1.
    """
    scaled = logits.float()
    if params.temperature not in (0.0, 1.0):
        scaled = scaled / params.temperature
    shifted = scaled - scaled.amax(dim=-1, keepdim=True)
    weights = shifted.exp()
    log_total = weights.sum(dim=-1).log()
    greedy = params.temperature == 0.0
    tokens = shifted.argmax(dim=-1) if greedy else _invert(_truncate(weights, params), uniforms)
    logprobs = shifted.gather(-1, tokens[:, None]).squeeze(-1) - log_total
    return tokens, logprobs


def _truncate(weights: Tensor, params: SamplingParams) -> Tensor:
    """Sets the weights outside the top-k, then outside the top-p of what is left, to zero."""
    size = weights.shape[-1]
    top_k = params.top_k if 0 < params.top_k < size else size
    if top_k == size and params.top_p >= 1.0:
        return weights
    kept, order = weights.topk(top_k, dim=-1, sorted=True)
    if params.top_p < 1.0:
        share = kept.double()
        before = share.cumsum(dim=-1) - share
        kept = kept.masked_fill(before >= params.top_p * share.sum(dim=-1, keepdim=True), 0.0)
    return torch.zeros_like(weights).scatter_(-1, order, kept)


def _invert(weights: Tensor, uniforms: Tensor) -> Tensor:
    """Returns the first index whose cumulative weight exceeds ``uniform * total``: never one of weight zero."""
    # Cumulated in float64: over a vocabulary of 10^5, float32 rounding would move the tail by more than it holds.
    cumulative = weights.cumsum(dim=-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    below_total = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniforms.to(weights.device)[:, None] * total, below_total)
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1)
