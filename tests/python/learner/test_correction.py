"""Importance weights between sampler and learner, alone and in a step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError
from assay.learner.batch import Block
from assay.learner.config import GrpoConfig
from assay.learner.correction import correction_weights, mismatch
from assay.learner.optimizer import OptimizerConfig
from assay.learner.step import Learner

COUNTS = torch.tensor([2, 1, 1])
SAMPLER = torch.tensor([-1.0, -1.0, -1.0, math.nan])
LOGPROBS = SAMPLER.nan_to_num() + torch.tensor([3.0, 0.5, 0.2, 7.0]).log()
CONFIG = GrpoConfig()


@pytest.mark.parametrize(
    ("kind", "low", "expected"),
    [
        ("none", 0.0, [1.0, 1.0, 1.0, 1.0]),
        ("token_truncate", 0.0, [2.0, 0.5, 0.2, 1.0]),
        ("token_truncate", 0.4, [2.0, 0.5, 0.4, 1.0]),
        ("token_mask", 0.4, [0.0, 0.5, 0.0, 1.0]),
        ("sequence_truncate", 0.0, [1.5, 1.5, 0.2, 1.0]),
        ("sequence_mask", 0.4, [1.5, 1.5, 0.0, 1.0]),
    ],
)
def test_weights_by_hand(kind: str, low: float, expected: list[float]):
    found = correction_weights(LOGPROBS.requires_grad_(), SAMPLER, COUNTS, kind=kind, low=low, high=2.0)
    assert found.tolist() == pytest.approx(expected)
    assert not found.requires_grad


def test_mismatch_by_hand():
    found = {name: float(value) for name, value in mismatch(LOGPROBS, SAMPLER, bound=2.5).items()}
    ratios = [3.0, 0.5, 0.2]
    assert found == pytest.approx(
        {
            "known": 3,
            "k1": -sum(map(math.log, ratios)),
            "k3": sum(r - 1 - math.log(r) for r in ratios),
            "beyond": 2,
            "difference_max": math.log(5.0),
            "ratio_max": 3.0,
        }
    )


def behind(make_policy, make_sequences, *, by: float, version: int | None):
    """A batch whose sampler gave every token ``by`` less log-probability than the learner does."""
    sequences = make_sequences([5, 4], group_size=2)
    policy = make_policy()
    for i, sequence in enumerate(sequences):
        own = policy.logprobs(sequences, [Block(sequence.prompt_ids, [i])]).logprobs.detach().numpy()
        sequences[i] = replace(sequence, logprobs=own - np.float32(by), weight_version=version)
    return policy, sequences


def test_what_older_weights_sampled_is_never_taken_for_on_policy(make_policy, make_sequences):
    """Without a correction, ratios of stale completions start at pi / mu; with one, it is their weight."""
    by = math.log(1.5)
    optimizer = OptimizerConfig(lr=1e-3)

    def step(version: int | None, config: GrpoConfig) -> dict[str, float]:
        policy, sequences = behind(make_policy, make_sequences, by=by, version=version)
        return Learner(policy, optimizer).grpo_step(sequences, config, weight_version=7)

    fresh = step(7, CONFIG)
    assert (fresh["train/stale_sequences"], fresh["clip_ratio/high"]) == (0, 0)
    stale = step(6, CONFIG)
    assert stale["train/stale_sequences"] == 4
    assert stale["clip_ratio/high"] > 0
    assert stale["loss"] != pytest.approx(fresh["loss"])
    corrected = step(6, replace(CONFIG, correction="token_truncate", correction_high=4.0))
    assert corrected["clip_ratio/high"] == 0
    assert corrected["sampling/correction_mean"] == pytest.approx(1.5, rel=1e-4)
    assert corrected["loss"] == pytest.approx(1.5 * fresh["loss"], rel=1e-4)
    masked = step(6, replace(CONFIG, correction="token_mask", correction_high=1.2))
    assert (masked["loss"], masked["sampling/corrected_away"]) == (0.0, 1.0)
    for found in (fresh, stale, corrected):
        assert found["sampling/ratio_max"] == pytest.approx(1.5, rel=1e-4)
        assert found["sampling/kl_k1"] == pytest.approx(-by, rel=1e-4)
        assert found["sampling/kl_k3"] == pytest.approx(0.5 - by, rel=1e-3)
        assert found["sampling/share_beyond"] == 0


def test_a_stale_completion_without_log_probs_is_refused(make_policy, make_sequences):
    sequences = make_sequences([5], group_size=2)
    sequences[1].weight_version = 3
    with pytest.raises(InvalidInputError, match="sequence 1 was sampled by weights 3, not 4, and has no log-probs"):
        Learner(make_policy(), OptimizerConfig(lr=1e-3)).grpo_step(sequences, CONFIG, weight_version=4)


def test_a_pass_for_old_log_probs_changes_nothing_where_it_is_not_needed(make_policy, make_sequences, monkeypatch):
    """One mini-batch finds its old log-probs on its way; a pass of its own before it gives the same step bit for bit."""
    results = []
    for first in (False, True):
        monkeypatch.setattr(GrpoConfig, "looks_first", property(lambda _self, first=first: first))
        policy, sequences = behind(make_policy, make_sequences, by=0.1, version=1)
        learner = Learner(policy, OptimizerConfig(lr=1e-2))
        config = replace(CONFIG, correction="token_truncate", inner_epochs=2)
        metrics = learner.grpo_step(sequences, config, weight_version=2)
        results.append((metrics["loss"], torch.cat([p.detach().flatten() for p in policy.masters.values()])))
    assert results[0][0] == results[1][0]
    assert torch.equal(results[0][1], results[1][1])


def test_mini_batches_measure_ratios_from_the_start_of_the_step(make_policy, make_sequences):
    sequences = make_sequences([5, 5, 5, 5], group_size=3)
    learner = Learner(make_policy(), OptimizerConfig(lr=3e-2))
    metrics = learner.grpo_step(sequences, replace(CONFIG, mini_batches=4))
    assert metrics["train/updates"] == 4
    assert "timing_s/old_logprobs" in metrics
    # Later mini-batches meet weights that have moved, so that some of their ratios leave the clip range.
    assert metrics["clip_ratio/low"] + metrics["clip_ratio/high"] > 0
