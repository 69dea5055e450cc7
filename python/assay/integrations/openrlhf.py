"""A reward function for OpenRLHF: `--reward.remote_url .../openrlhf.py`.

OpenRLHF knows no missing reward. An undecided answer is therefore worth accuracy 0 (`on_undecided = "zero"`), and a
reference that cannot be read raises instead of becoming a reward. `ASSAY_SPEC` names the spec, `accuracy` by default.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from assay.integrations._required import require_scored, undecided_as_zero
from assay.rewards import Scorer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["reward_func"]


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **_: object) -> dict[str, Any]:
    """Rewards of a batch.

    Args:
        queries: prompts with their completions, special tokens included.
        prompts: the prompts; what follows them in the query is judged.
        labels: the references.

    Returns:
        `rewards` and `scores` (accuracy, for dynamic filtering; the total without an accuracy component) as float
        tensors [n], `extra_logs` with one tensor per component.

    Raises:
        InvalidInputError: a reference cannot be read.
    """
    import torch

    completions = [query.removeprefix(prompt) for query, prompt in zip(queries, prompts, strict=True)]
    scores = _scorer(os.environ.get("ASSAY_SPEC", "accuracy")).score(completions, labels)
    require_scored(scores)
    rewards = torch.from_numpy(scores.total).float()
    accuracy = scores.components.get("accuracy")
    return {
        "rewards": rewards,
        "scores": rewards if accuracy is None else torch.from_numpy(accuracy).float(),
        "extra_logs": {name: torch.from_numpy(values).float() for name, values in scores.components.items()},
    }


@lru_cache(maxsize=16)
def _scorer(spec: str) -> Scorer:
    return Scorer(undecided_as_zero(spec))
