"""The GRPO objective of one micro-batch: what is fixed when it is first seen, and the loss of each pass over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from assay.learner.correction import correction_weights, mismatch
from assay.learner.divergence import divergence
from assay.learner.loss import SurrogateLoss, cispo_surrogate, clipped_surrogate, gspo_surrogate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor

    from assay.learner.batch import TrainSequence
    from assay.learner.config import GrpoConfig


class Sums:
    """Quantities added up over micro-batches in float64, where they are: reading them would stall an accelerator."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._maxima: dict[str, Tensor] = {}

    def add(self, **values: Tensor | float) -> None:
        """Adds to each sum."""
        for name, value in values.items():
            more = value.detach().double() if isinstance(value, torch.Tensor) else value
            self._sums[name] = self._sums.get(name, 0.0) + more

    def largest(self, **values: Tensor) -> None:
        """Raises each maximum."""
        for name, value in values.items():
            self._maxima[name] = torch.maximum(self._maxima.get(name, value), value)

    def sums(self) -> dict[str, float]:
        """Every sum, on the host."""
        return {name: float(value) for name, value in self._sums.items()}

    def maxima(self) -> dict[str, float]:
        """Every maximum, on the host."""
        return {name: float(value) for name, value in self._maxima.items()}


class TokenData(NamedTuple):
    """What is known of the tokens of a micro-batch before any forward; all ``[tokens]`` but ``counts``.

    Attributes:
        counts: ``int64[completions]``, tokens of each.
        advantages: ``float32``.
        weights: ``float32``, of each token in the loss of its optimizer step.
        sampler: ``float32`` log-probs of the engine, NaN where it recorded none.
        stale: ``bool``: sampled by weights of an earlier version.
    """

    counts: Tensor
    advantages: Tensor
    weights: Tensor
    sampler: Tensor
    stale: Tensor


@dataclass(slots=True)
class Anchor:
    """What later passes over a micro-batch hold on to.

    Attributes:
        old: ``float32[tokens]``: what ratios are measured from.
        correction: ``float32[tokens]``: importance weights between sampler and learner.
        entropies: ``float32[tokens]`` at the start of the step; ``None`` unless the whole batch was looked at first.
    """

    old: Tensor
    correction: Tensor
    entropies: Tensor | None = None


def token_data(
    sequences: Sequence[TrainSequence],
    rows: Sequence[int],
    weights: Sequence[float],
    *,
    weight_version: int | None,
    device: torch.device,
) -> TokenData:
    """Lays out what the loss needs of the completions at ``rows``.

    Args:
        sequences: All sequences of the step.
        rows: Those of the micro-batch, in the order of its tokens.
        weights: Of each token of each sequence, by its index in ``sequences``.
        weight_version: Version of the weights in training; ``None`` if versions are not kept, and nothing is stale.
        device: Where the tensors are made.
    """
    chosen = [sequences[row] for row in rows]
    lengths = [len(sequence.token_ids) for sequence in chosen]
    counts = torch.tensor(lengths, device=device)

    def same(values: list[float]) -> Tensor:
        return torch.from_numpy(np.repeat(np.array(values, np.float32), lengths)).to(device)

    def each(parts: Iterable[object]) -> Tensor:
        joined = [np.broadcast_to(np.asarray(part, np.float32), n) for part, n in zip(parts, lengths, strict=True)]
        return torch.from_numpy(np.concatenate(joined)).to(device)

    advantages = [sequence.advantage for sequence in chosen]
    whole = [float(advantage) for advantage in advantages if np.ndim(advantage) == 0]
    late = [is_stale(sequence, weight_version) for sequence in chosen]
    return TokenData(
        counts,
        same(whole) if len(whole) == len(advantages) else each(advantages),
        same([weights[row] for row in rows]),
        each(np.nan if sequence.logprobs is None else sequence.logprobs for sequence in chosen),
        torch.tensor(late, device=device).repeat_interleave(counts),
    )


def is_stale(sequence: TrainSequence, weight_version: int | None) -> bool:
    """Whether older weights than ``weight_version`` sampled any token of a sequence."""
    return None not in (weight_version, sequence.weight_version) and sequence.weight_version != weight_version


