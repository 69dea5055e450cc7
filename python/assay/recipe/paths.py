"""Paths in recipes: relative to the recipe when written, absolute once read, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.data.config import Files
from assay.recipe.schema import FolderModel, GgufModel, MixtureConfig, SGLangGeneration

if TYPE_CHECKING:
    from assay.recipe.schema import Recipe, ScorerConfig


def with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """The recipe with every path taken from ``base``."""
    return recipe.model_copy(
        update={
            "data": _data(recipe.data, base),
            "model": _model(recipe.model, base),
            "scorer": _scorer(recipe.scorer, base),
            "generator": _generator(recipe.generator, base),
            "stage": [_stage(each, base) for each in recipe.stage],
        }
    )


def _stage(stage: Any, base: Path) -> Any:
    changes = {"data": _data(stage.data, base), "scorer": _scorer(stage.scorer, base)}
    # A stage may have a model of its own: a teacher, a student, a reward model to start from.
    changes |= {key: _model(getattr(stage, key), base) for key in ("model", "student") if hasattr(stage, key)}
    if getattr(stage, "reviews", None) is not None:
        changes["reviews"] = str(base / stage.reviews)
    return stage.model_copy(update=changes)


def _data(config: Any, base: Path) -> Any:
    if isinstance(config, MixtureConfig):
        return config.model_copy(update={"parts": [_data(part, base) for part in config.parts]})
    if not isinstance(config, Files):
        return config
    held_out = config.held_out_path
    paths = {"path": str(base / config.path), "held_out_path": str(base / held_out) if held_out else None}
    return config.model_copy(update=paths)


def _scorer(config: ScorerConfig | None, base: Path) -> ScorerConfig | None:
    if config is None:
        return None
    models = [
        item if item.path is None else item.model_copy(update={"path": str(base / item.path)})
        for item in config.preference
    ]
    return config.model_copy(update={"spec": str(base / config.spec) if config.spec else None, "preference": models})


def _model(config: Any, base: Path) -> Any:
    if isinstance(config, FolderModel | GgufModel) and config.path is not None:
        return config.model_copy(update={"path": str(base / Path(config.path).expanduser())})
    return config


def _generator(config: Any, base: Path) -> Any:
    if not isinstance(config, SGLangGeneration):
        return config
    changes: dict[str, object] = {}
    if config.sync.directory is not None:
        directory = str(base / Path(config.sync.directory).expanduser())
        changes["sync"] = config.sync.model_copy(update={"directory": directory})
    if config.launch is not None and "/" in (config.launch.python or ""):
        python = str(base / Path(str(config.launch.python)).expanduser())
        changes["launch"] = config.launch.model_copy(update={"python": python})
    return config.model_copy(update=changes)
