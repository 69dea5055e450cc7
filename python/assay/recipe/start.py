"""The weights that a stage starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import AutoTokenizer

from assay.errors import InvalidInputError
from assay.learner.checkpoint import newest_checkpoint
from assay.recipe.model import build_model
from assay.recipe.schema import DistillStage
from assay.recipe.schema.references import trains_policy
from assay.recipe.tokenizer import check_same_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.recipe.context import RunContext
    from assay.recipe.schema import Stage, Training


def restore_weights(context: RunContext, done: Sequence[Stage]) -> None:
    """Puts the policy, and the student if there is one, where the last of the stages that are done left it.

    Raises:
        InvalidInputError: Its checkpoint is gone, or one of another model.
    """
    students = [stage.student for stage in done if isinstance(stage, DistillStage) and stage.student is not None]
    if students:
        context.adopt(students[-1])
    for stage in reversed(done):
        if trains_policy(stage):
            _load(context, stage.name)
            context.generator.update_weights(context.weight_version, context.policy.named_tensors)
            return


def lineage(stages: Sequence[Stage], name: str) -> list[str | None]:
    """The stages whose training led to the weights that the stage ``name`` finds, newest first.

    ``None`` at the end is the recipe's own model; a student that was never the recipe's model ends the list instead.
    """
    places = {stage.name: place for place, stage in enumerate(stages)}
    found: list[str | None] = []
    place = places[name]
    while trained := next((stage for stage in reversed(stages[:place]) if trains_policy(stage)), None):
        found.append(trained.name)
        if isinstance(trained, DistillStage) and trained.student is not None:
            return found
        if trained.start == "base":
            break
        place = places[trained.name] if trained.start == "previous" else places[trained.start] + 1
    return [*found, None]


def start_weights(context: RunContext, stage: Training) -> None:
    """Puts the policy where a stage that begins wants it.

    Raises:
        InvalidInputError: The checkpoint of the stage named by ``start`` is gone, or one of another model.
    """
    if stage.start == "previous":
        return
    if stage.start == "base":
        fresh = build_model(context.recipe, context.model or context.recipe.model)
        context.policy.load_masters({name: master.detach() for name, master in fresh.masters.items()})
    else:
        _load(context, stage.start)
    # Other weights than the generator had, so another version.
    context.weight_version += 1
    context.generator.update_weights(context.weight_version, context.policy.named_tensors)


def _load(context: RunContext, name: str) -> None:
    checkpoint = newest_checkpoint(context.folder.checkpoints(name))
    if checkpoint is None:
        raise InvalidInputError(
            f"{context.folder.checkpoints(name)}: the checkpoint of stage {name!r} is gone; run that stage again"
        )
    folder = checkpoint / "model"
    check_same_tokenizer(AutoTokenizer.from_pretrained(folder, local_files_only=True), context.policy.tokenizer, folder)
    context.policy.load_checkpoint(checkpoint)
