"""The same tensors through our losses and through TRL's, whose values `make_trl_losses.py` wrote down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from assay.learner.batch import TrainSequence
from assay.learner.config import GrpoConfig
from assay.learner.loss import token_weights, top_entropy_threshold
from assay.learner.objective import Pass, Sums, anchor, objective, token_data

GOLDEN = json.loads((Path(__file__).parent / "data" / "trl_losses.json").read_text(encoding="utf-8"))
AGGREGATION = {"grpo": "sequence_mean", "dr_grpo": "constant", "dapo": "token_mean", "cispo": "token_mean"}


def config_of(options: dict[str, Any]) -> GrpoConfig:
    """TRL's options in our words."""
    kind = options["loss_type"]
    sequence = options.get("importance_sampling_level") == "sequence"
    return GrpoConfig(
        surrogate="cispo" if kind == "cispo" else "gspo" if sequence else "clip",
        clip_low=options["epsilon_low"],
        clip_high=options["epsilon_high"] if kind != "cispo" else 0.2,
        ratio_max=options["epsilon_high"],
        dual_clip=options.get("delta"),
        kl_coefficient=options.get("beta", 0.0),
        entropy_coefficient=options.get("entropy_coef", 0.0),
        top_entropy_share=options.get("top_entropy_quantile", 1.0),
        correction="token_truncate" if "correction" in options else "none",
        correction_high=2.0,
        aggregation=AGGREGATION[kind],
    )


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_loss_and_gradient_are_trls(name: str):
    case, inputs = GOLDEN["cases"][name], GOLDEN["inputs"]
    config = config_of(case["options"])
    lengths = [len(row) for row in inputs["old"]]

    def flat(key: str) -> torch.Tensor:
        return torch.tensor([value for row in inputs[key] for value in row])

    ones = [np.ones(n, np.uint32) for n in lengths]
    sequences = [
        TrainSequence(i, ones[i], ones[i], np.array(sampler, np.float32), advantage)
        for i, (advantage, sampler) in enumerate(zip(inputs["advantages"], inputs["sampler"], strict=True))
    ]
    weights = token_weights(lengths, config.aggregation, constant_length=GOLDEN["max_length"])
    tokens = token_data(sequences, range(len(lengths)), weights, weight_version=None, device=torch.device("cpu"))
    held = anchor(flat("old"), tokens, config, Sums())
    held.entropies = flat("entropies")
    threshold = None
    if config.top_entropy_share < 1:
        threshold = top_entropy_threshold(held.entropies, config.top_entropy_share)
    logprobs = flat("logprobs").requires_grad_()
    done = Pass(
        logprobs, flat("entropies"), flat("reference") if config.kl_coefficient else None, threshold, sum(lengths)
    )
    loss = objective(done, held, tokens, config, Sums())
    loss.backward()
    expected = torch.tensor([value for row in case["gradient"] for value in row])
    assert loss.item() == pytest.approx(case["loss"], rel=1e-5, abs=1e-6)
    torch.testing.assert_close(logprobs.grad, expected, rtol=1e-4, atol=1e-6)
    assert expected.abs().sum() > 0.01
