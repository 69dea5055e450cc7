"""How much arithmetic a training step is, and how much of what the hardware can do that was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from assay._transformers import text_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from assay.learner.batch import Block, TrainSequence

# Dense bfloat16 peaks of the makers' data sheets, in FLOP/s, by a part of the device's name; the first that fits.
PEAKS = {
    "GB200": 2.5e15,
    "B200": 2.25e15,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "GH200": 989e12,
    "H20": 148e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
}


def peak_flops(device: torch.device) -> float | None:
    """The bfloat16 peak of a device in FLOP/s; ``None`` if it is not in the table, as no CPU is."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


class Arithmetic:
    """FLOPs of forward and backward of a model: ``6 * weights`` a token, and causal attention.

    A weight is counted where it is multiplied with a token: the output embedding is, the input embedding is not, and of
    experts only those that a token is sent to. Attention costs ``6 * layers * heads * (query width + value width)`` a
    token and token that it looks back on. Recomputation (gradient checkpointing) is not counted: it is the price of
    memory, not work that was asked for.

    Args:
        model: Before it is sharded.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config = text_config(model)
        self._per_token = 6.0 * _multiplied(model, config)
        heads: int = config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        key = getattr(config, "qk_head_dim", None) or width
        value = getattr(config, "v_head_dim", None) or width
        self._per_pair = 6.0 * config.num_hidden_layers * heads * (key + value)

    def of(self, sequences: Sequence[TrainSequence], blocks: Sequence[Block], *, shared: bool) -> float:
        """FLOPs of one forward and backward over a micro-batch, padding left out.

        Args:
            sequences: All sequences of the step.
            blocks: Those of this micro-batch.
            shared: A block's prompt is computed once.
        """
        tokens = pairs = 0.0
        for block in blocks:
            prompt = len(block.prompt_ids)
            for position, row in enumerate(block.rows):
                length = len(sequences[row].token_ids)
                whole = prompt + length
                tokens += length if shared and position else whole
                pairs += (whole**2 - (prompt**2 if shared and position else 0)) / 2
        return tokens * self._per_token + pairs * self._per_pair


def _multiplied(model: PreTrainedModel, config: Any) -> float:
    experts = getattr(config, "num_experts", None) or getattr(config, "num_local_experts", None) or 0
    chosen = getattr(config, "num_experts_per_tok", None) or 0
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    total = float(head.weight.numel()) if head is not None else 0.0
    for name, parameter in model.named_parameters():
        if parameter is embedding or (head is not None and parameter is head.weight) or parameter.ndim < 2:
            continue
        sparse = experts and ".experts." in name
        total += parameter.numel() * (chosen / experts if sparse else 1.0)
    return total
