"""What is done: one record per stage that is over, so that a resumed run repeats nothing it need not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assay.errors import InvalidInputError
from assay.learner.checkpoint import newest_checkpoint, read_progress
from assay.recipe.folder import write_whole
from assay.recipe.schema import Training

if TYPE_CHECKING:
    from pathlib import Path

    from assay.recipe.context import RunContext
    from assay.recipe.schema import Stage


def progress_of(context: RunContext, stage: Stage) -> dict[str, Any]:
    """What every record of a stage holds; brings the rows so far to the disk."""
    return {
        "stage": stage.name,
        "weight_version": context.weight_version,
        "seconds": context.seconds,
        "cpu_seconds": context.cpu_seconds,
        "files": context.folder.flush(),
    }


def mark_done(context: RunContext, stage: Stage) -> None:
    """Notes that a stage is over. One that trains has its last checkpoint for that.

    Raises:
        UnavailableError: The disk is full; the stage will be repeated.
    """
    if isinstance(stage, Training):
        return
    folder = context.folder.path / "stages"
    folder.mkdir(exist_ok=True)
    write_whole(folder / f"{stage.name}.json", json.dumps({**progress_of(context, stage), "complete": True}) + "\n")


def read_record(context: RunContext, stage: Stage) -> tuple[dict[str, Any], Path | None] | None:
    """How far a stage has come, and the checkpoint to go on from; ``None`` if it has left no trace.

    Raises:
        InvalidInputError: The record cannot be read.
    """
    if isinstance(stage, Training):
        checkpoint = newest_checkpoint(context.folder.checkpoints(stage.name))
        return None if checkpoint is None else (read_progress(checkpoint), checkpoint)
    path = context.folder.path / "stages" / f"{stage.name}.json"
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8")), None
    except ValueError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error}); remove it to repeat the stage") from error


def resume_point(context: RunContext) -> tuple[int, Path | None]:
    """The stage to go on with and the checkpoint to go on from, after undoing what came later than it."""
    for index, stage in reversed(list(enumerate(context.recipe.stage))):
        record = read_record(context, stage)
        if record is None:
            continue
        progress, checkpoint = record
        context.folder.rewind(progress["files"])
        context.weight_version = int(progress["weight_version"])
        context.seconds, context.cpu_seconds = progress["seconds"], progress["cpu_seconds"]
        return (index + 1, None) if progress["complete"] else (index, checkpoint)
    context.folder.rewind({})
    return 0, None
