"""What the stages that train have in common: the learner, its checkpoints, and stopping."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.learner.checkpoint import drop_old_checkpoints, load_checkpoint, save_checkpoint
from assay.learner.optimizer import OptimizerConfig
from assay.recipe.records import progress_of
from assay.recipe.start import start_weights

if TYPE_CHECKING:
    from pathlib import Path

    from assay.learner.step import Learner
    from assay.recipe.context import RunContext
    from assay.recipe.schema import Training


class Interrupted(Exception):  # noqa: N818 - not an error: the user asked for it
    """Ctrl-C: the step in hand was finished and checkpointed."""


@dataclass(slots=True)
class TrainingRun:
    """A stage in progress.

    Attributes:
        stage: Its table in the recipe.
        learner: Trains the run's policy.
        step: Steps done.
        position: The first training problem, in the order of the stage, that was not used yet.
        ahead: Those after it that were, in ascending order; some are when groups are trained on as they finish.
        checkpoint_seconds: Wall time of the last checkpoint, for the next row of metrics.
    """

    stage: Training
    learner: Learner
    step: int = 0
    position: int = 0
    ahead: list[int] = field(default_factory=list[int])
    checkpoint_seconds: float = 0.0

    def take_checkpoint_time(self) -> dict[str, float]:
        """``timing_s/checkpoint`` if there was one since the last call."""
        seconds, self.checkpoint_seconds = self.checkpoint_seconds, 0.0
        return {"timing_s/checkpoint": seconds} if seconds else {}

    @classmethod
    def start(cls, context: RunContext, stage: Training, checkpoint: Path | None) -> TrainingRun:
        """Makes the learner, and goes on from ``checkpoint`` if there is one, else from the weights ``stage.start``."""
        if checkpoint is None:
            start_weights(context, stage)
        run = cls.resume(stage, context.learner(optimizer_config(stage)), checkpoint)
        if checkpoint is not None:
            context.generator.update_weights(context.weight_version, context.policy.named_tensors)
        return run

    @classmethod
    def resume(cls, stage: Training, learner: Learner, checkpoint: Path | None) -> TrainingRun:
        """A stage at its first step, or where ``checkpoint`` left it."""
        run = cls(stage, learner)
        if checkpoint is not None:
            progress = load_checkpoint(checkpoint, learner)
            run.step, run.position = progress["step"], progress["position"]
            run.ahead = list(progress.get("ahead", []))
        return run

    def finish_step(self, context: RunContext) -> None:
        """Counts a step; checkpoints when one is due; stops if Ctrl-C was pressed.

        Raises:
            Interrupted: After the checkpoint.
            UnavailableError: The disk is full; the checkpoint before is still there.
        """
        self.step += 1
        every, last = self.stage.checkpoint_every, self.step == self.stage.steps
        if last or (every and self.step % every == 0) or context.interrupt.requested:
            self.save(context)
        if context.interrupt.requested:
            raise Interrupted

    def save(self, context: RunContext) -> None:
        """Writes a checkpoint, after bringing the rows so far to the disk."""
        progress = {
            **progress_of(context, self.stage),
            "step": self.step,
            "position": self.position,
            "ahead": self.ahead,
            "complete": self.step == self.stage.steps,
        }
        root = context.folder.checkpoints(self.stage.name)
        started = time.perf_counter()
        save_checkpoint(root / f"step-{self.step:06d}", self.learner, progress)
        drop_old_checkpoints(root, self.stage.keep_checkpoints)
        self.checkpoint_seconds = time.perf_counter() - started


def optimizer_config(stage: Training) -> OptimizerConfig:
    """The stage's optimizer, as the learner takes it."""
    return OptimizerConfig(
        lr=stage.lr,
        betas=(stage.betas[0], stage.betas[1]),
        weight_decay=stage.weight_decay,
        warmup_steps=stage.warmup_steps,
        schedule=stage.schedule,
        final_ratio=stage.final_ratio,
        total_steps=stage.steps,
        max_grad_norm=stage.max_grad_norm,
    )
