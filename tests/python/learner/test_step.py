"""Whole learner steps: what skipping, micro-batching and inner epochs may and may not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError
from assay.learner.batch import Block
from assay.learner.config import GrpoConfig
from assay.learner.optimizer import OptimizerConfig, learning_rate
from assay.learner.step import Learner

OPTIMIZER = OptimizerConfig(lr=1e-2, max_grad_norm=0.0)
CONFIG = GrpoConfig(clip_low=0.2, clip_high=0.28)


def weights(learner: Learner) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in learner.policy.masters.values()])


def gradient(make_policy, sequences, config: GrpoConfig, **options: object) -> torch.Tensor:
    """The gradient of one step, read off a step of plain gradient descent."""
    learner = Learner(make_policy(), OPTIMIZER, **options)
    learner.optimizer = torch.optim.SGD(learner.policy.masters.values(), lr=1.0)
    before = weights(learner)
    learner.grpo_step(sequences, config)
    return (before - weights(learner)) / OPTIMIZER.lr


@pytest.mark.parametrize("aggregation", ["token_mean", "sequence_mean", "constant"])
def test_the_gradient_is_the_papers_whatever_the_micro_batches(make_policy, make_sequences, aggregation: str):
    sequences = make_sequences([5, 3, 5], group_size=4, zero_groups=(1,))
    config = replace(CONFIG, aggregation=aggregation, constant_length=11)
    policy = make_policy()
    total = sum(len(s.token_ids) for s in sequences)
    loss = torch.zeros(())
    for sequence in sequences:
        ids = torch.from_numpy(np.concatenate([sequence.prompt_ids, sequence.token_ids]).astype(np.int64))
        logits = policy.model(input_ids=ids[None]).logits[0, len(sequence.prompt_ids) - 1 : -1]
        logprobs = torch.log_softmax(logits, -1).gather(-1, ids[len(sequence.prompt_ids) :, None]).squeeze(-1)
        share = {
            "token_mean": 1 / total,
            "sequence_mean": 1 / (len(sequences) * len(sequence.token_ids)),
            "constant": 1 / (len(sequences) * 11),
        }[aggregation]
        loss = loss - sequence.advantage * share * logprobs.sum()
    loss.backward()
    expected = torch.cat([p.grad.flatten() for p in policy.masters.values()])
    for token_budget in (10_000, 30, 1):
        ours = gradient(make_policy, sequences, replace(config, token_budget=token_budget))
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)


def test_groups_without_variance_are_not_computed_and_change_nothing(make_policy, make_sequences):
    sequences = make_sequences([5, 3], group_size=4, zero_groups=(1,))
    learner = Learner(make_policy(), OPTIMIZER)
    metrics = learner.grpo_step(sequences, CONFIG)
    assert metrics["train/sequences"] == 4
    assert metrics["train/tokens"] == sum(len(s.token_ids) for s in sequences[:4])


def test_a_batch_without_any_advantage_leaves_the_weights_alone(make_policy, make_sequences):
    learner = Learner(make_policy(), OPTIMIZER)
    learner.grpo_step(make_sequences([4], group_size=4), CONFIG)
    before = weights(learner)
    metrics = learner.grpo_step(make_sequences([4], group_size=4, zero_groups=(0,)), CONFIG)
    assert metrics["loss"] == metrics["grad_norm"] == 0.0
    assert torch.equal(weights(learner), before)


def test_the_first_epoch_has_ratio_one_and_later_ones_clip(make_policy, make_sequences):
    sequences = make_sequences([5, 5], group_size=4)
    one = Learner(make_policy(), OPTIMIZER).grpo_step(sequences, CONFIG)
    assert one["clip_ratio/low"] == one["clip_ratio/high"] == 0.0
    four = Learner(make_policy(), OPTIMIZER).grpo_step(sequences, replace(CONFIG, inner_epochs=4))
    assert four["clip_ratio/low"] + four["clip_ratio/high"] > 0


def test_kl_to_the_reference_is_zero_at_first_and_pulls_back_later(make_policy, make_sequences):
    sequences = make_sequences([5, 5], group_size=4)
    config = replace(CONFIG, kl_coefficient=0.1)
    learner = Learner(make_policy(), OPTIMIZER, reference=make_policy())
    assert learner.grpo_step(sequences, config)["kl"] == pytest.approx(0.0, abs=1e-9)
    assert learner.grpo_step(sequences, config)["kl"] > 0
    with pytest.raises(InvalidInputError, match="no reference"):
        Learner(make_policy(), OPTIMIZER).grpo_step(sequences, config)


def test_the_log_probs_of_the_generator_are_compared(make_policy, make_sequences):
    sequences = make_sequences([5], group_size=2)
    policy = make_policy()
    exact, *_ = policy.logprobs(sequences, [Block(sequences[0].prompt_ids, [0, 1])])
    split = len(sequences[0].token_ids)
    sequences[0].logprobs = exact.detach().numpy()[:split]
    sequences[1].logprobs = exact.detach().numpy()[split:] - np.float32(0.5)
    metrics = Learner(policy, OPTIMIZER).grpo_step(sequences, CONFIG)
    assert metrics["sampling/logprob_diff_max"] == pytest.approx(0.5, abs=1e-4)


def test_supervised_steps_learn_their_targets(make_policy, make_sequences):
    sequences = make_sequences([4, 6], group_size=2)
    learner = Learner(make_policy(), OPTIMIZER)
    losses = [learner.sft_step(sequences, token_budget=20)["loss"] for _ in range(30)]
    assert losses[0] == pytest.approx(np.log(23), abs=0.3)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_a_positive_advantage_raises_the_probability(make_policy, make_sequences, compute_dtype: str):
    sequences = make_sequences([4], group_size=2)
    sequences[0].advantage, sequences[1].advantage = 1.0, -1.0
    policy = make_policy(compute_dtype=compute_dtype)
    learner = Learner(policy, replace(OPTIMIZER, lr=1e-3))

    def total(row: int) -> float:
        return float(policy.logprobs(sequences, [Block(sequences[0].prompt_ids, [row])])[0].sum().detach())

    before = total(0), total(1)
    for _ in range(5):
        learner.grpo_step(sequences, CONFIG)
    assert total(0) > before[0]
    assert total(1) < before[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"advantage": float("nan")}, "sequence 1 has advantage nan"),
        ({"token_ids": np.array([], dtype=np.uint32)}, "sequence 1 has an empty"),
        ({"logprobs": np.zeros(99, dtype=np.float32)}, "99 log-probs"),
    ],
)
def test_a_bad_sequence_is_named(make_policy, make_sequences, change: dict, message: str):
    sequences = make_sequences([4], group_size=2)
    sequences[1] = replace(sequences[1], **change)
    with pytest.raises(InvalidInputError, match=message):
        Learner(make_policy(), OPTIMIZER).grpo_step(sequences, CONFIG)
    with pytest.raises(InvalidInputError, match="empty"):
        Learner(make_policy(), OPTIMIZER).grpo_step([], CONFIG)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [0.5, 1, 1, 1, 1]), ("linear", [0.5, 1, 1, 0.55, 0.1]), ("cosine", [0.5, 1, 1, 0.55, 0.1])],
)
def test_learning_rate(schedule: str, expected: list[float]):
    config = OptimizerConfig(lr=1.0, warmup_steps=2, schedule=schedule, total_steps=5)
    assert [learning_rate(step, config) for step in range(5)] == pytest.approx(expected)
    assert learning_rate(99, config) == pytest.approx(expected[-1])
