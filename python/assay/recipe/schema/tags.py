"""Rewards for tags that nothing shows the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.recipe.schema.grpo import GrpoStage
from assay.recipe.schema.sft import SftOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Template
    from assay.recipe.schema.data import AnyData
    from assay.recipe.schema.scorer import ScorerConfig
    from assay.recipe.schema.stage import Stage


def check_tags(data: AnyData, scorer: ScorerConfig, stages: Sequence[Stage]) -> None:
    """Raises ``ValueError`` for a reward on tags that neither the template nor a demonstration ever names.

    A model that has not seen them writes them as good as never, so the reward would be 0 throughout.

    Args:
        data: The recipe's own.
        scorer: The recipe's own.
        stages: In order.
    """
    for stage in stages:
        if isinstance(stage, SftOptions):
            return
        if isinstance(stage, GrpoStage):
            template = (stage.data or data).template
            kind = _asks_for_tags(stage.scorer or scorer)
            if kind is not None and not _shows_tags(template):
                raise ValueError(
                    f"stage {stage.name!r}: its reward has {kind!r} but its template (kind = {template.kind!r}) has no "
                    '<think> tag and no stage before shows one; use template.kind = "r1", or put the tags into the text'
                )


def _asks_for_tags(scorer: ScorerConfig) -> str | None:
    for component in scorer.component:
        if component.get("kind") in ("format", "tags") and component.get("weight", 1.0):
            return str(component["kind"])
    return None


def _shows_tags(template: Template) -> bool:
    # A chat model may know them, and a template of Jinja is not ours to read.
    if template.kind in ("r1", "chat"):
        return True
    shown = [template.text or "", template.prefill, *(shot.completion for shot in template.shots)]
    return any("<think>" in text for text in shown)
