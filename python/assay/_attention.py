"""The attention of models that assay trains or samples from, under a name of its own in transformers.

It is ``sdpa`` with two differences. Keys and values of grouped heads are never copied out to all heads on a CPU (a
mask makes transformers do that; for a decode step over many rows the copies cost more than the attention), and sequences
that were put end to end attend within their own borders.

How the latter is done is a choice, ``PackedKernel``: ``by_sequence`` (one product a sequence, padded for it alone where
that wastes little) works everywhere and is what the others are proven equal to; ``varlen`` is torch's variable-length
flash attention, ``flash_attention_2`` the same of the package ``flash-attn``, ``flex`` torch's flex attention with a block
mask by sequence.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from assay._transformers import ATTENTION
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

PackedKernel: TypeAlias = Literal["auto", "by_sequence", "varlen", "flash_attention_2", "flex"]
_WIDEST_HEAD = 256


class Borders:
    """Where the sequences of one packed forward begin and end; made once and read by every layer.

    Args:
        lengths: Tokens of each sequence, none 0.
        device: Where attention runs.
        kernel: What computes it.
    """

    def __init__(self, lengths: list[int], device: torch.device, kernel: PackedKernel) -> None:
        self.lengths = lengths
        self.longest = max(lengths)
        self.kernel = kernel
        self.bounds = [0]
        for length in lengths:
            self.bounds.append(self.bounds[-1] + length)
        self.starts = torch.tensor(self.bounds, dtype=torch.int32, device=device)
        self._masks: dict[int | None, Any] = {}

    def block_mask(self, window: int | None) -> Any:
        """The mask of flex attention, made at first need: one for all layers that see as far."""
        if window not in self._masks:
            from torch.nn.attention.flex_attention import create_block_mask

            device = self.starts.device
            sequence = torch.repeat_interleave(torch.tensor(self.lengths, device=device))
            reach = self.bounds[-1] if window is None else window

            def sees(_batch: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
                return (sequence[query] == sequence[key]) & (query >= key) & (query - key < reach)

            total = self.bounds[-1]
            self._masks[window] = create_block_mask(sees, None, None, total, total, device=device)
        return self._masks[window]


class _Heads(NamedTuple):
    """``[1, heads, tokens, width]`` each; keys and values may have fewer heads."""

    query: Tensor
    key: Tensor
    value: Tensor


def exchange_attention(model: PreTrainedModel) -> None:
    """Has a model whose attention is ``sdpa``, and can be exchanged, attend by ``attention``."""
    if getattr(model.config, "_attn_implementation", None) == "sdpa" and exchangeable(model):
        model.set_attn_implementation(ATTENTION)


def exchangeable(model: PreTrainedModel) -> bool:
    """Whether the model's layers call transformers' exchangeable attention; others have one of their own."""
    return bool(getattr(model, "_supports_attention_backend", False))


def check_kernel(kernel: PackedKernel, device: torch.device, dtype: torch.dtype) -> None:
    """Whether packed sequences can be trained on with a kernel.

    Raises:
        InvalidInputError: The device, the dtype or the environment does not have it.
    """
    half = dtype in (torch.float16, torch.bfloat16)
    reason = None
    if kernel not in {"auto", "by_sequence"} and device.type != "cuda":
        reason = f"its backward needs a GPU, and the model is on {device}"
    elif kernel in ("varlen", "flash_attention_2") and not half:
        reason = "it computes in half precision only; set model.compute_dtype to 'bfloat16'"
    elif kernel == "flash_attention_2" and find_spec("flash_attn") is None:
        reason = "the package flash-attn is not installed"
    if reason is not None:
        raise InvalidInputError(f"model.packed_attention {kernel!r}: {reason}")


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention in the signature of transformers' implementations.

    Args:
        module: The attention layer.
        query: ``[rows, heads, queries, width]``.
        key: ``[rows, key-value heads, keys, width]``.
        value: ``[rows, key-value heads, keys, value width]``.
        attention_mask: As for sdpa; not read where there are borders.
        options: ``scaling`` of the logits; ``borders``, of one packed row; ``sliding_window``, how many tokens, itself
            included, a token of a packed row sees; what else transformers' ``sdpa`` takes.

    Returns:
        ``[rows, queries, heads, value width]`` and no weights.
    """
    borders: Borders | None = options.pop("borders", None)
    if borders is not None:
        window: int | None = options.get("sliding_window") or getattr(module, "sliding_window", None)
        if window is not None and window >= borders.longest:
            window = None
        return _packed(_Heads(query, key, value), borders, options.get("scaling"), window), None
    special = options.get("position_bias") is not None or options.get("cache") is not None
    if attention_mask is None or query.device.type != "cpu" or special:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    found = scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=options.get("dropout", 0.0),
        scale=options.get("scaling"),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return found.transpose(1, 2).contiguous(), None


