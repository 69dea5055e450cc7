"""Policy-gradient losses as pure functions over the flat list of completion tokens.

Tokens of all completions stand one after another in tensors of shape ``[tokens]``: there is no padding, so there is no
mask. Log-probs are natural logarithms in float32. How tokens are averaged is a weight per token
(``token_weights``), computed over the whole optimizer step, so that the loss of a step is the plain sum of the losses
of its micro-batches.

A named algorithm is one of these surrogates, one way to average and one kind of advantage; the table is in
``docs/learner.md``. Equations: DeepSeekMath (arXiv 2402.03300) eq. 3; DAPO (arXiv 2503.14476) eq. 8, 10 and 12;
Dr. GRPO (arXiv 2503.20783) section 3.2; GSPO (arXiv 2507.18071) eq. 5 and 7; CISPO: MiniMax-M1 (arXiv 2506.13585) eq. 4
and 5; dual clip: Ye et al. (arXiv 1912.09729); top-entropy tokens: Wang et al. (arXiv 2506.01939).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import torch

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Aggregation: TypeAlias = Literal["token_mean", "sequence_mean", "constant"]
Surrogate: TypeAlias = Literal["clip", "gspo", "cispo"]


class SurrogateLoss(NamedTuple):
    """A surrogate, token by token.

    Attributes:
        values: ``float32[tokens]``, to be minimised.
        clipped_low: ``bool[tokens]``: the ratio fell below its lower bound and the advantage is negative.
        clipped_high: ``bool[tokens]``: the ratio rose over its upper bound and the advantage is positive. In ``clip``
            and ``gspo`` such a token has no gradient; in ``cispo`` its weight stops growing.
    """

    values: Tensor
    clipped_low: Tensor
    clipped_high: Tensor


def clipped_surrogate(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    dual_clip: float | None = None,
) -> SurrogateLoss:
    """``-min(r * A, clip(r, 1 - clip_low, 1 + clip_high) * A)`` with ``r = exp(logprobs - old_logprobs)``.

    DeepSeekMath eq. 3 without its KL term; with ``clip_high > clip_low`` the clip-higher of DAPO eq. 10.

    Args:
        logprobs: ``float32[tokens]`` under the weights in training; the only input that gets a gradient.
        old_logprobs: ``float32[tokens]`` under the weights that the ratio is measured from.
        advantages: ``float32[tokens]``, the advantage of each token.
        clip_low: Clip width below 1, in [0, 1].
        clip_high: Clip width above 1, not negative.
        dual_clip: With a negative advantage the loss is at most ``dual_clip * |A|`` (dual clip), so that one token
            that became much likelier cannot rule the step; larger than ``1 + clip_high``. ``None`` turns it off.
    """
    return _clip(torch.exp(logprobs - old_logprobs.detach()), advantages, clip_low, clip_high, dual_clip)


def gspo_surrogate(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    counts: Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> SurrogateLoss:
    """The clipped surrogate with one ratio per completion: ``s = exp(mean over its tokens of log r)``.

    GSPO eq. 5 and 7, which is meant to be averaged by ``sequence_mean``. Every token of a completion carries the same
    value, so that the sum over tokens weighted by ``1 / length`` is the loss of the completion. As ``s`` moves far less
    than a token's ratio, its clip widths are smaller: the paper uses 3e-4 and 4e-4.

    Args:
        logprobs: As in ``clipped_surrogate``.
        old_logprobs: As in ``clipped_surrogate``.
        advantages: As in ``clipped_surrogate``.
        counts: ``int64[completions]``, tokens of each completion, in order; their sum is ``tokens``.
        clip_low: Clip width below 1.
        clip_high: Clip width above 1.
    """
    mean = sequence_means(logprobs - old_logprobs.detach(), counts)
    return _clip(torch.exp(mean).repeat_interleave(counts), advantages, clip_low, clip_high, None)


def cispo_surrogate(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, *, ratio_max: float, ratio_min: float = 0.0
) -> SurrogateLoss:
    """``-stop_gradient(clip(r, ratio_min, ratio_max)) * A * logprob``: no token ever loses its gradient.

    MiniMax-M1 eq. 4 and 5, in which only the upper bound is active. The value is that of a policy gradient, not of a
    surrogate: it is not comparable with the loss of ``clipped_surrogate``.

    Args:
        logprobs: As in ``clipped_surrogate``.
        old_logprobs: As in ``clipped_surrogate``.
        advantages: As in ``clipped_surrogate``.
        ratio_max: Largest weight of a token.
        ratio_min: Smallest weight of a token; 0 turns the bound off.
    """
    advantages = advantages.detach()
    ratio = torch.exp(logprobs.detach() - old_logprobs.detach())
    values = -ratio.clamp(ratio_min, ratio_max) * advantages * logprobs
    return SurrogateLoss(values, (ratio < ratio_min) & (advantages < 0), (ratio > ratio_max) & (advantages > 0))


def sequence_means(values: Tensor, counts: Tensor) -> Tensor:
    """The mean over the tokens of each completion: ``float[completions]``."""
    return sequence_sums(values, counts) / counts


def sequence_sums(values: Tensor, counts: Tensor) -> Tensor:
    """The sum over the tokens of each completion: ``float[completions]``."""
    rows = torch.arange(counts.shape[0], device=values.device).repeat_interleave(counts)
    return values.new_zeros(counts.shape[0]).index_add(0, rows, values)


def top_entropy_threshold(entropies: Tensor, share: float) -> float:
    """The entropy that the ``share`` of tokens with the highest entropy reach: the others carry no policy gradient.

    "Beyond the 80/20 rule" (arXiv 2506.01939), which trains on the top 20 %.

    Args:
        entropies: ``float32[tokens]`` of a whole step, in nats; not empty.
        share: In (0, 1].

    Returns:
        The ``1 - share`` quantile, by linear interpolation.
    """
    # Not torch.quantile, which refuses more than 16 million elements; long steps have more tokens.
    ordered = entropies.flatten().double().sort().values
    position = (1.0 - share) * (ordered.numel() - 1)
    below = int(position)
    above = min(below + 1, ordered.numel() - 1)
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (position - below)


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


def _clip(
    ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float, dual_clip: float | None
) -> SurrogateLoss:
    advantages = advantages.detach()
    clipped = ratio.clamp(1.0 - clip_low, 1.0 + clip_high)
    values = -torch.minimum(ratio * advantages, clipped * advantages)
    if dual_clip is not None:
        values = torch.where(advantages < 0, torch.minimum(values, -dual_clip * advantages), values)
    with torch.no_grad():
        clipped_low = (ratio < 1.0 - clip_low) & (advantages < 0)
        clipped_high = (ratio > 1.0 + clip_high) & (advantages > 0)
    return SurrogateLoss(values, clipped_low, clipped_high)
