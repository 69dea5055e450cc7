"""Reinforcement learning with verifiable rewards: sample groups, score them, learn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import assay
from assay._transformers import end_token_id
from assay.errors import InvalidInputError
from assay.learner.batch import TrainSequence
from assay.learner.checkpoint import atomic_folder
from assay.learner.policy import Policy
from assay.learner.step import GrpoConfig
from assay.recipe.context import derive_seed, order
from assay.recipe.measure import Timer, peak_memory_bytes
from assay.recipe.progress import StageProgress
from assay.recipe.scoring import batch_metrics, sample_rows, score_groups
from assay.recipe.training import TrainingRun
from assay.rollout import SamplingParams

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from assay.recipe.context import RunContext
    from assay.recipe.rewards import StageScorer
    from assay.recipe.schema import GrpoStage, Sampling
    from assay.recipe.scoring import ScoredBatch


def run_grpo(context: RunContext, stage: GrpoStage, checkpoint: Path | None) -> None:
    """Runs the stage from its first step or from ``checkpoint``."""
    tasks = context.problems[stage.name].train
    run = TrainingRun.start(context, stage, checkpoint)
    run.learner.reference = _reference(context, stage)
    scorer, sampling = context.scorer_of(stage), sampling_params(context, stage.sampling)
    loss = GrpoConfig(
        clip_low=stage.clip_low,
        clip_high=stage.clip_high,
        kl_coefficient=stage.kl_coefficient,
        aggregation=stage.aggregation,
        constant_length=stage.sampling.max_new_tokens,
        inner_epochs=stage.inner_epochs,
        temperature=stage.sampling.temperature,
        token_budget=stage.token_budget,
    )
    prompt_order = derive_seed(context.recipe.seed, stage.name, "order")
    with StageProgress(stage.name, stage.steps, done=run.step) as progress:
        while run.step < stage.steps:
            timer = Timer()
            with context.timed(stage.name):
                picked = [tasks[i] for i in order(len(tasks), prompt_order, run.position, stage.prompts_per_step)]
                with timer.phase("generate"):
                    groups = context.generator.generate(
                        context.prompt_ids(picked, stage),
                        group_size=stage.group_size,
                        sampling=sampling,
                        seed=derive_seed(context.recipe.seed, stage.name, "sample", run.step),
                        first_group_id=run.position,
                    )
                    groups = sorted(groups, key=lambda group: group.group_id)
                with timer.phase("score"):
                    batch = score_groups(groups, picked, scorer, context.policy.tokenizer)
                with timer.phase("advantage"):
                    advantages = _advantages(batch, stage, scorer)
                with timer.phase("train"):
                    learned = run.learner.grpo_step(_sequences(batch, advantages), loss)
                    context.weight_version += stage.inner_epochs
                    context.generator.update_weights(context.weight_version, context.policy.named_tensors)
            run.position += len(picked)
            step = run.step + 1
            tokens = sum(len(rollout.token_ids) for rollout in batch.rollouts)
            metrics: dict[str, float] = {
                **batch_metrics(batch),
                **learned,
                "frac_zero_variance": _zero_variance(batch, advantages),
                "tokens_per_s": tokens / timer.total(),
                **timer.metrics(),
                **run.take_checkpoint_time(),
                "peak_memory_bytes": float(peak_memory_bytes()),
            }
            row = {"stage": stage.name, "kind": "grpo", "step": step, "time_s": context.seconds[stage.name]}
            context.folder.log({**row, **metrics})
            context.folder.log_samples(
                sample_rows(batch, stage=stage.name, step=step, groups=stage.sample_groups, advantages=advantages)
            )
            progress.step(metrics)
            run.finish_step(context)


def sampling_params(context: RunContext, sampling: Sampling) -> SamplingParams:
    """The sampling table with its stop tokens looked up.

    Raises:
        InvalidInputError: A stop text is not one token of this tokenizer.
    """
    tokenizer = context.policy.tokenizer
    stops = [end_token_id(tokenizer)]
    for text in sampling.stop:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise InvalidInputError(
                f"sampling.stop: {text!r} is {len(ids)} tokens in this tokenizer; give single tokens"
            )
        stops.append(ids[0])
    return SamplingParams(
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop_token_ids=tuple(stops),
    )


def _reference(context: RunContext, stage: GrpoStage) -> Policy | None:
    """The weights at the start of the stage, kept on the disk so that a resumed run has the same ones."""
    if not stage.kl_coefficient:
        return None
    folder = context.folder.checkpoints(stage.name) / "reference"
    if not folder.is_dir():
        with atomic_folder(folder) as partial:
            context.policy.export(partial)
    model = context.recipe.model
    return Policy.load(folder, compute_dtype=model.compute_dtype, device=context.recipe.runtime.device)


def _advantages(batch: ScoredBatch, stage: GrpoStage, scorer: StageScorer) -> NDArray[np.float32]:
    if stage.advantage == "gdpo":
        return assay.group_advantages(batch.scores.components, batch.group_ids, kind="gdpo", weights=scorer.weights)
    return assay.group_advantages(batch.scores.total, batch.group_ids, kind=stage.advantage)


def _sequences(batch: ScoredBatch, advantages: NDArray[np.float32]) -> list[TrainSequence]:
    return [
        TrainSequence(rollout.group_id, rollout.prompt_ids, rollout.token_ids, rollout.logprobs, float(advantage))
        for rollout, advantage in zip(batch.rollouts, advantages, strict=True)
    ]


def _zero_variance(batch: ScoredBatch, advantages: NDArray[np.float32]) -> float:
    """Share of groups that teach nothing, because every advantage in them is 0."""
    ids = batch.group_ids
    learning = {int(group) for group, advantage in zip(ids, advantages, strict=True) if advantage != 0}
    return 1.0 - len(learning) / len(set(ids.tolist()))
