"""`LocalGenerator`: completions from any transformers causal language model in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay.errors import InvalidInputError
from assay.rollout.decode import Decoded, decode
from assay.rollout.sampling import group_uniforms
from assay.rollout.types import FinishReason, NamedTensors, Rollout, RolloutGroup, SamplingParams, TokenIds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel


class LocalGenerator:
    """Completes prompts by its own decode loop: static cache, one prefill per group, finished rows dropped.

    Deterministic: a completion depends on the weights, its prompt, the seed and its group id. Random numbers do not
    depend on the batch; logits do in their last bits, because matrix products are rounded by shape.

    Args:
        model: A transformers causal language model of attention layers. It is used as it stands: in its dtype, on
            its device.
        token_budget: Tokens (prompt and completion, over all rows) that one batch may hold in its cache.
        shares_weights: The model is the learner's own, so its weights change in place and ``update_weights`` only
            notes the version.

    Raises:
        InvalidInputError: The model has layers that are not attention, whose state this cache cannot hold.
    """

    def __init__(self, model: PreTrainedModel, *, token_budget: int = 65_536, shares_weights: bool = False) -> None:
        if token_budget < 1:
            msg = f"generator.token_budget is {token_budget}: give a positive count of tokens"
            raise InvalidInputError(msg)
        self._model = model
        self._config = model.config.get_text_config(decoder=True)
        self._token_budget = token_budget
        self._shares_weights = shares_weights
        self._version = 0
        kinds: set[str] = set(getattr(self._config, "layer_types", None) or ["full_attention"])
        unknown = kinds - {"full_attention", "sliding_attention", "chunked_attention"}
        if unknown:
            msg = f"model has layers of kind {sorted(unknown)}: the local generator decodes attention layers only"
            raise InvalidInputError(msg)

    @property
    def weight_version(self) -> int:
        """Version given by the last ``update_weights``; 0 before the first."""
        return self._version

    def update_weights(self, version: int, named_tensors: NamedTensors) -> None:
        """Copies the tensors into the model (unless it is shared with the learner) and notes the version.

        Raises:
            InvalidInputError: A name or shape is not the model's.
        """
        if not self._shares_weights:
            own: dict[str, Tensor] = self._model.state_dict()
            with torch.no_grad():
                for name, tensor in named_tensors():
                    if name not in own or own[name].shape != tensor.shape:
                        msg = f"weight {name!r} of shape {tuple(tensor.shape)} is not one of the generator's model"
                        raise InvalidInputError(msg)
                    own[name].copy_(tensor)
        self._version = version

    def close(self) -> None:
        """Nothing is held between calls."""

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        group_size: int,
        sampling: SamplingParams,
        seed: int,
        first_group_id: int = 0,
    ) -> Iterator[RolloutGroup]:
        """Yields the group of each prompt; batches hold prompts of like length, so groups come out of order.

        See ``Generator.generate`` for arguments and errors.
        """
        self._check(prompts, group_size, sampling)
        for positions in self._form_batches(prompts, group_size, sampling.max_new_tokens):
            ids = [first_group_id + i for i in positions]
            uniforms = [group_uniforms(seed, group_id, group_size, sampling.max_new_tokens) for group_id in ids]
            batch = [prompts[i] for i in positions]
            # The whole batch is decoded before anything is yielded: inference mode is a state of the thread and must
            # not leak into the caller between two groups.
            decoded = decode(self._model, batch, group_size=group_size, uniforms=torch.cat(uniforms), sampling=sampling)
            for row, (group_id, prompt) in enumerate(zip(ids, batch, strict=True)):
                yield self._group(group_id, prompt, decoded, slice(row * group_size, (row + 1) * group_size))

    def _group(self, group_id: int, prompt: TokenIds, decoded: Decoded, rows: slice) -> RolloutGroup:
        rollouts: list[Rollout] = []
        for index, row in enumerate(range(rows.start, rows.stop)):
            length = int(decoded.lengths[row])
            reason: FinishReason = "stop" if decoded.stopped[row] else "length"
            token_ids = decoded.tokens[row, :length].astype(np.uint32)
            logprobs = decoded.logprobs[row, :length].copy()
            rollouts.append(Rollout(group_id, index, prompt, token_ids, logprobs, reason, self._version))
        return RolloutGroup(group_id, prompt, rollouts)

    def _check(self, prompts: Sequence[TokenIds], group_size: int, sampling: SamplingParams) -> None:
        if group_size < 1:
            msg = f"group_size is {group_size}: give at least 1"
            raise InvalidInputError(msg)
        limit = getattr(self._config, "max_position_embeddings", None)
        for i, prompt in enumerate(prompts):
            if len(prompt) == 0:
                msg = f"prompt {i} is empty: every prompt needs at least one token"
                raise InvalidInputError(msg)
            if limit is not None and len(prompt) + sampling.max_new_tokens > limit:
                msg = (
                    f"prompt {i} has {len(prompt)} tokens and max_new_tokens is {sampling.max_new_tokens}, but the "
                    f"model has {limit} positions: shorten the prompt or lower max_new_tokens"
                )
                raise InvalidInputError(msg)

    def _form_batches(self, prompts: Sequence[TokenIds], group_size: int, max_new_tokens: int) -> Iterator[list[int]]:
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        batch: list[int] = []
        for i in order:
            rows = (len(batch) + 1) * group_size
            if batch and rows * (len(prompts[i]) + max_new_tokens) > self._token_budget:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch
