"""A whole run, top to bottom."""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from assay._transformers import hide_progress_bars
from assay.errors import UnavailableError
from assay.learner.ranks import one_of_several
from assay.recipe.collect import run_collect
from assay.recipe.context import RunContext, load_problems
from assay.recipe.dataset import load_data
from assay.recipe.evaluate import run_eval
from assay.recipe.export import run_export
from assay.recipe.folder import RunFolder
from assay.recipe.grpo import run_grpo
from assay.recipe.hosts import Hosts
from assay.recipe.model import build_policy
from assay.recipe.preference import run_preference
from assay.recipe.records import mark_done, read_record, resume_point
from assay.recipe.rewards import check_scorer
from assay.recipe.schema import (
    AnyStage,
    CollectStage,
    DistillStage,
    EvalStage,
    ExportStage,
    GrpoStage,
    PreferenceStage,
    Recipe,
    SftStage,
)
from assay.recipe.schema.references import data_references
from assay.recipe.sft import run_sft
from assay.recipe.start import restore_weights
from assay.recipe.table import stage_table
from assay.recipe.tokenizer import tokenizer_json
from assay.recipe.toml import dump_recipe
from assay.recipe.track import open_trackers
from assay.recipe.training import Interrupted

if TYPE_CHECKING:
    from assay.learner.controller import Controller


def run_recipe(
    recipe: Recipe, out: Path | str | None = None, *, resume: bool = False, hosts: Hosts | None = None
) -> dict[str, Any]:
    """Carries out every stage of a recipe in a run folder.

    Args:
        recipe: From ``load_recipe``.
        out: The run folder; ``runs/NAME`` by default.
        resume: Go on from the newest checkpoint of the run in that folder. On a CPU with the same number of threads
            the rest is bit for bit what it would have been without the interruption.
        hosts: What stands outside this process, on a cluster.

    Returns:
        The summary, as ``summary.json`` holds it; under torchrun an empty one on every rank but 0, which runs the recipe.

    Raises:
        InvalidSpecError: The reward spec is not valid.
        InvalidInputError: A file, row or setting is not as it should be; the message says which.
        UnavailableError: The disk is full, or a reward server or an SGLang server does not answer.
        KeyboardInterrupt: Ctrl-C; the step in hand is checkpointed and the summary written.
    """
    hosts = hosts or Hosts()
    hide_progress_bars()
    if recipe.runtime.threads:
        torch.set_num_threads(recipe.runtime.threads)
    if not one_of_several():
        return _run(recipe, out, hosts, resume=resume, controller=None)
    from assay.learner.controller import join

    controller = join(recipe.runtime.device)
    if controller is None:
        return {}
    with closing(controller):
        return _run(recipe, out, hosts, resume=resume, controller=controller)


def _run(
    recipe: Recipe, out: Path | str | None, hosts: Hosts, *, resume: bool, controller: Controller | None
) -> dict[str, Any]:
    # Whatever may be wrong with the recipe comes out here, before there is a run folder.
    for config in (recipe.scorer, *(stage.scorer for stage in recipe.stage)):
        if config is not None:
            check_scorer(config)
    problems, policy = load_problems(recipe), build_policy(recipe)
    if controller is not None:
        policy = controller.take(policy)
    path = Path(out or Path("runs") / recipe.name)
    folder = RunFolder(path, dump_recipe(recipe), resume=resume)
    with hosts.interrupt as interrupt, closing(folder):
        folder.trackers += open_trackers(recipe.track, path, recipe.model_dump(mode="json"))
        rewards = hosts.rewards(tokenizer_json(policy.tokenizer, folder.path / "tokenizer"))
        with ExitStack() as ends:
            context = RunContext(
                recipe,
                folder,
                policy,
                hosts.generator(recipe, policy, folder.path),
                problems,
                interrupt,
                reward_servers=rewards,
                controller=controller,
            )

            def close() -> None:  # whichever it has by then: a student has one of its own
                context.generator.close()

            ends.callback(close)
            start, checkpoint = resume_point(context) if resume else (0, None)
            restore_weights(context, recipe.stage[:start])
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
    return summary


def _run_stage(context: RunContext, stage: AnyStage, checkpoint: Path | None) -> None:
    if stage.data is not None and data_references(stage.data):
        context.problems[stage.name] = load_data(stage.data, context.folder.path)
    match stage:
        case SftStage():
            run_sft(context, stage, checkpoint)
        case GrpoStage():
            run_grpo(context, stage, checkpoint)
        case DistillStage():
            if stage.student is not None:
                context.adopt(stage.student)
            run_sft(context, stage, checkpoint)
        case PreferenceStage():
            run_preference(context, stage, checkpoint)
        case ExportStage():
            run_export(context, stage)
        case CollectStage():
            run_collect(context, stage)
        case EvalStage():
            run_eval(context, stage)
    mark_done(context, stage)


def _is_complete(context: RunContext) -> bool:
    """Whether every stage is over."""
    records = [read_record(context, stage) for stage in context.recipe.stage]
    return all(record is not None and record[0]["complete"] for record in records)


def _summary(context: RunContext) -> dict[str, Any]:
    rows = context.folder.read_metrics()
    stages: list[dict[str, Any]] = []
    for stage in context.recipe.stage:
        own = [row for row in rows if row["stage"] == stage.name and row["kind"] != "alarm"]
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
        "complete": _is_complete(context),
        "threads": torch.get_num_threads(),
        "stages": stages,
    }
    if alarms := [row for row in rows if row["kind"] == "alarm"]:
        summary["alarms"] = [{key: row[key] for key in ("stage", "step", "alarm", "text")} for row in alarms]
    if table := stage_table(rows):
        summary["table"] = table
    if evals:
        summary["before"] = evals[0]
    if len(evals) > 1:
        summary["after"] = evals[-1]
    return summary
