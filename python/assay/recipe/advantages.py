"""From scores to what the learner trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import assay
from assay.learner.batch import TrainSequence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from assay.learner.step import Learner
    from assay.recipe.schema import GrpoStage
    from assay.recipe.scoring import ScoredBatch


def train_sequences(
    batch: ScoredBatch, stage: GrpoStage, weights: Mapping[str, float], learner: Learner
) -> tuple[list[TrainSequence], dict[str, float]]:
    """Advantages of a scored batch, as the stage defines them.

    Args:
        batch: Completions of one group next to each other.
        stage: Which advantage, and whether a divergence is taken off the reward.
        weights: Of the components, by name, for ``gdpo``.
        learner: Gives the log-probs that the divergence is estimated from.

    Returns:
        One sequence per completion, and ``kl_reward`` (mean estimate per token) if there is one.
    """
    scalar = stage.kl_in == "loss" or not stage.kl_coefficient
    flat = group_advantages(batch, stage, weights) if scalar else np.zeros(len(batch.rollouts), np.float32)
    sequences = [
        TrainSequence(
            rollout.group_id,
            rollout.prompt_ids,
            rollout.token_ids,
            rollout.logprobs,
            float(advantage),
            weight_version=min(span.version for span in rollout.spans()),
            masked=stage.mask_truncated and rollout.finish_reason != "stop",
        )
        for rollout, advantage in zip(batch.rollouts, flat, strict=True)
    ]
    if scalar:
        return sequences, {}
    policy, reference = learner.score(
        sequences, temperature=stage.sampling.temperature, token_budget=stage.token_budget
    )
    assert reference is not None
    apart = [token_divergence(own, theirs, stage.kl_estimator) for own, theirs in zip(policy, reference, strict=True)]
    for sequence, advantage in zip(sequences, penalised_advantages(batch, apart, stage), strict=True):
        sequence.advantage = advantage
    return sequences, {"kl_reward": float(np.concatenate(apart).mean())}


def group_advantages(batch: ScoredBatch, stage: GrpoStage, weights: Mapping[str, float]) -> NDArray[np.float32]:
    """One advantage per completion, from its score."""
    if stage.advantage == "gdpo":
        return assay.group_advantages(batch.scores.components, batch.group_ids, kind="gdpo", weights=weights)
    return assay.group_advantages(batch.scores.total, batch.group_ids, kind=stage.advantage)


def token_divergence(logprobs: NDArray[np.float32], reference: NDArray[np.float32], kind: str) -> NDArray[np.float64]:
    """``assay.learner.divergence.divergence`` as a value without gradient: ``float64[tokens]``."""
    difference = reference.astype(np.float64) - logprobs
    match kind:
        case "k1":
            return -difference
        case "k2":
            return difference**2 / 2
        case _:
            return np.expm1(difference) - difference


def penalised_advantages(
    batch: ScoredBatch, apart: Sequence[NDArray[np.float64]], stage: GrpoStage
) -> list[float] | list[NDArray[np.float32]]:
    """Advantages of ``reward - kl_coefficient * divergence``.

    ``reinforce_pp`` keeps the divergence where it arose: each token's return is the reward less the divergence of this
    and all later tokens, and returns are whitened over all tokens of the batch (REINFORCE++, arXiv
    2501.03262).
    Every other kind takes the sum over the completion off its reward. An unscored completion has advantage 0.
    """
    totals, beta = batch.scores.total, stage.kl_coefficient
    if stage.advantage != "reinforce_pp":
        rewards = totals - beta * np.array([part.sum() for part in apart])
        return [float(a) for a in assay.group_advantages(rewards, batch.group_ids, kind=stage.advantage)]
    returns = [total - beta * part[::-1].cumsum()[::-1] for total, part in zip(totals, apart, strict=True)]
    known = np.concatenate([part for part in returns if not np.isnan(part).any()] or [np.zeros(1)])
    mean, std = known.mean(), known.std(ddof=1) if known.size > 1 else 0.0
    return [np.nan_to_num((part - mean) / (std + 1e-6), nan=0.0).astype(np.float32) for part in returns]


def groups_with_variance(batch: ScoredBatch) -> set[int]:
    """Groups in which two scored completions have different rewards: those that DAPO eq. 11 keeps."""
    found: set[int] = set()
    ids, totals = batch.group_ids, batch.scores.total
    for group in np.unique(ids):
        known = totals[(ids == group) & ~np.isnan(totals)]
        if known.size > 1 and known.max() > known.min():
            found.add(int(group))
    return found
