"""The frozen weights that the divergence of a GRPO stage is measured from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from assay.learner.checkpoint import atomic_folder, newest_checkpoint
from assay.learner.policy import Policy, PolicyOptions

if TYPE_CHECKING:
    from pathlib import Path

    from assay.recipe.context import RunContext
    from assay.recipe.schema import GrpoStage
    from assay.recipe.training import TrainingRun

_PREFIX = "reference-"


class Reference:
    """Keeps the reference of a run on the disk, so that a resumed run has the same one, bit for bit.

    It is the policy at the start of the stage and, with ``reference_refresh_every = n``, at each n-th step after that.
    A run that goes on from step ``s`` needs the one of the last multiple of n up to ``s``; that was written before any
    checkpoint past it. At the multiple itself the checkpoint's own weights are the reference.

    Args:
        context: The run.
        stage: Its stage.
    """

    def __init__(self, context: RunContext, stage: GrpoStage) -> None:
        self._context = context
        self._every = stage.reference_refresh_every
        self._folder = context.folder.checkpoints(stage.name)

    def start(self, run: TrainingRun) -> None:
        """Gives the learner its reference for the step that comes next."""
        step = self._since(run.step)
        if run.step == step and (step or not self._path(0).is_dir()):
            self._write(step)
        self._load(run, step)

    def after_step(self, run: TrainingRun, step: int) -> None:
        """Renews the reference if one is due after ``step``; before the checkpoint of that step is written."""
        if self._every and step % self._every == 0:
            self._write(step)
            self._load(run, step)

    def drop_old(self) -> None:
        """Removes what no run can need that goes on from the newest checkpoint."""
        newest = newest_checkpoint(self._folder)
        step = int(newest.name.removeprefix("step-")) if newest else 0
        for path in self._folder.glob(f"{_PREFIX}*"):
            if path.name < self._path(self._since(step)).name:
                shutil.rmtree(path, ignore_errors=True)

    def _since(self, step: int) -> int:
        return step - step % self._every if self._every else 0

    def _path(self, step: int) -> Path:
        return self._folder / f"{_PREFIX}{step:06d}"

    def _write(self, step: int) -> None:
        with atomic_folder(self._path(step)) as partial:
            self._context.policy.export(partial)

    def _load(self, run: TrainingRun, step: int) -> None:
        model, device = self._context.recipe.model, self._context.recipe.runtime.device
        options = PolicyOptions(compute_dtype=model.compute_dtype, layout=model.layout)
        # The old one goes first: two references need not fit into memory.
        run.learner.set_reference(None)
        run.learner.set_reference(Policy.load(self._path(step), options, device=device))
