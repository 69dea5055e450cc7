"""`LocalGenerator`: completions from any transformers causal language model in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from assay._attention import exchange_attention
from assay._layers import lighten
from assay._transformers import attention_kinds, text_config
from assay.batch import SamplingBatcher
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
            its device. Its attention and norms are exchanged for equal ones that cost less.
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
        self._config = text_config(model)
        self._token_budget = token_budget
        self._shares_weights = shares_weights
        self._version = 0
        unknown = attention_kinds(model) - {"full_attention", "sliding_attention", "chunked_attention"}
        if unknown:
            msg = f"model has layers of kind {sorted(unknown)}: the local generator decodes attention layers only"
            raise InvalidInputError(msg)
        exchange_attention(model)
        lighten(model)

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

    def abort(self) -> None:
        """Does nothing: an iteration that is left early ends at once."""

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
        uniforms: dict[int, Tensor] = {}
        unfinished: dict[int, list[Rollout]] = {}
        for batch in self._batches(prompts, group_size, sampling.max_new_tokens):
            for i in batch:
                if i not in uniforms:
                    uniforms[i] = group_uniforms(seed, first_group_id + i, group_size, sampling.max_new_tokens)
            # The whole batch is decoded before anything is yielded: inference mode is a state of the thread and must
            # not leak into the caller between two groups.
            decoded = decode(
                self._model,
                [prompts[i] for i in batch],
                completions=[len(indices) for indices in batch.values()],
                uniforms=torch.cat([uniforms[i][indices] for i, indices in batch.items()]),
                sampling=sampling,
            )
            row = 0
            for i, indices in batch.items():
                group = unfinished.setdefault(i, [])
                for index in indices:
                    group.append(self._rollout(first_group_id + i, index, prompts[i], decoded, row))
                    row += 1
                if len(group) == group_size:
                    del unfinished[i], uniforms[i]
                    yield RolloutGroup(first_group_id + i, prompts[i], group)

    def _rollout(self, group_id: int, index: int, prompt: TokenIds, decoded: Decoded, row: int) -> Rollout:
        length = int(decoded.lengths[row])
        reason: FinishReason = "stop" if decoded.stopped[row] else "length"
        token_ids = decoded.tokens[row, :length].astype(np.uint32)
        return Rollout(group_id, index, prompt, token_ids, decoded.logprobs[row, :length].copy(), reason, self._version)

    def _batches(
        self, prompts: Sequence[TokenIds], group_size: int, max_new_tokens: int
    ) -> Iterator[dict[int, list[int]]]:
        """Yields ``{prompt: indices in its group}`` of what is decoded together.

        The Rust batcher admits as many sequences as the token budget holds, groups in order and whole where they fit.
        Prompts go in by length, so that those decoded together need little padding. A budget too small for one
        completion still decodes one.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        lengths = np.array([len(prompts[i]) for i in order], dtype=np.int64)
        if not order:
            return
        batcher = SamplingBatcher(
            lengths,
            group_size=group_size,
            max_new_tokens=max_new_tokens,
            token_budget=max(self._token_budget, int(lengths[-1]) + max_new_tokens),
        )
        while batcher.remaining:
            admitted = batcher.admit()
            batch: dict[int, list[int]] = {}
            for position, index in admitted:
                batch.setdefault(order[position], []).append(index)
            yield batch
            for position, index in admitted:
                batcher.finish(position, index)

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