def anchor(logprobs: Tensor, tokens: TokenData, config: GrpoConfig, sums: Sums) -> Anchor:
    """Fixes what ratios are measured from, at the first sight of a micro-batch.

    A token that the weights in training sampled has ratio 1 at the start of the step. One that older weights sampled has
    not: with a correction, the ratio is measured from the weights at the start of the step and the importance weight
    carries the rest (decoupled PPO, arXiv 2110.00641 eq. 6; AReaL, arXiv 2505.24298 eq. 5); without one, the ratio is
    measured from the sampler itself, as in PPO.

    Args:
        logprobs: ``float32[tokens]`` under the weights at the start of the step.
        tokens: Of this micro-batch.
        config: The loss.
        sums: Where the mismatch of sampler and learner is added.
    """
    old = logprobs.detach()
    found = mismatch(old, tokens.sampler, bound=config.correction_high)
    sums.largest(difference=found.pop("difference_max"), ratio=found.pop("ratio_max"))
    sums.add(**{f"mismatch_{name}": value for name, value in found.items()})
    weights = correction_weights(
        old,
        tokens.sampler,
        tokens.counts,
        kind=config.correction,
        low=config.correction_low,
        high=config.correction_high,
    )
    sums.add(correction=weights.sum(), corrected_away=(weights == 0).sum(), seen=float(old.numel()))
    if config.correction == "none":
        old = torch.where(tokens.stale, tokens.sampler, old)
    return Anchor(old, weights)


def surrogate(logprobs: Tensor, held: Anchor, tokens: TokenData, config: GrpoConfig) -> SurrogateLoss:
    """The configured policy loss of every token."""
    match config.surrogate:
        case "clip":
            return clipped_surrogate(
                logprobs,
                held.old,
                tokens.advantages,
                clip_low=config.clip_low,
                clip_high=config.clip_high,
                dual_clip=config.dual_clip,
            )
        case "gspo":
            return gspo_surrogate(
                logprobs,
                held.old,
                tokens.advantages,
                tokens.counts,
                clip_low=config.clip_low,
                clip_high=config.clip_high,
            )
        case "cispo":
            return cispo_surrogate(logprobs, held.old, tokens.advantages, ratio_max=config.ratio_max)


class Pass(NamedTuple):
    """One forward over a micro-batch and what its loss is made with.

    Attributes:
        logprobs: ``float32[tokens]``, differentiable.
        entropies: ``float32[tokens]`` in nats, differentiable.
        reference: ``float32[tokens]`` log-probs of the reference, if there is a KL term.
        threshold: Entropy below which a token carries no policy gradient; ``None`` for none.
        step_tokens: Tokens of the whole optimizer step, over which the entropy is averaged.
    """

    logprobs: Tensor
    entropies: Tensor
    reference: Tensor | None
    threshold: float | None
    step_tokens: int


def objective(done: Pass, held: Anchor, tokens: TokenData, config: GrpoConfig, sums: Sums) -> Tensor:
    """The micro-batch's part of the loss of its optimizer step, as a scalar; its parts are added to ``sums``."""
    found = surrogate(done.logprobs, held, tokens, config)
    values = found.values * held.correction
    if done.threshold is not None:
        assert held.entropies is not None
        chosen = (held.entropies >= done.threshold).to(values.dtype)
        values = values * chosen
        sums.add(chosen=chosen.sum())
    if done.reference is not None:
        apart = divergence(done.logprobs, done.reference, config.kl_estimator)
        values = values + config.kl_coefficient * apart
        sums.add(kl=apart.detach().sum())
    loss = (values * tokens.weights).sum()
    if config.entropy_coefficient:
        loss = loss - config.entropy_coefficient * done.entropies.sum() / done.step_tokens
    sums.add(
        loss=loss.detach(),
        entropy=done.entropies.detach().sum(),
        low=found.clipped_low.sum(),
        high=found.clipped_high.sum(),
        tokens=float(values.numel()),
    )
    return loss
