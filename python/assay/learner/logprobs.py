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
        ``float32[tokens]`` log-probs and ``float32[tokens]`` entropies in nats, both differentiable in ``hidden`` and
        ``head``; entropies that no loss uses cost nothing in the backward.
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
        ctx.save_for_backward(hidden, head, targets, log_total, entropy)
        ctx.temperature, ctx.chunk_tokens = temperature, chunk_tokens
        ctx.set_materialize_grads(False)
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, grad_logprobs: Tensor | None, grad_entropy: Tensor | None) -> Any:  # type: ignore[override]
        hidden, head, targets, log_total, entropy = ctx.saved_tensors
        if grad_logprobs is None:
            grad_logprobs = torch.zeros_like(log_total)
        grad_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        # Summed over chunks in float32 whatever the compute dtype, so that chunking costs no precision.
        grad_head = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        for start in range(0, hidden.shape[0], ctx.chunk_tokens):
            part = slice(start, start + ctx.chunk_tokens)
            logits = _logits(hidden[part], head, ctx.temperature)
            gradient = _logit_gradient(
                logits - log_total[part, None],
                targets[part, None],
                grad_logprobs[part, None] / ctx.temperature,
                None if grad_entropy is None else (grad_entropy[part, None] / ctx.temperature, entropy[part, None]),
            ).to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = gradient @ head
            if grad_head is not None:
                grad_head += gradient.T @ hidden[part]
        return grad_hidden, None if grad_head is None else grad_head.to(head.dtype), None, None, None


def _logit_gradient(
    table: Tensor, targets: Tensor, grad_logprobs: Tensor, with_entropy: tuple[Tensor, Tensor] | None
) -> Tensor:
    """The gradient of a chunk's scaled logits, from the log-softmax of each token (``table``, which is used up).

    ``d logprob / d logit = one-hot - p`` and ``d entropy / d logit = -p * (log p + entropy)``.
    """
    extra = None
    if with_entropy is not None:
        grad_entropy, entropy = with_entropy
        # An impossible token has log p = -inf and p = 0: its product is 0, not NaN.
        bounded = table.clamp(min=torch.finfo(torch.float32).min)
        extra = table.exp() * (bounded + entropy) * grad_entropy
    gradient = table.exp_().neg_()
    gradient.scatter_add_(-1, targets, torch.ones_like(gradient[:, :1]))
    gradient *= grad_logprobs
    return gradient if extra is None else gradient - extra


def _logits(hidden: Tensor, head: Tensor, temperature: float) -> Tensor:
    logits = (hidden @ head.T).float()
    return logits if temperature == 1.0 else logits / temperature
