"""Hidden states of completion tokens: the forward pass of training.

Both functions return the same numbers, row for row: the state that predicts each completion token. One computes each
prompt once per block and lets all its completions attend to it, which is what a group is for; the other runs prompt and
completion as one sequence and works for every causal model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from assay._transformers import takes_prepared_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from assay.learner.batch import Block, TrainSequence


def can_share_prompts(model: PreTrainedModel) -> bool:
    """Whether ``hidden_with_shared_prompts`` is exact: full attention under SDPA, and no activation checkpointing."""
    return takes_prepared_masks(model) and not model.is_gradient_checkpointing


def target_tokens(sequences: Sequence[TrainSequence], blocks: Sequence[Block], device: torch.device) -> Tensor:
    """Returns ``int64[tokens]``: the completion tokens of all blocks, row after row."""
    ids = [sequences[row].token_ids for block in blocks for row in block.rows]
    return torch.from_numpy(np.concatenate(ids).astype(np.int64)).to(device)


def hidden_with_shared_prompts(
    body: torch.nn.Module, sequences: Sequence[TrainSequence], blocks: Sequence[Block], device: torch.device
) -> Tensor:
    """Runs each block's prompt once, then its completions on top of the prompt's keys and values.

    All tokens of the prompt but the last go into the prefix; the last one starts every completion's row, because its
    state predicts the first token. Gradients flow through the shared keys and values, so they equal those of separate
    sequences.

    Args:
        body: The model without its output head.
        sequences: All sequences of the step.
        blocks: Those of this micro-batch.
        device: Where the model is.

    Returns:
        ``[tokens, width]`` in the order of ``target_tokens``.
    """
    counts = torch.tensor([len(block.rows) for block in blocks], device=device)
    prefix_lengths = torch.tensor([len(block.prompt_ids) - 1 for block in blocks], device=device)
    width = int(prefix_lengths.max())
    cache = DynamicCache()
    padding = width - prefix_lengths  # on the left, so that completions start in one column
    visible = torch.arange(width, device=device) >= padding[:, None]
    padded = bool((padding > 0).any())
    if width > 0:
        ids = np.zeros((len(blocks), width), dtype=np.int64)
        for row, block in enumerate(blocks):
            ids[row, width - len(block.prompt_ids) + 1 :] = block.prompt_ids[:-1]
        mask = positions = None
        if padded:
            causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
            # A padding position sees itself: a softmax with nothing to see would be NaN, and so would its gradient.
            itself = torch.eye(width, dtype=torch.bool, device=device)
            mask = ((visible[:, None, :] & causal) | itself)[:, None]
            positions = (torch.arange(width, device=device) - padding[:, None]).clamp(min=0)
        body(
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )
        cache.batch_repeat_interleave(counts)  # pyright: ignore[reportArgumentType] - counts per row work as one does

    inputs, lengths = _completion_inputs(sequences, blocks, device)
    steps = inputs.shape[1]
    causal = torch.ones(steps, steps, dtype=torch.bool, device=device).tril()[None, None]
    mask = positions = None
    if padded:
        prefix = visible.repeat_interleave(counts, dim=0)[:, None, None, :].expand(-1, 1, steps, -1)
        mask = torch.cat([prefix, causal.expand(prefix.shape[0], -1, -1, -1)], dim=-1)
        positions = torch.arange(steps, device=device) + prefix_lengths.repeat_interleave(counts)[:, None]
    elif width > 0:
        mask = torch.cat([torch.ones(1, 1, steps, width, dtype=torch.bool, device=device), causal], dim=-1)
    output = body(input_ids=inputs, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
    taken = torch.arange(steps, device=device) < lengths[:, None]
    return cast("Tensor", output.last_hidden_state[taken])


def hidden_of_full_sequences(
    body: torch.nn.Module, sequences: Sequence[TrainSequence], blocks: Sequence[Block], device: torch.device
) -> Tensor:
    """Runs prompt and completion of every row as one sequence, padded on the right, where causal attention never looks.

    Arguments and result as in ``hidden_with_shared_prompts``.
    """
    rows = [sequences[row] for block in blocks for row in block.rows]
    width = max(len(row.prompt_ids) + len(row.token_ids) - 1 for row in rows)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    taken = np.zeros((len(rows), width), dtype=np.bool_)
    for i, row in enumerate(rows):
        start, end = len(row.prompt_ids), len(row.prompt_ids) + len(row.token_ids) - 1
        ids[i, :start] = row.prompt_ids
        ids[i, start:end] = row.token_ids[:-1]
        taken[i, start - 1 : end] = True
    output = body(input_ids=torch.from_numpy(ids).to(device), use_cache=False)
    return cast("Tensor", output.last_hidden_state[torch.from_numpy(taken).to(device)])


def _completion_inputs(
    sequences: Sequence[TrainSequence], blocks: Sequence[Block], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The last prompt token and all but the last completion token of each row, padded on the right, and lengths."""
    rows = [(block.prompt_ids[-1], sequences[row].token_ids) for block in blocks for row in block.rows]
    ids = np.zeros((len(rows), max(len(tokens) for _, tokens in rows)), dtype=np.int64)
    for i, (last, tokens) in enumerate(rows):
        ids[i, 0] = last
        ids[i, 1 : len(tokens)] = tokens[:-1]
    lengths = torch.tensor([len(tokens) for _, tokens in rows], device=device)
    return torch.from_numpy(ids).to(device), lengths
