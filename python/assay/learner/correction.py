"""Off-policy correction: what to do about tokens that other weights, or another engine, sampled.

A token's completion was sampled with probability ``mu`` (the engine's record) and the step starts from weights that give
it ``pi``. They differ because the engine rounds differently, and because its weights may be older. The gradient is then
that of another distribution, and ``pi / mu`` is the importance weight that repairs it, if it is kept from exploding: it
is truncated (TIS, "Your efficient RL framework secretly brings you off-policy RL training", Yao et al. 2025; V-trace,
arXiv 1802.01561 eq. 1), or what lies outside its bounds is masked (MIS; IcePop, arXiv 2510.18855). Per
completion the weight is the product over its tokens, whose variance is large but whose correction is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch

from assay.learner.loss import sequence_sums

if TYPE_CHECKING:
    from torch import Tensor

Correction: TypeAlias = Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"]


def correction_weights(
    logprobs: Tensor, sampler_logprobs: Tensor, counts: Tensor, *, kind: Correction, low: float = 0.0, high: float = 2.0
) -> Tensor:
    """The weight of each token's surrogate: ``exp(logprobs - sampler_logprobs)``, kept within ``[low, high]``.

    Args:
        logprobs: ``float32[tokens]`` under the weights at the start of the step.
        sampler_logprobs: ``float32[tokens]`` as the engine recorded them while sampling. NaN where it recorded none: such
            a token has ratio 1.
        counts: ``int64[completions]``, tokens of each completion, in order.
        kind: ``token_*`` takes each token's own ratio, ``sequence_*`` the product over its completion;
            ``*_truncate`` moves a ratio outside the bounds to the bound, ``*_mask`` makes it 0. ``none`` is 1 throughout.
        low: Lower bound; 0 turns it off.
        high: Upper bound.

    Returns:
        ``float32[tokens]``, without gradient.
    """
    difference = _difference(logprobs, sampler_logprobs)
    if kind == "none":
        return torch.ones_like(difference)
    if kind.startswith("sequence"):
        difference = sequence_sums(difference, counts).repeat_interleave(counts)
    ratio = difference.exp()
    if kind.endswith("truncate"):
        return ratio.clamp(low, high)
    return ratio.masked_fill((ratio < low) | (ratio > high), 0.0)


def mismatch(logprobs: Tensor, sampler_logprobs: Tensor, *, bound: float) -> dict[str, Tensor]:
    """How far sampler and learner are apart, as sums and maxima over tokens.

    Args:
        logprobs: ``float32[tokens]`` under the weights at the start of the step.
        sampler_logprobs: ``float32[tokens]`` of the engine; NaN where it recorded none, which is left out.
        bound: Ratios outside ``[1 / bound, bound]`` count as beyond.

    Returns:
        Scalars: ``known`` (tokens compared), ``k1`` and ``k3`` (sums of the two estimates of ``KL(sampler || learner)``),
        ``beyond`` (tokens outside the bound), ``difference_max`` and ``ratio_max`` (maxima; 0 without tokens).
    """
    known = ~torch.isnan(sampler_logprobs)
    # An unknown token has difference 0: it adds nothing to a sum and is within every bound.
    difference = _difference(logprobs, sampler_logprobs)
    ratio = difference.exp()
    return {
        "known": known.sum(),
        "k1": -difference.sum(),
        "k3": (torch.expm1(difference) - difference).sum(),
        "beyond": ((ratio > bound) | (ratio < 1.0 / bound)).sum(),
        "difference_max": difference.abs().max(),
        "ratio_max": (ratio * known).max(),
    }


def _difference(logprobs: Tensor, sampler_logprobs: Tensor) -> Tensor:
    difference = logprobs.detach() - sampler_logprobs.detach()
    return torch.where(torch.isnan(sampler_logprobs), torch.zeros_like(difference), difference)
