"""Named algorithms: what each sets where the recipe is silent. Sources in ``docs/learner.md``."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Algorithm: TypeAlias = Literal["grpo", "dapo", "dr_grpo", "gspo", "cispo", "reinforce_pp", "rloo"]

_SAME_CLIP = {"clip_low": 0.2, "clip_high": 0.2}

ALGORITHMS: dict[str, dict[str, Any]] = {
    "grpo": {**_SAME_CLIP, "advantage": "grpo", "aggregation": "sequence_mean", "kl_coefficient": 0.04},
    "dapo": {
        "clip_low": 0.2,
        "clip_high": 0.28,
        "advantage": "grpo",
        "aggregation": "token_mean",
        "dynamic_sampling": 9,
        "mask_truncated": True,
    },
    "dr_grpo": {**_SAME_CLIP, "advantage": "dr_grpo", "aggregation": "constant"},
    "gspo": {
        "surrogate": "gspo",
        "clip_low": 3e-4,
        "clip_high": 4e-4,
        "advantage": "grpo",
        "aggregation": "sequence_mean",
    },
    "cispo": {"surrogate": "cispo", "ratio_max": 5.0, "advantage": "grpo", "aggregation": "token_mean"},
    "reinforce_pp": {
        **_SAME_CLIP,
        "advantage": "reinforce_pp",
        "aggregation": "token_mean",
        "kl_coefficient": 0.01,
        "kl_estimator": "k1",
        "kl_in": "reward",
    },
    "rloo": {
        **_SAME_CLIP,
        "advantage": "rloo",
        "aggregation": "constant",
        "kl_coefficient": 0.05,
        "kl_estimator": "k1",
        "kl_in": "reward",
    },
}
