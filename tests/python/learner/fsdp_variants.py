"""Run by `test_fsdp.py` under torchrun: steps of several learners, sharded over the ranks and in one process.

Rank 0 does both and prints one JSON line a variant: metrics of each, and the largest difference of a weight.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from architectures import SHAPE
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

from assay.errors import InvalidInputError
from assay.learner.batch import TrainSequence
from assay.learner.config import GrpoConfig
from assay.learner.controller import ControlledLearner, ControlledPolicy, join
from assay.learner.lora import LoraOptions
from assay.learner.optimizer import OptimizerConfig
from assay.learner.policy import Policy, PolicyOptions
from assay.learner.step import Learner
from assay.learner.tiny import tiny_tokenizer

GRPO = GrpoConfig(clip_high=0.28, token_budget=40)
VARIANTS = {
    "dense, tied, two mini-batches": (PolicyOptions(), replace(GRPO, mini_batches=2, inner_epochs=2)),
    "bfloat16, checkpointing": (PolicyOptions("bfloat16", gradient_checkpointing=True), GRPO),
    "adapters": (PolicyOptions(lora=LoraOptions(rank=2)), GRPO),
    "gspo, top entropy, reference": (
        PolicyOptions(),
        replace(GRPO, surrogate="gspo", top_entropy_share=0.5, kl_coefficient=0.1, aggregation="sequence_mean"),
    ),
    "experts": (PolicyOptions(), replace(GRPO, entropy_coefficient=0.01)),
    # The balancing loss is one of each micro-batch, so these are the same ones: a completion each.
    "experts, router loss": (PolicyOptions(), replace(GRPO, router_coefficient=0.5, token_budget=1)),
}


def model_of(name: str) -> LlamaForCausalLM | Qwen3MoeForCausalLM:
    torch.manual_seed(0)
    if name.startswith("experts"):
        moe = Qwen3MoeConfig(**SHAPE, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, head_dim=8)
        return Qwen3MoeForCausalLM(moe)
    return LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings="tied" in name))


def batch(seed: int) -> list[TrainSequence]:
    rng = np.random.default_rng(seed)
    found = []
    for group, length in enumerate([5, 3, 9]):
        prompt = rng.integers(0, 23, length).astype(np.uint32)
        for _ in range(3):
            tokens = rng.integers(0, 23, rng.integers(1, 12)).astype(np.uint32)
            found.append(TrainSequence(group, prompt, tokens, None, float(rng.normal())))
    return found


def main() -> None:
    torch.set_num_threads(1)
    controller = join("cpu")
    if controller is None:
        return
    optimizer = OptimizerConfig(lr=1e-3, max_grad_norm=0.5)
    for name, (options, config) in VARIANTS.items():
        learners = []
        for sharded in (False, True):
            policy = Policy(model_of(name), tiny_tokenizer(), options)
            whole = ControlledPolicy(policy, controller) if sharded else policy
            learner = ControlledLearner(whole, optimizer) if sharded else Learner(policy, optimizer)
            if config.kl_coefficient:
                learner.set_reference(Policy(model_of("another"), None))
            learners.append(learner)
        metrics = [[learner.grpo_step(batch(i), config) for i in range(3)] for learner in learners]
        # One sequence for two ranks: one of them has nothing to do.
        metrics = [
            [*m, learner.sft_step(batch(9)[:1], router_coefficient=config.router_coefficient)]
            for m, learner in zip(metrics, learners, strict=True)
        ]
        scores = [learner.score(batch(4))[0] for learner in learners]
        weights = [learner.policy.full_state() for learner in learners]
        row = {
            "name": name,
            "loss": [[step["loss"] for step in side] for side in metrics],
            "grad_norm": [[step["grad_norm"] for step in side] for side in metrics],
            "router": [[step.get("router_loss", 0.0) for step in side] for side in metrics],
            "tokens": [[step["train/tokens"] for step in side] for side in metrics],
            "score": max(float(np.abs(a - b).max()) for a, b in zip(*scores, strict=True)),
            "weight": max(float((weights[0][key] - weights[1][key]).abs().max()) for key in weights[0]),
            "moved": max(
                float((t - model_of(name).state_dict().get(key, t)).abs().max()) for key, t in weights[0].items()
            ),
        }
        print(json.dumps(row), flush=True)
        if name == "adapters":
            whole.export(Path(sys.argv[1]))
    # A mistake is refused on every rank, and the ranks go on.
    refused = False
    try:
        learner.grpo_step([], config)
    except InvalidInputError:
        refused = True
    print(json.dumps({"refused": refused, "after": learner.sft_step(batch(9))["loss"]}), flush=True)
    controller.close()


if __name__ == "__main__":
    main()
