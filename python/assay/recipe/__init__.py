"""Recipes: a whole run in one TOML file, and the loop that carries it out.

``load_recipe`` needs only the base package; ``run_recipe`` needs the extra ``train``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.recipe.schema import Recipe
from assay.recipe.toml import dump_recipe, load_recipe

if TYPE_CHECKING:
    from assay.recipe.run import run_recipe

__all__ = ["Recipe", "dump_recipe", "load_recipe", "run_recipe"]


def __getattr__(name: str) -> object:
    if name == "run_recipe":
        from assay.recipe.run import run_recipe

        return run_recipe
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
