"""What all stages of a run share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import assay
from assay.data import Splits, Task, render
from assay.errors import InvalidInputError
from assay.learner.step import Learner
from assay.recipe.dataset import load_data
from assay.recipe.encode import encode
from assay.recipe.generation import open_generator
from assay.recipe.model import build_model, model_name
from assay.recipe.reward_model import PreferenceScorer
from assay.recipe.rewards import StageScorer
from assay.recipe.schema.references import data_references
from assay.recipe.tokenizer import tokenizer_json
from assay.rollout import LocalGenerator

if TYPE_CHECKING:
    from collections.abc import Generator as Yields
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from assay.learner.controller import Controller
    from assay.learner.optimizer import OptimizerConfig
    from assay.learner.policy import Policy
    from assay.recipe.folder import RunFolder
    from assay.recipe.interrupt import Interrupt
    from assay.recipe.rewards import TokenScorer
    from assay.recipe.schema import ModelConfig, PreferenceReward, Recipe, ScorerConfig, Stage
    from assay.rollout import Generator
    from assay.spec import RewardSpec


@dataclass(slots=True)
class RunContext:
    """The parts of a run, made once from its recipe.

    Attributes:
        recipe: The resolved recipe.
        folder: Where everything is written.
        policy: The model in training.
        generator: Samples completions from it.
        problems: Of each stage, by its name; what an earlier stage leaves is there once the stage begins.
        interrupt: Whether Ctrl-C was pressed.
        reward_servers: Where rules are scored if the recipe does not say; ``None`` is in this process.
        model: The student, once there is one; until then the recipe's model is in training.
        controller: Leads the other processes, if several train.
        weight_version: How often the weights have changed since the run began.
        seconds: Wall time of the stages so far, by name, earlier attempts included.
        cpu_seconds: Process CPU time, likewise.
    """

    recipe: Recipe
    folder: RunFolder
    policy: Policy
    generator: Generator
    problems: dict[str, Splits]
    interrupt: Interrupt
    reward_servers: str | None = None
    model: ModelConfig | None = None
    controller: Controller | None = None
    weight_version: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    cpu_seconds: dict[str, float] = field(default_factory=dict[str, float])
    _scorers: dict[str, StageScorer] = field(default_factory=dict[str, "StageScorer"])

    def scorer_of(self, stage: Stage) -> StageScorer:
        """The reward of a stage: its own, or the recipe's.

        Raises:
            InvalidInputError: A reward model cannot be loaded.
        """
        config = stage.scorer or self.recipe.scorer
        key = config.model_dump_json()
        if key not in self._scorers:
            models = [self._reward_model(preference) for preference in config.preference]
            self._scorers[key] = StageScorer(config, partial(self._rule_scorer, config), models)
        return self._scorers[key]

    def _rule_scorer(self, config: ScorerConfig, spec: RewardSpec) -> TokenScorer:
        tokenizer = tokenizer_json(self.policy.tokenizer, self.folder.path / "tokenizer")
        remote = config.remote or self.reward_servers
        if remote is not None:
            return assay.connect(remote, spec, tokenizer=tokenizer)
        return assay.Scorer(spec, tokenizer=tokenizer)

    def _reward_model(self, config: PreferenceReward) -> PreferenceScorer:
        folder = Path(config.path) if config.path else self.folder.path / "models" / str(config.stage)
        return PreferenceScorer(folder, config, device=self.recipe.runtime.device)

    def adopt(self, model: ModelConfig) -> None:
        """Goes on with another model: a student.

        Raises:
            InvalidInputError: It cannot be loaded.
        """
        self.generator.close()
        self.model = model
        whole = build_model(self.recipe, model)
        self.policy = whole if self.controller is None else self.controller.take(whole)
        own = self.recipe.model_copy(update={"model": model})
        self.generator = open_generator(own, self.policy, self.folder.path)
        # Rules read the student's tokens from now on.
        self._scorers.clear()

    def learner(self, optimizer: OptimizerConfig) -> Learner:
        """Makes the learner of a stage, over all processes."""
        if self.controller is None:
            return Learner(self.policy, optimizer)
        return self.controller.learner(self.policy, optimizer)

    def generator_for(self, policy: Policy) -> Generator:
        """Samples from a model other than the one in training."""
        return LocalGenerator(policy.model, token_budget=self.recipe.runtime.token_budget, shares_weights=True)

    def trained_as(self) -> str:
        """What to call the model in training: the run, and how often its weights have changed."""
        return f"{model_name(self.model or self.recipe.model)}, {self.recipe.name}@{self.weight_version}"

    def prompt_ids(self, tasks: Sequence[Task], stage: Stage, tokenizer: Any = None) -> list[NDArray[np.uint32]]:
        """The token ids that the completions of each task continue; ``tokenizer`` is the policy's unless given.

        Raises:
            InvalidInputError: A rendered prompt has no tokens.
        """
        template = (stage.data or self.recipe.data).template
        tokenizer = tokenizer or self.policy.tokenizer
        texts = [render(task.prompt, template, tokenizer) for task in tasks]
        # A chat template writes the model's own markup, start token included; plain text leaves it to the tokenizer.
        prompts = encode(tokenizer, texts, special=template.kind != "chat")
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
    """The problems of every stage that are there before the run: its own data, or the recipe's, which is read once.

    Raises:
        InvalidInputError: A file, row or field is not as described; the message names it.
    """
    shared = load_data(recipe.data, None)
    return {
        stage.name: load_data(stage.data, None) if stage.data else shared
        for stage in recipe.stage
        if not data_references(stage.data)
    }
