"""The static key-value cache of the local generator."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class _RolloutLayer(CacheLayerMixin):
    """Keys and values of one attention layer in buffers that are allocated once, at the prefill.

    The prefill computes one row per prompt, stored once for each of its completions; later tokens are written in place.
    Attention sees only the columns in use, so a short completion never pays for the longest one allowed.
    """

    is_compileable = False
    is_sliding = False

    def __init__(self, completions: Tensor, capacity: int) -> None:
        super().__init__()
        self.completions = completions
        self.capacity = capacity
        self.length = 0
        self.rows = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocates the buffers from the shapes of the prefill, ``[prompts, heads, prompt length, head size]``."""
        self.rows = int(self.completions.sum())

        def allocate(states: Tensor) -> Tensor:
            shape = (self.rows, states.shape[1], self.capacity, states.shape[3])
            return torch.empty(shape, dtype=states.dtype, device=states.device)

        self.keys, self.values = allocate(key_states), allocate(value_states)
        self.dtype, self.device = key_states.dtype, key_states.device
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Stores the new columns and returns everything a query may attend to."""
        prefill = not self.is_initialized
        if prefill:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        start, self.length = self.length, self.length + key_states.shape[2]
        if prefill:
            self.keys[:, :, : self.length] = key_states.repeat_interleave(self.completions, dim=0)
            self.values[:, :, : self.length] = value_states.repeat_interleave(self.completions, dim=0)
            return key_states, value_states
        self.keys[: self.rows, :, start : self.length] = key_states
        self.values[: self.rows, :, start : self.length] = value_states
        return self.keys[: self.rows, :, : self.length], self.values[: self.rows, :, : self.length]

    def keep(self, rows: Tensor) -> None:
        """Keeps only ``rows`` (``int64``, ascending), moved to the front of the same buffers."""
        assert self.keys is not None
        assert self.values is not None
        kept = rows.shape[0]
        for buffer in (self.keys, self.values):
            buffer[:kept, :, : self.length] = buffer[rows, :, : self.length]
        self.rows = kept

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Returns the columns a query of ``query_length`` will see, and the offset of the first."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Returns the columns in use."""
        return self.length

    def get_max_length(self) -> int:
        """Returns the columns allocated."""
        return self.capacity


class RolloutCache(Cache):
    """A cache for one batch.

    Args:
        layers: Attention layers of the model.
        completions: ``int64[prompts]``, rows of each prompt.
        capacity: Columns: prompt and completion.
    """

    def __init__(self, *, layers: int, completions: Tensor, capacity: int) -> None:
        self._rollout_layers = [_RolloutLayer(completions, capacity) for _ in range(layers)]
        super().__init__(layers=list(self._rollout_layers))

    def keep(self, rows: Tensor) -> None:
        """Drops every row that is not in ``rows`` (``int64``, ascending) from all layers."""
        for layer in self._rollout_layers:
            layer.keep(rows)
