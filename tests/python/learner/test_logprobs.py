"""Chunked log-probs against torch's log_softmax."""

from __future__ import annotations

import pytest
import torch

from assay.learner.logprobs import token_logprobs


def inputs(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(13, 8, generator=generator, dtype=torch.float32).to(dtype).requires_grad_()
    head = torch.randn(31, 8, generator=generator, dtype=torch.float32).to(dtype).requires_grad_()
    return hidden, head, torch.randint(0, 31, (13,), generator=generator)


@pytest.mark.parametrize("chunk_tokens", [None, 1, 5, 13, 64])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("with_entropy", [False, True])
def test_values_and_gradients_match_log_softmax(chunk_tokens: int | None, temperature: float, with_entropy: bool):
    weights = torch.linspace(-1, 2, 13)
    hidden, head, targets = inputs()
    logprobs, entropy = token_logprobs(hidden, head, targets, temperature=temperature, chunk_tokens=chunk_tokens)
    bonus = torch.linspace(1, -1, 13) if with_entropy else torch.zeros(13)
    ((logprobs * weights).sum() + ((entropy * bonus).sum() if with_entropy else 0)).backward()

    plain_hidden, plain_head, _ = inputs()
    table = torch.log_softmax(plain_hidden @ plain_head.T / temperature, dim=-1)
    expected = table.gather(-1, targets[:, None]).squeeze(-1)
    plain_entropy = -(table.exp() * table).sum(-1)
    ((expected * weights).sum() + (plain_entropy * bonus).sum()).backward()

    torch.testing.assert_close(logprobs, expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(entropy, plain_entropy, rtol=0, atol=2e-5)
    close = {"rtol": 5e-5, "atol": 5e-5} if with_entropy else {"rtol": 1e-5, "atol": 5e-6}
    torch.testing.assert_close(hidden.grad, plain_hidden.grad, **close)
    torch.testing.assert_close(head.grad, plain_head.grad, **close)


def test_bfloat16_products_with_float32_sums():
    hidden, head, targets = inputs(torch.bfloat16)
    logprobs, _ = token_logprobs(hidden, head, targets, chunk_tokens=4)
    logprobs.sum().backward()
    assert logprobs.dtype == torch.float32
    assert hidden.grad.dtype == head.grad.dtype == torch.bfloat16
    expected = torch.log_softmax((hidden @ head.T).float(), dim=-1).gather(-1, targets[:, None]).squeeze(-1)
    torch.testing.assert_close(logprobs, expected)


def test_frozen_head_gets_no_gradient():
    hidden, head, targets = inputs()
    logprobs, _ = token_logprobs(hidden, head.detach(), targets)
    logprobs.sum().backward()
    assert hidden.grad is not None
    assert head.grad is None
