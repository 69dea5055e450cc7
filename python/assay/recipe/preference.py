"""Training a reward model on pairs of responses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from assay.errors import InvalidInputError
from assay.learner.checkpoint import atomic_folder, newest_checkpoint
from assay.learner.step import Learner
from assay.recipe.model import build_model
from assay.recipe.order import derive_seed, order
from assay.recipe.progress import StageProgress
from assay.recipe.reward_model import RewardCard, RewardModel, write_card
from assay.recipe.training import TrainingRun, optimizer_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.data import Task
    from assay.learner.policy import Policy
    from assay.recipe.context import RunContext
    from assay.recipe.schema import PreferenceStage


class PreferenceLearner(Learner):
    """Optimizer steps on pairs."""

    def pair_step(self, pairs: Sequence[tuple[Any, Any]], token_budget: int) -> dict[str, float]:
        """One step of ``-mean log sigmoid(r(chosen) - r(rejected))`` (arXiv 2203.02155, equation 1).

        Args:
            pairs: Token ids of the chosen and the rejected row, ``uint32[length]`` each.
            token_budget: Tokens of one forward, padding included.

        Returns:
            ``loss`` (nats per pair), ``accuracy`` (share of pairs in the right order), ``margin``, ``grad_norm``, ``lr``.
        """
        model = cast("RewardModel", cast("object", self.policy))
        lr = self.next_learning_rate()
        loss_sum = right = margin = 0.0
        for start, end in _micro_batches(pairs, token_budget):
            part = pairs[start:end]
            scores = model.scores([row for pair in part for row in pair]).view(-1, 2)
            difference = scores[:, 0] - scores[:, 1]
            loss = -torch.nn.functional.logsigmoid(difference).sum() / len(pairs)
            loss.backward()
            loss_sum += float(loss.detach())
            right += float((difference.detach() > 0).sum())
            margin += float(difference.detach().sum())
        norm = self.apply_gradients(lr)
        size = len(pairs)
        return {"loss": loss_sum, "accuracy": right / size, "margin": margin / size, "grad_norm": norm, "lr": lr}


def run_preference(context: RunContext, stage: PreferenceStage, checkpoint: Path | None) -> None:
    """Trains the model, tests it on held-out pairs and leaves it in ``models/STAGE``.

    Raises:
        InvalidInputError: A row has no pair, or no pairs are held out.
    """
    splits = context.problems[stage.name]
    if not splits.held_out:
        raise InvalidInputError(f"stage {stage.name!r}: no pairs are held out to test it on; set data.held_out")
    model = RewardModel.load(
        _initial(context, stage),
        seed=derive_seed(context.recipe.seed, stage.name, "head"),
        device=context.recipe.runtime.device,
    )
    learner = PreferenceLearner(cast("Policy", cast("object", model)), optimizer_config(stage))
    run = TrainingRun.resume(stage, learner, checkpoint)
    seed = derive_seed(context.recipe.seed, stage.name, "order")
    card = RewardCard(stage.part, (stage.data or context.recipe.data).template, 0.0, 1.0, 0.0, 0)
    with StageProgress(stage.name, stage.steps, done=run.step) as progress:
        while run.step < stage.steps:
            with context.timed(stage.name):
                started = time.perf_counter()
                picked = [splits.train[i] for i in order(len(splits.train), seed, run.position, stage.batch_size)]
                metrics = learner.pair_step(_pairs(model, stage, picked, card), stage.token_budget)
                run.position += len(picked)
                metrics["pairs_per_s"] = len(picked) / (time.perf_counter() - started)
                metrics |= run.take_checkpoint_time()
                if run.step + 1 == stage.steps:
                    tested = _test(model, stage, splits.held_out, card)
                    metrics["preference/held_out_accuracy"] = tested.held_out_accuracy
                    metrics["preference/held_out_pairs"] = float(tested.held_out_pairs)
                    # Before the last checkpoint, which says that the stage is over.
                    _leave(context, stage, model, tested)
                    progress.say(
                        f"{stage.name}: {tested.held_out_accuracy:.3f} of {tested.held_out_pairs} held-out pairs in the "
                        "right order"
                    )
            row = {"stage": stage.name, "kind": "preference", "step": run.step + 1}
            context.folder.log({**row, "time_s": context.seconds[stage.name], **metrics})
            progress.step(metrics)
            run.finish_step(context)


def _initial(context: RunContext, stage: PreferenceStage) -> Path:
    """A folder with the causal model that the reward model is made from, the same for a resumed run."""
    if stage.start not in ("previous", "base"):
        checkpoint = newest_checkpoint(context.folder.checkpoints(stage.start))
        if checkpoint is None:
            raise InvalidInputError(f"stage {stage.name!r}: the checkpoint of stage {stage.start!r} is gone")
        return checkpoint / "model"
    folder = context.folder.checkpoints(stage.name) / "initial"
    if not folder.is_dir():
        policy = (
            build_model(context.recipe, context.model or context.recipe.model)
            if stage.start == "base"
            else context.policy
        )
        with atomic_folder(folder) as partial:
            policy.export(partial)
    return folder


def _pairs(
    model: RewardModel, stage: PreferenceStage, tasks: Sequence[Task], card: RewardCard
) -> list[tuple[Any, Any]]:
    sides: list[Any] = []
    for field in (stage.chosen_field, stage.rejected_field):
        texts: list[str] = []
        for task in tasks:
            text = task.metadata.get(field)
            if not isinstance(text, str):
                raise InvalidInputError(
                    f"{task.source}: row {task.id} has no text in {field!r}; a pair needs {stage.chosen_field!r} and "
                    f"{stage.rejected_field!r}"
                )
            texts.append(text)
        sides.append(model.rows(tasks, texts, card))
    return list(zip(*sides, strict=True))


def _test(model: RewardModel, stage: PreferenceStage, tasks: Sequence[Task], card: RewardCard) -> RewardCard:
    """The card with what the held-out pairs say; a tie counts as half right."""
    pairs = _pairs(model, stage, tasks, card)
    values = model.score_all([row for pair in pairs for row in pair]).reshape(-1, 2)
    difference = values[:, 0] - values[:, 1]
    right = float(np.mean((difference > 0) + 0.5 * (difference == 0)))
    spread = float(values.std()) or 1.0
    return card._replace(center=float(values.mean()), spread=spread, held_out_accuracy=right, held_out_pairs=len(pairs))


def _leave(context: RunContext, stage: PreferenceStage, model: RewardModel, card: RewardCard) -> None:
    folder = context.folder.path / "models" / stage.name
    if folder.is_dir():
        return
    folder.parent.mkdir(exist_ok=True)
    with atomic_folder(folder) as partial:
        model.export(partial)
        write_card(partial, card)


def _micro_batches(pairs: Sequence[tuple[Any, Any]], token_budget: int) -> list[tuple[int, int]]:
    """Ranges of pairs that fit the budget when padded to the longest."""
    ranges: list[tuple[int, int]] = []
    start, longest = 0, 0
    for place, pair in enumerate(pairs):
        longest = max(longest, *map(len, pair))
        if place > start and 2 * (place - start + 1) * longest > token_budget:
            ranges.append((start, place))
            start, longest = place, max(map(len, pair))
    return [*ranges, (start, len(pairs))]
