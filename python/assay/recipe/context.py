"""What all stages of a run share."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.data import Splits, Task, load_splits, render
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator as Yields
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from assay.learner.policy import Policy
    from assay.recipe.folder import RunFolder
    from assay.recipe.interrupt import Interrupt
    from assay.recipe.schema import Recipe, Stage
    from assay.rollout import Generator
    from assay.scores import Scores
    from assay.spec import RewardSpec


class TokenScorer(Protocol):
    """What the loop needs of a scorer; ``assay.Scorer`` and ``assay.RemoteScorer`` both have it."""

    def score_tokens(
        self, token_ids: NDArray[np.uint32], offsets: NDArray[np.int64], references: Sequence[str | None]
    ) -> Scores:
        """Scores ``n`` completions given as one flat array of ids and ``n + 1`` offsets."""
        ...


@dataclass(slots=True)
class RunContext:
    """The parts of a run, made once from its recipe.

    Attributes:
        recipe: The resolved recipe.
        folder: Where everything is written.
        policy: The model in training.
        generator: Samples completions from it.
        scorer: Says what they are worth.
        spec: By what rules.
        problems: Of each stage, by its name.
        interrupt: Whether Ctrl-C was pressed.
        weight_version: Optimizer steps taken since the run began.
        seconds: Wall time of the stages so far, by name, earlier attempts included.
        cpu_seconds: Process CPU time, likewise.
    """

    recipe: Recipe
    folder: RunFolder
    policy: Policy
    generator: Generator
    scorer: TokenScorer
    spec: RewardSpec
    problems: dict[str, Splits]
    interrupt: Interrupt
    weight_version: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])

    def prompt_ids(self, tasks: Sequence[Task], stage: Stage) -> list[NDArray[np.uint32]]:
        """The token ids that the completions of each task continue.

        Raises:
            InvalidInputError: A rendered prompt has no tokens.
        """
        template = (stage.data or self.recipe.data).template
        texts = [render(task.prompt, template, self.policy.tokenizer) for task in tasks]
        # A chat template writes the model's own markup, start token included; plain text leaves it to the tokenizer.
        prompts = encode(self.policy.tokenizer, texts, special=template.kind != "chat")
        for task, ids in zip(tasks, prompts, strict=True):
            if len(ids) == 0:
                raise InvalidInputError(
                    f"{task.source}: prompt {task.id} has no tokens: the template or the row is empty"
                )
        return prompts

    @contextmanager
    def timed(self, stage: str) -> Yields[None]:
        """Adds the wall and CPU time of a block to a stage."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - wall
            self.cpu_seconds[stage] = self.cpu_seconds.get(stage, 0.0) + time.process_time() - cpu


def load_problems(recipe: Recipe) -> dict[str, Splits]:
    """The problems of every stage: its own data, or the recipe's, which is read once.

    Raises:
        InvalidInputError: A file, row or field is not as described; the message names it.
    """
    shared = load_splits(recipe.data)
    return {stage.name: load_splits(stage.data) if stage.data else shared for stage in recipe.stage}


def encode(tokenizer: Any, texts: Sequence[str], *, special: bool) -> list[NDArray[np.uint32]]:
    """Token ids of each text, with the tokenizer's own start and end tokens or without."""
    # One call for all: a call for each costs more than tokenizing.
    encoded = tokenizer(list(texts), add_special_tokens=special)["input_ids"]
    return [np.asarray(ids, dtype=np.uint32) for ids in encoded]


def derive_seed(seed: int, *path: str | int) -> int:
    """A seed of its own for every purpose: 63 bits of a hash of the run's seed and what it is for."""
    text = "\0".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def order(size: int, seed: int, start: int, count: int) -> list[int]:
    """Positions ``start .. start + count`` of an endless shuffled pass over ``size`` items.

    Every item comes once before any comes twice, in a new order each time. Nothing is remembered between calls, so a
    resumed run goes on with one number.
    """
    taken: list[int] = []
    while len(taken) < count:
        epoch, offset = divmod(start + len(taken), size)
        permutation = np.random.default_rng(derive_seed(seed, "epoch", epoch)).permutation(size)
        taken += permutation[offset : offset + count - len(taken)].tolist()
    return taken
