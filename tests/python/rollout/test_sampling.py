"""One draw per row: distribution, truncation and log-probs."""

from __future__ import annotations

import pytest
import torch

from assay.rollout.sampling import group_uniforms, sample
from assay.rollout.types import SamplingParams


def test_draws_follow_the_distribution():
    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    uniforms = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    tokens, logprobs = sample(probabilities.log().expand(1000, 4), uniforms, SamplingParams(max_new_tokens=1))
    assert torch.bincount(tokens, minlength=4).tolist() == [500, 0, 300, 200]
    torch.testing.assert_close(logprobs, probabilities.log()[tokens])


@pytest.mark.parametrize(
    ("top_k", "top_p", "allowed"),
    [(0, 1.0, {0, 1, 2, 3}), (2, 1.0, {1, 3}), (0, 0.75, {1, 3}), (0, 0.7, {1, 3}), (0, 0.3, {3}), (3, 0.8, {1, 3})],
)
def test_truncation_keeps_the_likeliest_and_leaves_logprobs_alone(top_k: int, top_p: float, allowed: set[int]):
    probabilities = torch.tensor([0.1, 0.3, 0.15, 0.45])
    uniforms = torch.linspace(0, 1, 401, dtype=torch.float64)[:-1]
    params = SamplingParams(max_new_tokens=1, top_k=top_k, top_p=top_p)
    tokens, logprobs = sample(probabilities.log().expand(400, 4), uniforms, params)
    assert set(tokens.tolist()) == allowed
    torch.testing.assert_close(logprobs, probabilities.log()[tokens])


def test_the_largest_uniform_never_draws_a_token_of_probability_zero():
    logits = torch.tensor([[0.0, 1.0, float("-inf"), float("-inf")]])
    largest = torch.tensor([1.0 - 2.0**-53], dtype=torch.float64)
    tokens, _ = sample(logits, largest, SamplingParams(max_new_tokens=1))
    assert tokens.item() == 1


def test_uniforms_depend_on_the_seed_and_the_group_alone():
    first = group_uniforms(1, 2, 3, 4)
    assert first.dtype == torch.float64
    torch.testing.assert_close(group_uniforms(1, 2, 3, 4), first, rtol=0, atol=0)
    assert not torch.equal(group_uniforms(2, 1, 3, 4), first)
    assert not torch.equal(group_uniforms(1, 3, 3, 4), first)
    assert group_uniforms(-1, 0, 1, 1).item() < 1
