"""What a run may find outside its own process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assay.recipe.generation import open_generator
from assay.recipe.interrupt import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from assay.learner.policy import Policy
    from assay.recipe.schema import Recipe
    from assay.rollout import Generator


def _here(_tokenizer: Path) -> None:
    """Rewards are computed in this process, or where the recipe says."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where the parts of a run come from; by default from this process, as its recipe says.

    Attributes:
        generator: Makes the generator, from the recipe, the policy and the run folder.
        rewards: Returns the target of the reward servers, which know the tokenizer in the file it is given; ``None`` for
            what the recipe says.
        interrupt: Told when to stop.
    """

    generator: Callable[[Recipe, Policy, Path], Generator] = open_generator
    rewards: Callable[[Path], str | None] = _here
    interrupt: Interrupt = field(default_factory=Interrupt)
