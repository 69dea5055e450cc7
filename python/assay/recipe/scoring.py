"""From groups of rollouts to scores, metrics and rows of samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from assay.data import Task
    from assay.recipe.rewards import StageScorer
    from assay.rollout import Rollout, RolloutGroup


@dataclass(slots=True)
class ScoredBatch:
    """Rollouts in the order of their groups, with what they are worth.

    Attributes:
        rollouts: All completions.
        tasks: The problem of each.
        texts: Each completion decoded without special tokens.
        scores: One entry per completion.
    """

    rollouts: list[Rollout]
    tasks: list[Task]
    texts: list[str]
    scores: Scores

    @property
    def group_ids(self) -> NDArray[np.int64]:
        """``int64[n]``."""
        return np.array([rollout.group_id for rollout in self.rollouts], dtype=np.int64)


def score_groups(
    groups: Sequence[RolloutGroup],
    tasks: Sequence[Task],
    scorer: StageScorer,
    tokenizer: Any,
    step: int | None = None,
) -> ScoredBatch:
    """Scores every completion from its token ids.

    Args:
        groups: In the order of ``tasks``.
        tasks: The problem of each group.
        scorer: Of the stage.
        tokenizer: Decodes completions, for logs and for reward models; rules read the tokens themselves.
        step: Of the stage, from 1, for components that begin later; ``None`` takes them all.
    """
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    of_each = [task for group, task in zip(groups, tasks, strict=True) for _ in group.rollouts]
    texts: list[str] = tokenizer.batch_decode(
        [rollout.token_ids.tolist() for rollout in rollouts], skip_special_tokens=True
    )
    return ScoredBatch(rollouts, of_each, texts, scorer.score(rollouts, of_each, texts, step))


def merge(batches: Sequence[ScoredBatch]) -> ScoredBatch:
    """Several batches as one, in their order; one batch is returned as it is."""
    if len(batches) == 1:
        return batches[0]
    scores = [batch.scores for batch in batches]
    return ScoredBatch(
        [rollout for batch in batches for rollout in batch.rollouts],
        [task for batch in batches for task in batch.tasks],
        [text for batch in batches for text in batch.texts],
        Scores(
            np.concatenate([part.total for part in scores]),
            {name: np.concatenate([part.components[name] for part in scores]) for name in scores[0].components},
            [status for part in scores for status in part.status],
            [reason for part in scores for reason in part.reasons],
            [answer for part in scores for answer in part.answers],
        ),
    )


def select(batch: ScoredBatch, groups: set[int]) -> ScoredBatch:
    """The completions of some groups, in their order."""
    rows = [i for i, rollout in enumerate(batch.rollouts) if rollout.group_id in groups]
    scores = batch.scores
    return ScoredBatch(
        [batch.rollouts[i] for i in rows],
        [batch.tasks[i] for i in rows],
        [batch.texts[i] for i in rows],
        Scores(
            scores.total[rows],
            {name: values[rows] for name, values in scores.components.items()},
            [scores.status[i] for i in rows],
            [scores.reasons[i] for i in rows],
            [scores.answers[i] for i in rows],
        ),
    )


def thinks(text: str) -> bool:
    """Whether a completion has a closed think block with something in it."""
    before, closed, _ = text.partition("</think>")
    return bool(closed) and bool(before.rpartition("<think>")[2].strip())


def accuracy_of(scores: Scores) -> NDArray[np.float64] | None:
    """The values of the first accuracy component, NaN where it has none; ``None`` without such a component."""
    name = next((name for name in scores.components if name.startswith("accuracy")), None)
    return None if name is None else scores.components[name]


def batch_metrics(batch: ScoredBatch) -> dict[str, float]:
    """Rewards, lengths, share that thinks and statuses of a batch, under the names of the metrics file."""
    scores, lengths = batch.scores, np.array([len(rollout.token_ids) for rollout in batch.rollouts])
    clipped = [rollout.finish_reason == "length" for rollout in batch.rollouts]
    metrics = {
        "reward/mean": _mean(scores.total),
        "reward/std": _std(scores.total),
        "completion/length_mean": float(lengths.mean()),
        "completion/length_max": float(lengths.max()),
        "completion/clipped_ratio": float(np.mean(clipped)),
        "completion/thinks_ratio": float(np.mean([thinks(text) for text in batch.texts])),
    }
    for name, values in scores.components.items():
        metrics[f"reward/{name}/mean"] = _mean(values)
    accuracy = accuracy_of(scores)
    if accuracy is not None:
        metrics["accuracy"] = _mean(accuracy)
    for status, count in Counter(str(status) for status in scores.status).items():
        metrics[f"status/{status}"] = float(count)
    return metrics


def sample_rows(
    batch: ScoredBatch, *, stage: str, step: int, groups: int, advantages: NDArray[np.float32] | None = None
) -> list[dict[str, Any]]:
    """Rows of ``samples.jsonl`` for the first ``groups`` groups."""
    first = set(sorted({rollout.group_id for rollout in batch.rollouts})[:groups])
    items = batch.scores.to_list()
    rows: list[dict[str, Any]] = []
    for i, (rollout, task, text) in enumerate(zip(batch.rollouts, batch.tasks, batch.texts, strict=True)):
        if rollout.group_id not in first:
            continue
        rows.append(
            {
                "stage": stage,
                "step": step,
                "group_id": rollout.group_id,
                "index": rollout.index,
                "prompt": task.prompt,
                "completion": text,
                "reference": task.reference,
                **items[i],
                "advantage": None if advantages is None else float(advantages[i]),
                "finish_reason": rollout.finish_reason,
                "length": len(rollout.token_ids),
            }
        )
    return rows


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of the numbers among ``values``; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _std(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.std()) if known.size else float("nan")
