"""Supervised fine-tuning: the cold start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from assay._transformers import end_token_id
from assay.errors import InvalidInputError
from assay.learner.batch import TrainSequence
from assay.recipe.encode import check_writable, encode
from assay.recipe.order import derive_seed, order
from assay.recipe.progress import StageProgress
from assay.recipe.training import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.data import Task
    from assay.recipe.context import RunContext
    from assay.recipe.schema import SftOptions

# Demonstrations that are looked at for characters the tokenizer cannot write.
_CHECKED = 64


def run_sft(context: RunContext, stage: SftOptions, checkpoint: Path | None) -> None:
    """Trains on demonstrations, each shown once before any is shown twice.

    Raises:
        InvalidInputError: A row has no demonstration.
    """
    tasks = context.problems[stage.name].train
    run = TrainingRun.start(context, stage, checkpoint)
    seed = derive_seed(context.recipe.seed, stage.name, "order")
    first = [text for task in tasks[:_CHECKED] if isinstance(text := task.metadata.get(stage.completion_field), str)]
    check_writable(context.policy.tokenizer, first, f"stage {stage.name!r}: {tasks[0].source}")
    with StageProgress(stage.name, stage.steps, done=run.step) as progress:
        while run.step < stage.steps:
            with context.timed(stage.name):
                started = time.perf_counter()
                picked = [tasks[i] for i in order(len(tasks), seed, run.position, stage.batch_size)]
                sequences = _demonstrations(context, stage, picked)
                metrics = run.learner.sft_step(
                    sequences, token_budget=stage.token_budget, router_coefficient=stage.router_coefficient
                )
                context.weight_version += 1
                run.position += len(picked)
                spent = time.perf_counter() - started
            metrics["tokens_per_s"] = metrics["train/tokens"] / spent
            metrics |= run.take_checkpoint_time()
            row = {"stage": stage.name, "kind": "sft", "step": run.step + 1, "time_s": context.seconds[stage.name]}
            context.folder.log({**row, **metrics})
            progress.step(metrics)
            run.finish_step(context)
    context.generator.update_weights(context.weight_version, context.policy.named_tensors)


def _demonstrations(context: RunContext, stage: SftOptions, tasks: Sequence[Task]) -> list[TrainSequence]:
    texts: list[str] = []
    for task in tasks:
        text = task.metadata.get(stage.completion_field)
        if not isinstance(text, str) or not text:
            raise InvalidInputError(
                f"{task.source}: row {task.id} has no text in {stage.completion_field!r}, the completion_field of "
                f"stage {stage.name!r}"
            )
        texts.append(text)
    tokenizer = context.policy.tokenizer
    end = np.array([end_token_id(tokenizer)], dtype=np.uint32)
    prompts = context.prompt_ids(tasks, stage)
    completions = encode(tokenizer, texts, special=False)
    # Every demonstration is a group of its own: two rows may share a prompt, but nothing is gained by finding out.
    return [
        TrainSequence(row, prompt, np.concatenate([completion, end]), None, 0.0)
        for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
    ]
