"""Padding-free forward: all sequences of a micro-batch as one, with attention that never looks across their borders.

Everything but attention runs on ``[1, tokens]`` without one padding token. Attention is given to transformers as one of
its implementations, under a name of our own: on a GPU in half precision it is torch's variable-length flash attention; elsewhere
each sequence attends by itself, padded for that one product alone where it wastes little. No mask of ``tokens x tokens``
is ever made.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from assay._transformers import PACKED_ATTENTION, attention_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

    from assay.learner.batch import Block, TrainSequence


def can_pack(model: PreTrainedModel) -> bool:
    """Whether ``hidden_of_packed_sequences`` is exact: attention layers only, under transformers' exchangeable attention."""
    kinds = attention_kinds(model)
    # Models without this flag have attention of their own, which would ignore the borders.
    exchangeable = bool(getattr(model, "_supports_attention_backend", False))
    return exchangeable and kinds <= {"full_attention", "sliding_attention"}


def hidden_of_packed_sequences(
    body: torch.nn.Module,
    sequences: Sequence[TrainSequence],
    blocks: Sequence[Block],
    device: torch.device,
    **options: object,
) -> Any:
    """Runs prompt and completion of every row in one flat sequence; positions start anew with each.

    Args:
        body: The model, or the part of it that is run; its attention implementation is ``PACKED_ATTENTION``.
        sequences: All sequences of the step.
        blocks: Those of this micro-batch.
        device: Where the model is.
        options: For the body.

    Returns:
        The body's output, in which ``last_hidden_state`` is cut down to ``[completion tokens, width]``: the state that
        predicts each, row after row.
    """
    rows = [sequences[row] for block in blocks for row in block.rows]
    lengths = [len(row.prompt_ids) + len(row.token_ids) - 1 for row in rows]
    ids = np.concatenate([part for row in rows for part in (row.prompt_ids, row.token_ids[:-1])]).astype(np.int64)
    positions = np.concatenate([np.arange(length) for length in lengths])
    taken = np.concatenate([np.arange(n) >= len(row.prompt_ids) - 1 for n, row in zip(lengths, rows, strict=True)])
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32)
    output = body(
        input_ids=torch.from_numpy(ids).to(device)[None],
        position_ids=torch.from_numpy(positions).to(device)[None],
        # A mask of four dimensions is taken for a prepared one, so that none is made; nothing reads it.
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
        use_cache=False,
        sequence_bounds=bounds,
        sequence_bounds_device=bounds.to(device),
        **options,
    )
    output.last_hidden_state = output.last_hidden_state[0][torch.from_numpy(taken).to(device)]
    return output


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Causal attention within each sequence, in the signature of transformers' attention implementations.

    Without ``sequence_bounds`` it is transformers' ``sdpa``: the same model serves a generator too.

    Args:
        module: The attention layer.
        query: ``[1, heads, tokens, width]``.
        key: ``[1, key-value heads, tokens, width]``.
        value: ``[1, key-value heads, tokens, value width]``.
        attention_mask: Not read where there are bounds.
        options: ``scaling`` of the logits; ``sliding_window``, how many tokens, itself included, a token sees;
            ``sequence_bounds``, ``int32[sequences + 1]`` on the CPU; ``sequence_bounds_device``, the same on the device.

    Returns:
        ``[1, tokens, heads, value width]`` and no weights.
    """
    if "sequence_bounds" not in options:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    bounds: list[int] = options["sequence_bounds"].tolist()
    scaling: float | None = options.get("scaling")
    window: int | None = options.get("sliding_window")
    if window is None:
        window = getattr(module, "sliding_window", None)
    lengths = [end - start for start, end in pairwise(bounds)]
    half = query.dtype in (torch.float16, torch.bfloat16)
    if query.is_cuda and half and query.shape[-1] == value.shape[-1] <= 256:
        return _flash(query, key, value, (options["sequence_bounds_device"], max(lengths)), scaling, window), None
    if window is not None and window >= max(lengths):
        window = None
    if len(lengths) * max(lengths) <= 2 * bounds[-1]:
        return _padded(query, key, value, lengths, scaling, window), None
    parts = [_causal(query[:, :, a:b], key[:, :, a:b], value[:, :, a:b], scaling, window) for a, b in pairwise(bounds)]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _flash(
    query: Tensor, key: Tensor, value: Tensor, bounds: tuple[Tensor, int], scaling: float | None, window: int | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    starts, longest = bounds
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    out = varlen_attn(
        q,
        k,
        v,
        starts,
        starts,
        longest,
        longest,
        scale=scaling,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return cast("Tensor", out)[None]


def _padded(
    query: Tensor, key: Tensor, value: Tensor, lengths: list[int], scaling: float | None, window: int | None
) -> Tensor:
    """All sequences in one product, padded on the right, where causal attention never looks."""
    longest = max(lengths)
    sizes = torch.tensor(lengths, device=query.device)
    taken = torch.arange(longest, device=query.device) < sizes[:, None]
    q, k, v = (_spread(tensor, taken) for tensor in (query, key, value))
    return _causal(q, k, v, scaling, window).transpose(1, 2)[taken][None]


def _spread(tensor: Tensor, taken: Tensor) -> Tensor:
    """``[1, heads, tokens, width]`` to ``[sequences, heads, longest, width]``."""
    _, heads, _, width = tensor.shape
    empty = tensor.new_zeros(taken.shape[0], taken.shape[1], heads, width)
    return empty.masked_scatter(taken[:, :, None, None], tensor[0].transpose(0, 1)).transpose(1, 2)


def _causal(query: Tensor, key: Tensor, value: Tensor, scaling: float | None, window: int | None) -> Tensor:
    mask = None
    if window is not None:
        steps = torch.arange(query.shape[2], device=query.device)
        apart = steps[:, None] - steps
        mask = (apart >= 0) & (apart < window)
    return scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
# A generator that shares the model makes its masks as it would for sdpa.
AttentionMaskInterface.register(PACKED_ATTENTION, sdpa_mask)
