"""Reinforcement learning with verifiable rewards: sample groups, score them, learn from them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from assay.learner.config import GrpoConfig
from assay.recipe.advantages import groups_with_variance, train_sequences
from assay.recipe.emergence import Watch
from assay.recipe.flow import Flow
from assay.recipe.measure import Timer, memory_metrics, utilisation
from assay.recipe.progress import StageProgress
from assay.recipe.reference import Reference
from assay.recipe.sampling import sampling_params
from assay.recipe.schedule import schedule_of
from assay.recipe.scoring import batch_metrics, merge, sample_rows, select
from assay.recipe.training import TrainingRun

if TYPE_CHECKING:
    from pathlib import Path

    from assay.recipe.context import RunContext
    from assay.recipe.schema import GrpoStage
    from assay.recipe.scoring import ScoredBatch


def run_grpo(context: RunContext, stage: GrpoStage, checkpoint: Path | None) -> None:
    """Runs the stage from its first step or from ``checkpoint``."""
    run = TrainingRun.start(context, stage, checkpoint)
    reference = Reference(context, stage) if stage.kl_coefficient else None
    if reference is not None:
        reference.start(run)
    scorer = context.scorer_of(stage)
    sampling = sampling_params(context.policy.tokenizer, stage.sampling)
    flow = Flow(context, stage, run, schedule=schedule_of(stage.pipeline), sampling=sampling, scorer=scorer)
    watch = Watch(context, stage)
    with StageProgress(stage.name, stage.steps, done=run.step) as progress, closing(flow):
        while run.step < stage.steps:
            timer, loss = Timer(), loss_config(stage, run.step + 1)
            with context.timed(stage.name):
                sampled, taught = _sample(stage, run, flow)
                with timer.phase("advantage"):
                    batch = select(sampled, taught)
                    sequences, penalty = train_sequences(batch, stage, scorer.weights, run.learner)
                with timer.phase("train"):
                    learned = run.learner.grpo_step(sequences, loss, weight_version=context.weight_version)
                flow.settle()
                flowed = flow.metrics(sampled, loss.updates)
                with timer.phase("sync"):
                    context.weight_version += loss.updates
                    context.generator.update_weights(context.weight_version, context.policy.named_tensors)
            step = run.step + 1
            tokens = sum(len(rollout.token_ids) for rollout in sampled.rollouts)
            metrics: dict[str, float] = {
                **batch_metrics(sampled),
                **learned,
                **penalty,
                "frac_zero_variance": 1.0 - len(groups_with_variance(sampled)) / len(set(sampled.group_ids.tolist())),
                "tokens_per_s": tokens / timer.total(),
                **timer.metrics(),
                **flowed,
                **run.take_checkpoint_time(),
                **utilisation(learned, timer.seconds("train"), context.policy, context.recipe.runtime),
                **memory_metrics(context.policy.device),
            }
            watch.log(sampled, metrics, step)
            advantages = np.array([np.mean(sequence.advantage) for sequence in sequences], dtype=np.float32)
            context.folder.log_samples(
                sample_rows(batch, stage=stage.name, step=step, groups=stage.sample_groups, advantages=advantages)
            )
            progress.step(metrics)
            if reference is not None:
                reference.after_step(run, step)
            run.finish_step(context)
            if reference is not None:
                reference.drop_old()


def loss_config(stage: GrpoStage, step: int) -> GrpoConfig:
    """The loss of a step, counted from 1, as the learner takes it."""
    return GrpoConfig(
        surrogate=stage.surrogate,
        clip_low=stage.clip_low,
        clip_high=stage.clip_high,
        dual_clip=stage.dual_clip,
        ratio_max=stage.ratio_max,
        kl_coefficient=stage.kl_coefficient if stage.kl_in == "loss" else 0.0,
        kl_estimator=stage.kl_estimator,
        entropy_coefficient=stage.entropy_coefficient,
        top_entropy_share=stage.top_entropy_share,
        correction=stage.correction,
        correction_low=stage.correction_low,
        correction_high=stage.correction_high,
        aggregation=stage.aggregation,
        constant_length=stage.max_new_tokens_at(step),
        mini_batches=stage.mini_batches,
        inner_epochs=stage.inner_epochs,
        router_coefficient=stage.router_coefficient,
        temperature=stage.sampling.temperature,
        token_budget=stage.token_budget,
    )


def _sample(stage: GrpoStage, run: TrainingRun, flow: Flow) -> tuple[ScoredBatch, set[int]]:
    """Takes one batch of groups; with dynamic sampling, further ones until enough groups teach something.

    Returns:
        Everything that was taken, and the groups to train on: the first ``prompts_per_step`` with variance under
        dynamic sampling (fewer if the further batches did not hold as many), else all.
    """
    batches: list[ScoredBatch] = []
    taught: list[int] = []
    for _ in range(1 + stage.dynamic_sampling):
        batches.append(flow.take(steps_left=stage.steps - run.step))
        taught = sorted(group for batch in batches for group in groups_with_variance(batch))
        if len(taught) >= stage.prompts_per_step:
            break
    sampled = merge(batches)
    everything = set(sampled.group_ids.tolist())
    # With nothing to learn from, the step is taken with advantages of 0, which leave the weights alone.
    return sampled, set(taught[: stage.prompts_per_step]) if stage.dynamic_sampling and taught else everything
