"""Reward functions for verl: `custom_reward_function.path=.../verl.py`, `custom_reward_function.name=compute_score`.

verl knows no missing reward. An undecided answer is therefore worth accuracy 0 (`on_undecided = "zero"`), and a
reference that cannot be read raises instead of becoming a reward.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assay.integrations._required import require_scored, undecided_as_zero
from assay.rewards import Scorer
from assay.spec import SpecLike, canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["compute_score", "compute_score_batched"]


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, Any] | None = None,
    *,
    spec: SpecLike = "accuracy",
    **reward_kwargs: object,
) -> dict[str, Any]:
    r"""The score of one completion, with each component beside it for verl's logs.

    Args:
        data_source: not used; the spec says how to score.
        solution_str: the completion.
        ground_truth: the reference.
        extra_info: not used.
        spec: whatever `assay.Scorer` takes (`custom_reward_function.reward_kwargs.spec`).
        reward_kwargs: what newer versions of verl add; not used.

    Returns:
        `score`, `pred` (the answer that was judged, or the empty string) and one entry per component.

    Raises:
        InvalidInputError: the reference cannot be read.

    >>> compute_score("math", "So it is \\boxed{7}.", "7")
    {'score': 1.0, 'pred': '7', 'accuracy': 1.0}
    """
    return compute_score_batched(
        [data_source], [solution_str], [ground_truth], [extra_info], spec=spec, **reward_kwargs
    )[0]


def compute_score_batched(
    data_sources: Sequence[str],
    solution_strs: Sequence[str],
    ground_truths: Sequence[str],
    extra_infos: Sequence[dict[str, Any] | None] | None = None,
    *,
    spec: SpecLike = "accuracy",
    **reward_kwargs: object,
) -> list[dict[str, Any]]:
    """As `compute_score`, for `reward_manager=batch`: one call, all cores."""
    del data_sources, extra_infos, reward_kwargs
    scores = _scorer(canonical_json(spec)).score(solution_strs, ground_truths)
    require_scored(scores)
    columns = {name: values.tolist() for name, values in scores.components.items()}
    return [
        {"score": total, "pred": scores.answers[index] or ""}
        | {name: column[index] for name, column in columns.items()}
        for index, total in enumerate(scores.total.tolist())
    ]


@lru_cache(maxsize=16)
def _scorer(spec_json: str) -> Scorer:
    return Scorer(undecided_as_zero(spec_json))
