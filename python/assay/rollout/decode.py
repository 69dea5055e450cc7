"""The decode loop of one batch: prefill once per group, then one token per step for the rows still going."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from assay._transformers import takes_prepared_masks, text_config
from assay.rollout.cache import RolloutCache
from assay.rollout.sampling import sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from assay.rollout.types import SamplingParams, TokenIds

# Finished rows are dropped once this share of the batch is done. Dropping copies the cache, which costs a small model
# about one decode step, so it must save several.
_DROP_SHARE = 0.2


@dataclass(slots=True)
class Decoded:
    """What one batch sampled; the completions of the first prompt, then those of the second, and so on.

    Attributes:
        tokens: ``int64[rows, max_new_tokens]``, meaningful up to ``lengths``.
        logprobs: ``float32[rows, max_new_tokens]``, likewise.
        lengths: ``int64[rows]``, stop token included.
        stopped: ``bool[rows]``, whether the last token is a stop token.
    """

    tokens: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    lengths: NDArray[np.int64]
    stopped: NDArray[np.bool_]


@torch.inference_mode()
def decode(
    model: PreTrainedModel,
    prompts: Sequence[TokenIds],
    *,
    completions: Sequence[int],
    uniforms: Tensor,
    sampling: SamplingParams,
) -> Decoded:
    """Samples completions of several prompts together.

    Args:
        model: A transformers causal language model of attention layers.
        prompts: Token ids of each prompt, none empty.
        completions: How many of each prompt.
        uniforms: ``float64[rows, max_new_tokens]``, the random number of each token.
        sampling: How tokens are drawn and when a completion ends.
    """
    device: torch.device = model.device
    rows, steps = sum(completions), sampling.max_new_tokens
    tokens = torch.zeros(rows, steps, dtype=torch.int64, device=device)
    logprobs = torch.zeros(rows, steps, dtype=torch.float32, device=device)
    lengths = torch.full((rows,), steps, dtype=torch.int64, device=device)
    stopped = torch.zeros(rows, dtype=torch.bool, device=device)
    uniforms = uniforms.to(device)
    stop_ids = torch.tensor(sampling.stop_token_ids, dtype=torch.int64, device=device)

    run = _Run(model, prompts, completions, steps)
    logits = run.prefill()
    active = torch.arange(rows, device=device)  # the output row that each row of the cache belongs to
    for step in range(steps):
        drawn, drawn_logprobs = sample(logits, uniforms[active, step], sampling)
        tokens[active, step] = drawn
        logprobs[active, step] = drawn_logprobs
        ended = torch.isin(drawn, stop_ids) & ~stopped[active]
        stopped[active[ended]] = True
        lengths[active[ended]] = step + 1
        going = (~stopped[active]).nonzero().squeeze(-1)
        if step + 1 == steps or going.numel() == 0:
            break
        if active.numel() - going.numel() >= _DROP_SHARE * active.numel():
            run.keep(going)
            active, drawn = active[going], drawn[going]
        logits = run.step(drawn)
    return Decoded(tokens.cpu().numpy(), logprobs.cpu().numpy(), lengths.cpu().numpy(), stopped.cpu().numpy())


class _Run:
    """The model, cache, masks and positions of one batch whose prompts are padded on the left.

    With the padding on the left, every row writes the same column of the cache at every step. Masks and positions
    come from the prompts' lengths, never from comparing ids with a padding id: a model may use one id for padding
    and for the end of a text.
    """

    def __init__(
        self, model: PreTrainedModel, prompts: Sequence[TokenIds], completions: Sequence[int], steps: int
    ) -> None:
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        self._model = model
        self._completions = torch.tensor(completions, device=model.device)
        self._width = int(lengths.max())
        self._prompts = prompts
        capacity = self._width + steps
        self._cache = RolloutCache(
            layers=text_config(model).num_hidden_layers, completions=self._completions, capacity=capacity
        )
        self._padding = (self._width - lengths).to(model.device)  # per prompt, then per row of the cache
        self._padded = bool((self._padding > 0).any())
        self._visible = torch.arange(capacity, device=model.device) >= self._padding[:, None]
        self._own_mask = takes_prepared_masks(model)

    def prefill(self) -> Tensor:
        """Runs the prompts once and returns the first logits of every completion, ``[rows, vocabulary]``."""
        width = self._width
        ids = torch.zeros(len(self._prompts), width, dtype=torch.int64)
        for row, prompt in enumerate(self._prompts):
            ids[row, width - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
        mask = positions = None
        if self._padded:
            mask = self._visible[:, :width]
            positions = (torch.arange(width, device=ids.device) - self._padding[:, None]).clamp(min=0)
            if self._own_mask:
                causal = torch.ones(width, width, dtype=torch.bool, device=mask.device).tril()
                # A padding position sees itself: a row of the softmax with nothing to see would be NaN.
                itself = torch.eye(width, dtype=torch.bool, device=mask.device)
                mask = ((mask[:, None, :] & causal) | itself)[:, None]
        logits = self._forward(ids.to(self._padding.device), mask, positions)
        self._padding = self._padding.repeat_interleave(self._completions)
        self._visible = self._visible.repeat_interleave(self._completions, dim=0)
        return logits.repeat_interleave(self._completions, dim=0)

    def step(self, tokens: Tensor) -> Tensor:
        """Appends one token to every row and returns the next logits, ``[rows, vocabulary]``."""
        mask = positions = None
        if self._padded:
            column = self._cache.get_seq_length()
            mask = self._visible[:, : column + 1]
            positions = (column - self._padding)[:, None]
            if self._own_mask:
                mask = mask[:, None, None, :]
        return self._forward(tokens[:, None], mask, positions)

    def keep(self, rows: Tensor) -> None:
        """Drops every row that is not in ``rows`` (``int64``, ascending)."""
        self._cache.keep(rows)
        self._padding = self._padding[rows]
        self._visible = self._visible[rows]

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor | None) -> Tensor:
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return cast("Tensor", output.logits[:, -1])
