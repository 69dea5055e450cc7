"""A whole run, top to bottom."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import assay
from assay._transformers import hide_progress_bars
from assay.errors import UnavailableError
from assay.learner.checkpoint import newest_checkpoint, read_progress
from assay.recipe.board import Board
from assay.recipe.context import RunContext, load_problems
from assay.recipe.evaluate import run_eval
from assay.recipe.folder import RunFolder
from assay.recipe.grpo import run_grpo
from assay.recipe.interrupt import Interrupt
from assay.recipe.model import build_policy, tokenizer_json
from assay.recipe.schema import EvalStage, GrpoStage, Recipe, SftStage, Training
from assay.recipe.sft import run_sft
from assay.recipe.toml import dump_recipe
from assay.recipe.training import Interrupted, TrainingRun
from assay.rollout import LocalGenerator
from assay.spec import RewardSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assay.recipe.context import TokenScorer
    from assay.recipe.schema import ScorerConfig


def run_recipe(recipe: Recipe, out: Path | str | None = None, *, resume: bool = False) -> dict[str, Any]:
    """Carries out every stage of a recipe in a run folder.

    Args:
        recipe: From ``load_recipe``.
        out: The run folder; ``runs/NAME`` by default.
        resume: Go on from the newest checkpoint of the run in that folder. On a CPU with the same number of threads
            the rest is bit for bit what it would have been without the interruption.

    Returns:
        The summary, as ``summary.json`` holds it.

    Raises:
        InvalidSpecError: The reward spec is not valid.
        InvalidInputError: A file, row or setting is not as it should be; the message says which.
        UnavailableError: The disk is full, or a reward server does not answer.
        KeyboardInterrupt: Ctrl-C; the step in hand is checkpointed and the summary written.
    """
    hide_progress_bars()
    if recipe.runtime.threads:
        torch.set_num_threads(recipe.runtime.threads)
    # Whatever may be wrong with the recipe comes out here, before there is a run folder.
    spec, problems, policy = _reward_spec(recipe.scorer), load_problems(recipe), build_policy(recipe)
    path = Path(out or Path("runs") / recipe.name)
    board = Board(path) if recipe.tensorboard else None
    folder = RunFolder(path, dump_recipe(recipe), resume=resume, board=board)
    with Interrupt() as interrupt:
        try:
            generator = LocalGenerator(policy.model, token_budget=recipe.runtime.token_budget, shares_weights=True)
            scorer = _scorer(recipe.scorer, spec, tokenizer_json(policy.tokenizer, folder.path / "tokenizer"))
            context = RunContext(recipe, folder, policy, generator, scorer, spec, problems, interrupt)
            start, checkpoint = _resume_point(context) if resume else (0, None)
            try:
                for stage in recipe.stage[start:]:
                    _run_stage(context, stage, checkpoint)
                    checkpoint = None
            except BaseException as error:
                # What stopped the run is what the caller hears of, even if the summary cannot be written either.
                with suppress(UnavailableError):
                    folder.write_summary(_summary(context))
                if isinstance(error, Interrupted):
                    raise KeyboardInterrupt from None
                raise
            summary = _summary(context)
            folder.write_summary(summary)
        finally:
            folder.close()
    return summary


def _reward_spec(config: ScorerConfig) -> RewardSpec:
    if config.spec is not None:
        return RewardSpec.of(Path(config.spec))
    return RewardSpec.of({"on_undecided": config.on_undecided, "component": config.component})


def _scorer(config: ScorerConfig, spec: RewardSpec, tokenizer: Path) -> TokenScorer:
    if config.remote is not None:
        return assay.connect(config.remote, spec, tokenizer=tokenizer)
    return assay.Scorer(spec, tokenizer=tokenizer)


def _run_stage(context: RunContext, stage: SftStage | GrpoStage | EvalStage, checkpoint: Path | None) -> None:
    match stage:
        case SftStage():
            run_sft(context, stage, checkpoint)
        case GrpoStage():
            run_grpo(context, stage, checkpoint)
        case EvalStage():
            run_eval(context, stage)


def _resume_point(context: RunContext) -> tuple[int, Path | None]:
    """The stage to go on with and the checkpoint to go on from, after undoing what came later than it."""
    for index, stage in reversed(list(enumerate(context.recipe.stage))):
        checkpoint = newest_checkpoint(context.folder.checkpoints(stage.name))
        if not isinstance(stage, Training) or checkpoint is None:
            continue
        progress = read_progress(checkpoint)
        context.folder.rewind(progress["files"])
        context.weight_version = int(progress["weight_version"])
        context.seconds, context.cpu_seconds = progress["seconds"], progress["cpu_seconds"]
        if not progress["complete"]:
            return index, checkpoint
        # The stage is done: only its weights are needed, by whatever comes next.
        TrainingRun.start(context, stage, checkpoint)
        return index + 1, None
    context.folder.rewind({})
    return 0, None


def _is_complete(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every stage has all its rows."""
    counts = Counter(str(row["stage"]) for row in rows)
    return all(counts[stage.name] == (stage.steps if isinstance(stage, Training) else 1) for stage in recipe.stage)


def _summary(context: RunContext) -> dict[str, Any]:
    rows = context.folder.read_metrics()
    stages: list[dict[str, Any]] = []
    for stage in context.recipe.stage:
        own = [row for row in rows if row["stage"] == stage.name]
        if own:
            stages.append(
                {
                    "name": stage.name,
                    "kind": stage.kind,
                    "steps": len(own),
                    "seconds": context.seconds.get(stage.name, 0.0),
                    "cpu_seconds": context.cpu_seconds.get(stage.name, 0.0),
                }
            )
    evals = [{k: v for k, v in row.items() if k.startswith("eval/")} for row in rows if row["kind"] == "eval"]
    summary: dict[str, Any] = {
        "name": context.recipe.name,
        "seed": context.recipe.seed,
        "complete": _is_complete(context.recipe, rows),
        "threads": torch.get_num_threads(),
        "stages": stages,
    }
    if evals:
        summary["before"] = evals[0]
    if len(evals) > 1:
        summary["after"] = evals[-1]
    return summary