def _packed(heads: _Heads, borders: Borders, scaling: float | None, window: int | None) -> Tensor:
    """Causal attention within each sequence; ``[1, tokens, heads, value width]``."""
    q, k, v = heads
    match borders.kernel:
        case "varlen":
            return _varlen(heads, borders, scaling, window)
        case "flash_attention_2":
            return _flash(heads, borders, scaling, window)
        case "flex":
            return _flex(heads, borders, scaling, window)
        case "auto":
            half = q.dtype in (torch.float16, torch.bfloat16)
            if q.is_cuda and half and q.shape[-1] == v.shape[-1] <= _WIDEST_HEAD:
                return _varlen(heads, borders, scaling, window)
        case _:
            pass
    if len(borders.lengths) * borders.longest <= 2 * borders.bounds[-1]:
        return _padded(heads, borders.lengths, scaling, window)
    parts = [_causal(q[:, :, a:b], k[:, :, a:b], v[:, :, a:b], scaling, window) for a, b in pairwise(borders.bounds)]
    return torch.cat(parts, dim=2).transpose(1, 2)


def _varlen(heads: _Heads, borders: Borders, scaling: float | None, window: int | None) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    q, k, v = (tensor[0].transpose(0, 1) for tensor in heads)
    out = varlen_attn(
        q,
        k,
        v,
        borders.starts,
        borders.starts,
        borders.longest,
        borders.longest,
        scale=scaling,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return cast("Tensor", out)[None]


def _flash(heads: _Heads, borders: Borders, scaling: float | None, window: int | None) -> Tensor:
    from flash_attn import flash_attn_varlen_func  # pyright: ignore[reportMissingImports] - for GPUs only

    q, k, v = (tensor[0].transpose(0, 1) for tensor in heads)
    out: Any = flash_attn_varlen_func(
        q,
        k,
        v,
        borders.starts,
        borders.starts,
        borders.longest,
        borders.longest,
        softmax_scale=scaling,
        causal=True,
        window_size=(-1 if window is None else window - 1, 0),
    )
    return out[None]


def _flex(heads: _Heads, borders: Borders, scaling: float | None, window: int | None) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    # Compiled, it is one kernel that skips whole blocks; run as it is, it makes all weights, which only tests do.
    run: Any = _compiled_flex() if heads.query.is_cuda else flex_attention
    out: Tensor = run(
        *heads,
        block_mask=borders.block_mask(window),
        scale=scaling,
        enable_gqa=heads.query.shape[1] != heads.key.shape[1],
    )
    return out.transpose(1, 2)


@cache
def _compiled_flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


def _padded(heads: _Heads, lengths: list[int], scaling: float | None, window: int | None) -> Tensor:
    """All sequences in one product, padded on the right, where causal attention never looks."""
    device = heads.query.device
    taken = torch.arange(max(lengths), device=device) < torch.tensor(lengths, device=device)[:, None]
    q, k, v = (_spread(tensor, taken) for tensor in heads)
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


AttentionInterface.register(ATTENTION, attention)
# Masks are made as they would be for sdpa.
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
