"""Log-probs of given tokens from hidden states, without ever holding all logits.

Logits are made, used and dropped one chunk of tokens at a time, forward and again backward, so memory is
``chunk * vocabulary`` floats where a plain ``log_softmax`` holds ``tokens * vocabulary`` several times over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

if TYPE_CHECKING:
    from torch import Tensor

# Float32 logits of one chunk, in elements: 64 MiB.
_CHUNK_ELEMENTS = 1 << 24


def token_logprobs(
    hidden: Tensor,
    head: Tensor,
    targets: Tensor,
    *,
    temperature: float = 1.0,
    chunk_tokens: int | None = None,
) -> tuple[Tensor, Tensor]:
    """``log_softmax(hidden @ head.T / temperature)`` at ``targets``, and the entropy of each distribution.

    Matrix products run in the dtype of ``hidden``; softmax, sums and results are float32.

    Args:
        hidden: ``[tokens, width]``, the state that predicts each target.
        head: ``[vocabulary, width]``, the output embedding, of the same dtype.
        targets: ``int64[tokens]``.
        temperature: Positive; logits are divided by it.
        chunk_tokens: Tokens whose logits are held at one time; by default as many as fit in 64 MiB of float32.

    Returns:
        ``float32[tokens]`` log-probs (differentiable in ``hidden`` and ``head``) and ``float32[tokens]`` entropies in
        nats (not differentiable).
    """
    if chunk_tokens is None:
        chunk_tokens = max(16, _CHUNK_ELEMENTS // head.shape[0])
    logprobs, entropy = cast(
        "tuple[Tensor, Tensor]", _TokenLogprobs.apply(hidden, head, targets, temperature, chunk_tokens)
    )
    return logprobs, entropy


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override] - torch types the arguments as Any
        ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, temperature: float, chunk_tokens: int
    ) -> tuple[Tensor, Tensor]:
        logprobs = torch.empty(hidden.shape[0], dtype=torch.float32, device=hidden.device)
        entropy, log_total = torch.empty_like(logprobs), torch.empty_like(logprobs)
        for start in range(0, hidden.shape[0], chunk_tokens):
            part = slice(start, start + chunk_tokens)
            logits = _logits(hidden[part], head, temperature)
            total = torch.logsumexp(logits, dim=-1)
            logprobs[part] = logits.gather(-1, targets[part, None]).squeeze(-1) - total
            log_total[part] = total
            # H = log Z - E[logit]. A logit of -inf has probability 0 and adds nothing; 0 * -inf would be NaN.
            probabilities = (logits - total[:, None]).exp_()
            entropy[part] = total - (probabilities * logits.clamp(min=torch.finfo(torch.float32).min)).sum(dim=-1)
        ctx.save_for_backward(hidden, head, targets, log_total)
        ctx.temperature, ctx.chunk_tokens = temperature, chunk_tokens
        ctx.mark_non_differentiable(entropy)
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, grad_logprobs: Tensor, _grad_entropy: Tensor) -> Any:  # type: ignore[override]
        hidden, head, targets, log_total = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        # Summed over chunks in float32 whatever the compute dtype, so that chunking costs no precision.
        grad_head = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        for start in range(0, hidden.shape[0], ctx.chunk_tokens):
            part = slice(start, start + ctx.chunk_tokens)
            logits = _logits(hidden[part], head, ctx.temperature)
            # d logprob / d logit = (one-hot - softmax) / temperature
            gradient = (logits - log_total[part, None]).exp_().neg_()
            gradient.scatter_add_(-1, targets[part, None], torch.ones_like(gradient[:, :1]))
            gradient *= (grad_logprobs[part] / ctx.temperature)[:, None]
            gradient = gradient.to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = gradient @ head
            if grad_head is not None:
                grad_head += gradient.T @ hidden[part]
        return grad_hidden, None if grad_head is None else grad_head.to(head.dtype), None, None, None


def _logits(hidden: Tensor, head: Tensor, temperature: float) -> Tensor:
    logits = (hidden @ head.T).float()
    return logits if temperature == 1.0 else logits / temperature
