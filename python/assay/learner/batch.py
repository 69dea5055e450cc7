"""What the learner trains on, and how it is cut into micro-batches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

import assay
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Completions share a micro-batch when the shorter is at least this part of the longer: padding then stays below a
# third, and the number of micro-batches grows with the logarithm of the spread only.
_LIKE = 0.7

Layout: TypeAlias = Literal["shared", "packed", "padded"]


@dataclass(slots=True)
class TrainSequence:
    """One completion with what the loss needs.

    Attributes:
        group_id: Completions of one group have the same prompt, which is then computed once for all of them.
        prompt_ids: ``uint32[prompt]``, not empty.
        token_ids: ``uint32[completion]``, not empty.
        logprobs: ``float32[completion]`` under the weights that sampled it, or ``None`` if the engine kept none.
        advantage: Of every token, or ``float32[completion]``: of each. NaN is refused; a completion without a reward has
            advantage 0.
        weight_version: The oldest weights that sampled any of its tokens; ``None`` if versions are not kept.
        masked: Left out of the loss and of its averages, as if it were not there (DAPO's overlong filtering).
    """

    group_id: int
    prompt_ids: NDArray[np.uint32]
    token_ids: NDArray[np.uint32]
    logprobs: NDArray[np.float32] | None
    advantage: float | NDArray[np.float32]
    weight_version: int | None = None
    masked: bool = False

    @property
    def teaches(self) -> bool:
        """Whether any token has an advantage."""
        return bool(np.any(self.advantage != 0))

    def check(self, index: int) -> None:
        """Raises ``InvalidInputError`` when sequence ``index`` cannot be trained on."""
        if len(self.prompt_ids) == 0 or len(self.token_ids) == 0:
            msg = f"sequence {index} has an empty prompt or completion"
            raise InvalidInputError(msg)
        if not np.all(np.isfinite(self.advantage)):
            msg = f"sequence {index} has advantage {self.advantage}: an unscored completion has advantage 0"
            raise InvalidInputError(msg)
        if np.ndim(self.advantage) and np.shape(self.advantage) != (len(self.token_ids),):
            msg = f"sequence {index} has {np.size(self.advantage)} advantages for {len(self.token_ids)} tokens"
            raise InvalidInputError(msg)
        if self.logprobs is not None and len(self.logprobs) != len(self.token_ids):
            msg = f"sequence {index} has {len(self.logprobs)} log-probs for {len(self.token_ids)} tokens"
            raise InvalidInputError(msg)


@dataclass(slots=True)
class Block:
    """A prompt and the completions that share it in one micro-batch.

    Attributes:
        prompt_ids: ``uint32[prompt]``.
        rows: Indices into the step's sequences.
    """

    prompt_ids: NDArray[np.uint32]
    rows: list[int]


def split_groups(sequences: Sequence[TrainSequence], parts: int) -> list[list[int]]:
    """Cuts the step into ``parts`` mini-batches of about as many groups each, groups whole and in order.

    Returns:
        Indices into ``sequences``; with fewer groups than parts, some parts are empty.
    """
    groups = [list(members) for _, members in groupby(range(len(sequences)), key=lambda i: sequences[i].group_id)]
    bounds = [len(groups) * part // parts for part in range(parts + 1)]
    return [[row for group in groups[a:b] for row in group] for a, b in pairwise(bounds)]


def plan_micro_batches(
    sequences: Sequence[TrainSequence], rows: Sequence[int], *, token_budget: int, layout: Layout
) -> list[list[Block]]:
    """Packs the completions at ``rows`` into micro-batches of at most ``token_budget`` tokens, padding included.

    Completions of one group stay together as long as they fit, so that their prompt is computed once.

    Args:
        sequences: All sequences of the step.
        rows: Those to train on, completions of one group next to each other.
        token_budget: Tokens of one micro-batch. One completion with its prompt may exceed it, and then stands alone.
        layout: ``shared``: a block's prompt is computed once; ``padded``: once per completion; ``packed``: likewise, but
            there is no padding to avoid.
    """
    if layout == "packed":
        lengths = [len(sequences[row].prompt_ids) + len(sequences[row].token_ids) for row in rows]
        packed = assay.pack([min(length, token_budget) for length in lengths], token_budget)
        return [[Block(sequences[rows[i]].prompt_ids, [rows[i]]) for i in sorted(members)] for members in packed]
    blocks: list[Block] = []
    share_prompts = layout == "shared"
    for _, members in groupby(rows, key=lambda row: sequences[row].group_id):
        longest_first = sorted(members, key=lambda row: -len(sequences[row].token_ids))
        blocks += _split(sequences, longest_first, token_budget, share_prompts)
    batches: list[list[Block]] = []
    for alike in _of_like_length(sequences, blocks):
        costs = [min(_cost(sequences, block, share_prompts), token_budget) for block in alike]
        batches += [[alike[i] for i in sorted(members)] for members in assay.pack(costs, token_budget)]
    return batches


def _split(sequences: Sequence[TrainSequence], rows: list[int], token_budget: int, share_prompts: bool) -> list[Block]:
    """Cuts one group, longest completion first, where the budget ends or padding would cost more than the prompt."""
    blocks: list[Block] = []
    for position, row in enumerate(rows):
        length = len(sequences[row].token_ids)
        if blocks:
            block = blocks[-1]
            longest = len(sequences[block.rows[0]].token_ids)
            prompt = len(block.prompt_ids) if share_prompts else 0
            wasteful = length < _LIKE * longest and (longest - length) * (len(rows) - position) > prompt
            grown = Block(block.prompt_ids, [*block.rows, row])
            if not wasteful and _cost(sequences, grown, share_prompts) <= token_budget:
                blocks[-1] = grown
                continue
        blocks.append(Block(sequences[row].prompt_ids, [row]))
    return blocks


def _of_like_length(sequences: Sequence[TrainSequence], blocks: list[Block]) -> list[list[Block]]:
    """Sorts blocks into lists in which padding to the longest completion wastes little."""

    def longest(block: Block) -> int:
        return len(sequences[block.rows[0]].token_ids)

    lists: list[list[Block]] = []
    for block in sorted(blocks, key=longest, reverse=True):
        if lists and longest(block) >= _LIKE * longest(lists[-1][0]):
            lists[-1].append(block)
        else:
            lists.append([block])
    return lists


def _cost(sequences: Sequence[TrainSequence], block: Block, share_prompts: bool) -> int:
    """Tokens of a block: completions are padded to the longest, which is the first."""
    completions = len(block.rows) * len(sequences[block.rows[0]].token_ids)
    return completions + len(block.prompt_ids) * (1 if share_prompts else len(block.rows))
