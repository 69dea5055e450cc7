"""Padding-free forward: all sequences of a micro-batch as one, with attention that never looks across their borders.

Everything but attention runs on ``[1, tokens]`` without one padding token. Attention is that of ``assay._attention``, which
is told where sequences begin and end. No mask of ``tokens x tokens`` is ever made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from assay._attention import Borders, PackedKernel, exchangeable
from assay._transformers import attention_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from assay.learner.batch import Block, TrainSequence


def can_pack(model: PreTrainedModel) -> bool:
    """Whether ``hidden_of_packed_sequences`` is exact: attention layers only, under transformers' exchangeable attention."""
    # Models with attention of their own would ignore the borders.
    return exchangeable(model) and attention_kinds(model) <= {"full_attention", "sliding_attention"}


def hidden_of_packed_sequences(
    body: torch.nn.Module,
    sequences: Sequence[TrainSequence],
    blocks: Sequence[Block],
    device: torch.device,
    kernel: PackedKernel = "auto",
    **options: object,
) -> Any:
    """Runs prompt and completion of every row in one flat sequence; positions start anew with each.

    Args:
        body: The model, or the part of it that is run; its attention is ``assay._attention``.
        sequences: All sequences of the step.
        blocks: Those of this micro-batch.
        device: Where the model is.
        kernel: What computes attention within the borders.
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
    output = body(
        input_ids=torch.from_numpy(ids).to(device)[None],
        position_ids=torch.from_numpy(positions).to(device)[None],
        # A mask of four dimensions is taken for a prepared one, so that none is made; nothing reads it.
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
        use_cache=False,
        borders=Borders(lengths, device, kernel),
        **options,
    )
    output.last_hidden_state = output.last_hidden_state[0][torch.from_numpy(taken).to(device)]
    return output
