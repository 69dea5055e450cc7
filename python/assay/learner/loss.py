"""The GRPO loss as pure functions over the flat list of completion tokens.

Tokens of all completions stand one after another in tensors of shape ``[tokens]``: there is no padding, so there is no
mask. Log-probs are natural logarithms in float32. How tokens are averaged is a weight per token
(``token_weights``), computed over the whole optimizer step, so that the loss of a step is the plain sum of the losses
of its micro-batches.

Equations: DeepSeekMath (arXiv 2402.03300) eq. 3 and 4; DAPO (arXiv 2503.14476) eq. 8, 10 and 12; Dr. GRPO (arXiv
2503.20783) section 3.2; k3: Schulman, "Approximating KL divergence" (2020).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Aggregation: TypeAlias = Literal["token_mean", "sequence_mean", "constant"]


class ClippedLoss(NamedTuple):
    """The clipped surrogate of each token.

    Attributes:
        values: ``float32[tokens]``, to be minimised.
        clipped_low: ``bool[tokens]``: the ratio fell below ``1 - clip_low`` and the advantage is negative, so the
            token has no gradient.
        clipped_high: ``bool[tokens]``: the ratio rose over ``1 + clip_high`` and the advantage is positive, likewise.
    """

    values: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def clipped_surrogate(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, *, clip_low: float, clip_high: float
) -> ClippedLoss:
    """``-min(r * A, clip(r, 1 - clip_low, 1 + clip_high) * A)`` with ``r = exp(logprobs - old_logprobs)``.

    DeepSeekMath eq. 3 without its KL term; with ``clip_high > clip_low`` the clip-higher of DAPO eq. 10.

    Args:
        logprobs: ``float32[tokens]`` under the weights in training; the only input that gets a gradient.
        old_logprobs: ``float32[tokens]`` under the weights that sampled the tokens.
        advantages: ``float32[tokens]``, the advantage of each token's completion.
        clip_low: Clip width below 1, in [0, 1].
        clip_high: Clip width above 1, not negative.
    """
    ratio = torch.exp(logprobs - old_logprobs.detach())
    advantages = advantages.detach()
    clipped = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    values = -torch.minimum(ratio * advantages, clipped * advantages)
    with torch.no_grad():
        clipped_low = (ratio < 1.0 - clip_low) & (advantages < 0)
        clipped_high = (ratio > 1.0 + clip_high) & (advantages > 0)
    return ClippedLoss(values, clipped_low, clipped_high)


def k3_divergence(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """The k3 estimate of ``KL(policy || reference)`` of each token: ``exp(d) - d - 1``, ``d = reference - policy``.

    DeepSeekMath eq. 4. Never negative; unbiased when the tokens come from the policy.

    Args:
        logprobs: ``float32[tokens]`` under the weights in training; gets a gradient.
        reference_logprobs: ``float32[tokens]`` under the frozen reference weights.

    Returns:
        ``float32[tokens]``.
    """
    difference = reference_logprobs.detach() - logprobs
    return torch.expm1(difference) - difference


def token_weights(
    lengths: Sequence[int], aggregation: Aggregation, *, constant_length: int | None = None
) -> list[float]:
    """The weight of each token of each completion in the loss of one optimizer step.

    - ``token_mean``: ``1 / sum of lengths``, DAPO eq. 8 (over the step): every token counts the same.
    - ``sequence_mean``: ``1 / (completions * length)``, DeepSeekMath eq. 3: every completion counts the same.
    - ``constant``: ``1 / (completions * constant_length)``, Dr. GRPO: no length bias in either direction.

    Args:
        lengths: Tokens of every completion of the step, each at least 1, those that are not trained on (advantage
            zero) included: leaving them out of the forward must not change the loss of the others.
        aggregation: One of the three.
        constant_length: Tokens that ``constant`` divides by, usually ``max_new_tokens``.

    Returns:
        One weight per completion, to be applied to each of its tokens.

    Raises:
        InvalidInputError: ``constant`` without a positive ``constant_length``, or an empty completion.
    """
    if any(length < 1 for length in lengths):
        msg = "a completion has no tokens: a rollout holds at least its stop token"
        raise InvalidInputError(msg)
    match aggregation:
        case "token_mean":
            return [1.0 / sum(lengths)] * len(lengths)
        case "sequence_mean":
            return [1.0 / (len(lengths) * length) for length in lengths]
        case "constant":
            if constant_length is None or constant_length < 1:
                msg = "loss aggregation 'constant' needs a positive constant_length"
                raise InvalidInputError(msg)
            return [1.0 / (len(lengths) * constant_length)] * len(lengths)
