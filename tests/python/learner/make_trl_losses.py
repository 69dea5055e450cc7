"""Writes `data/trl_losses.json`: what TRL's `GRPOTrainer._compute_loss` makes of given tensors.

Run with the pinned TRL installed (extra `bench`): `python tests/python/learner/make_trl_losses.py`. The test that reads the
file needs no TRL.
"""

from __future__ import annotations

import json
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

FILE = Path(__file__).parent / "data" / "trl_losses.json"
LENGTHS = [5, 3, 1, 6, 2, 4]
MAX_LENGTH = 8
BASE = {"loss_type": "grpo", "epsilon_low": 0.2, "epsilon_high": 0.2}
CASES: dict[str, dict[str, Any]] = {
    "grpo": BASE,
    "grpo_kl": {**BASE, "beta": 0.3},
    "dapo": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28},
    "dapo_dual_clip": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "delta": 1.6},
    "dapo_entropy": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "entropy_coef": 0.05},
    "dapo_top_entropy": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "top_entropy_quantile": 0.33},
    "dr_grpo": {**BASE, "loss_type": "dr_grpo"},
    "gspo": {**BASE, "importance_sampling_level": "sequence", "epsilon_low": 0.05, "epsilon_high": 0.08},
    "cispo": {"loss_type": "cispo", "epsilon_low": 0.0, "epsilon_high": 1.3},
    "dapo_truncated": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28, "correction": "truncate"},
}


def tensors() -> dict[str, list[list[float]] | list[float]]:
    """The inputs of every case: per completion, its advantage and its tokens' log-probs and entropies."""
    torch.manual_seed(0)

    def tokens(scale: float, start: float = 0.0) -> list[torch.Tensor]:
        return [start + scale * torch.randn(n) for n in LENGTHS]

    old = [-part.abs() - 0.1 for part in tokens(1.0)]
    return {
        "advantages": torch.randn(len(LENGTHS)).tolist(),
        "old": [part.tolist() for part in old],
        "logprobs": [(a + b).tolist() for a, b in zip(old, tokens(0.3), strict=True)],
        "reference": [(a + b).tolist() for a, b in zip(old, tokens(0.5), strict=True)],
        "sampler": [(a + b).tolist() for a, b in zip(old, tokens(0.6), strict=True)],
        "entropies": [part.abs().tolist() for part in tokens(1.0, 1.0)],
    }


def trl_loss(case: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """TRL's loss and its gradient with respect to the log-probs."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    def pad(rows: list[list[float]]) -> torch.Tensor:
        return torch.tensor([row + [0.0] * (max(LENGTHS) - len(row)) for row in rows])

    logprobs, entropies = pad(inputs["logprobs"]).requires_grad_(), pad(inputs["entropies"])
    mask = torch.tensor([[1] * n + [0] * (max(LENGTHS) - n) for n in LENGTHS])
    alone = SimpleNamespace(
        gather=lambda x: x,
        reduce=lambda x, reduction: x,
        pad_across_processes=lambda x, dim, pad_index: x,
        num_processes=1,
        sync_gradients=True,
    )
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, entropies, None),
        accelerator=alone,
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(delta=case.get("delta"), use_bias_correction_kl=False, steps_per_generation=1),
        loss_type=case["loss_type"],
        epsilon_low=case["epsilon_low"],
        epsilon_high=case["epsilon_high"],
        beta=case.get("beta", 0.0),
        importance_sampling_level=case.get("importance_sampling_level", "token"),
        top_entropy_quantile=case.get("top_entropy_quantile", 1.0),
        entropy_coef=case.get("entropy_coef", 0.0),
        _entropy_bonus_enabled="entropy_coef" in case,
        use_adaptive_entropy=False,
        use_vllm="correction" in case,
        vllm_importance_sampling_correction=True,
        off_policy_mask_threshold=None,
        aux_loss_enabled=False,
        max_completion_length=MAX_LENGTH,
        current_gradient_accumulation_steps=1,
        _metrics={"train": defaultdict(list)},
    )
    trainer.get_high_entropy_mask = lambda *values: GRPOTrainer.get_high_entropy_mask(trainer, *values)
    old = pad(inputs["old"])
    ratio = torch.exp(old - pad(inputs["sampler"])).clamp(max=2.0)
    batch = {
        "prompt_ids": torch.zeros(len(LENGTHS), 1),
        "prompt_mask": torch.ones(len(LENGTHS), 1),
        "completion_ids": mask,
        "completion_mask": mask,
        "advantages": torch.tensor(inputs["advantages"]),
        "old_per_token_logps": old,
        "ref_per_token_logps": pad(inputs["reference"]),
        "importance_sampling_ratio": ratio,
        "num_items_in_batch": mask.sum(),
    }
    loss = GRPOTrainer._compute_loss(trainer, None, batch)
    loss.backward()
    gradient = [row[:n].tolist() for row, n in zip(logprobs.grad, LENGTHS, strict=True)]
    return {"loss": float(loss.detach()), "gradient": gradient}


def results() -> dict[str, Any]:
    """All that the file holds."""
    inputs = tensors()
    return {
        "trl": version("trl"),
        "max_length": MAX_LENGTH,
        "inputs": inputs,
        "cases": {name: {"options": case, **trl_loss(case, inputs)} for name, case in CASES.items()},
    }


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(results(), indent=1) + "\n", encoding="utf-8")
