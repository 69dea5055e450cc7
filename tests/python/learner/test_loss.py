"""The loss in closed form: clip edges, zero advantage, averages by hand, finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from assay.errors import InvalidInputError
from assay.learner.divergence import divergence
from assay.learner.loss import (
    cispo_surrogate,
    clipped_surrogate,
    gspo_surrogate,
    token_weights,
    top_entropy_threshold,
)

CLIP = {"clip_low": 0.2, "clip_high": 0.28}


def test_equal_logprobs_give_ratio_one_and_the_policy_gradient():
    logprobs = torch.tensor([-0.5, -2.0, -9.0], requires_grad=True)
    advantages = torch.tensor([1.5, -0.5, 0.25])
    loss = clipped_surrogate(logprobs, logprobs.detach(), advantages, **CLIP)
    torch.testing.assert_close(loss.values, -advantages, rtol=0, atol=0)
    assert not loss.clipped_low.any()
    assert not loss.clipped_high.any()
    loss.values.sum().backward()
    torch.testing.assert_close(logprobs.grad, -advantages, rtol=0, atol=0)


def test_zero_advantage_gives_zero_loss_and_zero_gradient():
    logprobs = torch.tensor([-0.1, -3.0], requires_grad=True)
    loss = clipped_surrogate(logprobs, torch.tensor([-1.0, -1.0]), torch.zeros(2), **CLIP)
    loss.values.sum().backward()
    assert loss.values.abs().sum() == 0
    assert logprobs.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "gradient", "low", "high"),
    [
        (1.27, 1.0, -1.27, -1.27, False, False),  # inside: the gradient of -r * A in log r is -r * A
        (1.29, 1.0, -1.28, 0.0, False, True),  # over the upper edge: flat
        (1.29, -1.0, 1.29, 1.29, False, False),  # getting worse is never clipped
        (0.81, -1.0, 0.81, 0.81, False, False),
        (0.79, -1.0, 0.80, 0.0, True, False),  # under the lower edge: flat
        (0.79, 2.0, -1.58, -1.58, False, False),
    ],
)
def test_clip_edges(ratio: float, advantage: float, expected: float, gradient: float, low: bool, high: bool):
    logprobs = torch.tensor([math.log(ratio)], dtype=torch.float64, requires_grad=True)
    loss = clipped_surrogate(logprobs, torch.zeros(1), torch.tensor([advantage]), **CLIP)
    loss.values.sum().backward()
    assert loss.values.item() == pytest.approx(expected, rel=1e-6)
    assert logprobs.grad.item() == pytest.approx(gradient, rel=1e-6)
    assert (loss.clipped_low.item(), loss.clipped_high.item()) == (low, high)


def test_gradients_match_finite_differences():
    torch.manual_seed(0)
    old, reference = torch.randn(2, 40, dtype=torch.float64).unbind()
    advantages = torch.randn(40, dtype=torch.float64)
    logprobs = (old + 0.2 * torch.randn(40, dtype=torch.float64)).requires_grad_()

    def loss(values: torch.Tensor) -> torch.Tensor:
        return clipped_surrogate(values, old, advantages, **CLIP).values + 0.3 * divergence(values, reference)

    assert torch.autograd.gradcheck(loss, (logprobs,), eps=1e-7, atol=1e-5)


def test_k3_is_zero_at_equality_positive_elsewhere_and_has_the_closed_form():
    logprobs = torch.tensor([-1.0, -1.0, -1.0])
    reference = torch.tensor([-1.0, -2.0, -0.5])
    expected = [0.0, math.exp(-1) + 1 - 1, math.exp(0.5) - 0.5 - 1]
    assert divergence(logprobs, reference).tolist() == pytest.approx(expected)


def test_token_sequence_and_constant_means_by_hand():
    lengths = [1, 3]
    values = [6.0, 1.0, 2.0, 3.0]  # one token of the first completion, three of the second

    def loss(weights: list[float]) -> float:
        each = [weights[0], weights[1], weights[1], weights[1]]
        return sum(w * v for w, v in zip(each, values, strict=True))

    assert loss(token_weights(lengths, "token_mean")) == pytest.approx(12 / 4)
    assert loss(token_weights(lengths, "sequence_mean")) == pytest.approx((6 + 2) / 2)
    assert loss(token_weights(lengths, "constant", constant_length=10)) == pytest.approx((6 + 6) / (2 * 10))


def test_weights_that_cannot_be_are_errors():
    with pytest.raises(InvalidInputError, match="constant_length"):
        token_weights([1], "constant")
    with pytest.raises(InvalidInputError, match="no tokens"):
        token_weights([0, 2], "token_mean")


def test_dual_clip_bounds_the_loss_of_a_token_that_became_much_likelier():
    logprobs = torch.tensor([math.log(5.0), math.log(5.0), math.log(1.1)], requires_grad=True)
    loss = clipped_surrogate(logprobs, torch.zeros(3), torch.tensor([-2.0, 1.0, -1.0]), **CLIP, dual_clip=3.0)
    # With a negative advantage at most 3 * |A|, and flat there; the other two are as without it.
    assert loss.values.tolist() == pytest.approx([6.0, -1.28, 1.1])
    loss.values.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([0.0, 0.0, 1.1])


def test_gspo_has_one_ratio_per_completion():
    log_ratios = [[math.log(1.2), math.log(1.5)], [math.log(0.5)]]
    logprobs = torch.tensor([value for row in log_ratios for value in row], requires_grad=True)
    counts, advantages = torch.tensor([2, 1]), torch.tensor([1.0, 1.0, -1.0])
    loss = gspo_surrogate(logprobs, torch.zeros(3), advantages, counts, clip_low=0.4, clip_high=0.4)
    mean = math.sqrt(1.2 * 1.5)
    assert loss.values.tolist() == pytest.approx([-mean, -mean, 0.6])
    assert loss.clipped_low.tolist() == [False, False, True]
    (loss.values * torch.tensor([0.5, 0.5, 1.0])).sum().backward()
    # d s / d logprob = s / length, summed over tokens of weight 1 / length.
    assert logprobs.grad.tolist() == pytest.approx([-mean / 2, -mean / 2, 0.0])


def test_cispo_bounds_the_weight_and_keeps_the_gradient():
    logprobs = torch.tensor([math.log(8.0), math.log(0.5)], requires_grad=True)
    loss = cispo_surrogate(logprobs, torch.zeros(2), torch.tensor([1.0, -2.0]), ratio_max=5.0)
    loss.values.sum().backward()
    assert logprobs.grad.tolist() == pytest.approx([-5.0, 0.5 * 2.0])
    assert loss.clipped_high.tolist() == [True, False]


@pytest.mark.parametrize("name", ["gspo", "dual", "k2", "k3"])
def test_variants_match_finite_differences(name: str):
    torch.manual_seed(1)
    old, reference, advantages = torch.randn(3, 30, dtype=torch.float64).unbind()
    logprobs = (old + 0.2 * torch.randn(30, dtype=torch.float64)).requires_grad_()
    counts = torch.tensor([4, 10, 1, 15])
    losses = {
        "gspo": lambda x: gspo_surrogate(x, old, advantages, counts, clip_low=0.1, clip_high=0.1).values,
        "dual": lambda x: clipped_surrogate(x, old, 9 * advantages, **CLIP, dual_clip=1.29).values,
        "k2": lambda x: divergence(x, reference, "k2"),
        "k3": lambda x: divergence(x, reference, "k3"),
    }
    assert torch.autograd.gradcheck(losses[name], (logprobs,), eps=1e-7, atol=1e-5)


def test_estimates_of_the_divergence_average_to_it():
    table = torch.log_softmax(torch.tensor([[0.3, -1.0, 0.8], [0.0, 0.5, -0.2]], dtype=torch.float64), -1)
    policy, reference = table
    probability = policy.exp()
    exact = float((probability * (policy - reference)).sum())
    for kind in ("k1", "k3"):
        assert float((probability * divergence(policy, reference, kind)).sum()) == pytest.approx(exact)
    # The gradient of k2, averaged over samples, is that of the divergence; that of k1 is zero.
    for kind, expected in (("k1", 0.0), ("k2", 1.0)):
        logits = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
        own = torch.log_softmax(logits, -1)
        (own.detach().exp() * divergence(own, reference, kind)).sum().backward()
        true = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
        (torch.log_softmax(true, -1).exp() * (torch.log_softmax(true, -1) - reference)).sum().backward()
        torch.testing.assert_close(logits.grad, expected * true.grad)


def test_the_entropy_threshold_is_the_quantile():
    entropies = torch.rand(1001)
    for share in (1.0, 0.2, 0.05):
        assert top_entropy_threshold(entropies, share) == pytest.approx(float(entropies.quantile(1 - share)), rel=1e-5)
