"""Rank 0 of a learner over several processes: what looks like one policy and one learner, and acts on all ranks.

Rank 0 keeps the whole weights beside its shard, in the policy that the recipe made: what samples, exports and hands weights
over works on those, as with one process. After every step they are gathered into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.errors import AssayError
from assay.learner.fsdp import Blueprint, Group, Worker, follow
from assay.learner.policy import Policy
from assay.learner.state import is_sharded
from assay.learner.step import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from assay.learner.batch import TrainSequence
    from assay.learner.config import GrpoConfig
    from assay.learner.optimizer import OptimizerConfig


def join(device: str) -> Controller | None:
    """Joins the processes that torchrun or Ray started; on every rank but 0, works until the run is over.

    Args:
        device: Where the model runs, as the recipe names it.

    Returns:
        On rank 0, what the others are led by, to be closed; ``None`` on the others, when rank 0 is done.
    """
    group = Group(device)
    if group.rank == 0:
        return Controller(group)
    follow(group)
    group.close()
    return None


class Controller:
    """Says what every rank does, and does rank 0's part of it.

    Args:
        group: The processes; the others are in ``assay.learner.fsdp.follow``.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self._worker = Worker(group)
        self._in_step = True

    def call(self, name: str, *arguments: Any, only_here: dict[str, Any] | None = None, **options: Any) -> Any:
        """Calls a method of ``Worker`` on every rank; returns rank 0's result.

        Args:
            name: The method.
            arguments: Of every rank.
            only_here: Options that only rank 0 has.
            options: Of every rank.
        """
        self._in_step = False
        self.group.tell((name, arguments, options))
        try:
            found = getattr(self._worker, name)(*arguments, **options, **(only_here or {}))
        except AssayError:
            # Raised on every rank alike, before or after what they do together.
            self._in_step = True
            raise
        self._in_step = True
        return found

    def take(self, whole: Policy) -> ControlledPolicy:
        """Spreads the policy that a recipe made."""
        return ControlledPolicy(whole, self)

    def learner(self, policy: Policy, optimizer: OptimizerConfig) -> ControlledLearner:
        """Makes a learner of a policy that was spread by ``take``."""
        assert isinstance(policy, ControlledPolicy)
        return ControlledLearner(policy, optimizer)

    def close(self) -> None:
        """Lets every other rank go; they end, and so does the group.

        If rank 0 failed amid what all ranks do together, the others wait for it where they are: they are not told, but
        find their connection gone when this process ends, and whoever started them ends them.
        """
        if self._in_step:
            self.group.tell(None)
            self.group.close()


class ControlledPolicy(Policy):
    """The whole weights, on rank 0, of a policy that is trained in shards.

    Args:
        whole: The policy that the recipe made.
        controller: The ranks.
    """

    def __init__(self, whole: Policy, controller: Controller) -> None:
        self.__dict__.update(whole.__dict__)
        self.controller = controller
        controller.call("build", Blueprint.of(whole))
        controller.call("receive", only_here={"whole": self})

    def load_masters(self, tensors: dict[str, Tensor]) -> None:
        """As ``Policy.load_masters``, on all ranks."""
        super().load_masters(tensors)
        self.controller.call("receive", only_here={"whole": self})

    def load_checkpoint(self, path: Path) -> None:
        """As ``Policy.load_checkpoint``, on all ranks."""
        if not is_sharded(path):
            super().load_checkpoint(path)
            return
        self.controller.call("load", path, everything=False)
        self.controller.call("collect", only_here={"whole": self})


class ControlledLearner(Learner):
    """A learner whose every step is taken by all ranks.

    Args:
        policy: Its whole weights.
        optimizer: AdamW and its schedule.
    """

    def __init__(self, policy: ControlledPolicy, optimizer: OptimizerConfig) -> None:
        self.policy = policy
        self.reference = None
        self.optimizer_config = optimizer
        self.steps_done = 0
        self._controller = policy.controller
        self.ranks = policy.controller.group
        self._controller.call("start", optimizer)

    def set_reference(self, reference: Policy | None) -> None:
        """Spreads a reference over the ranks, or drops it."""
        self.reference = reference
        self._controller.call("refer", None if reference is None else Blueprint.of(reference))
        if reference is not None:
            self._controller.call("receive", reference=True, only_here={"whole": reference})

    def grpo_step(
        self, sequences: Sequence[TrainSequence], config: GrpoConfig, *, weight_version: int | None = None
    ) -> dict[str, float]:
        """As ``Learner.grpo_step``."""
        return self._learn("grpo_step", (sequences, config), {"weight_version": weight_version})

    def sft_step(
        self, sequences: Sequence[TrainSequence], *, token_budget: int = 8192, router_coefficient: float = 0.0
    ) -> dict[str, float]:
        """As ``Learner.sft_step``."""
        options = {"token_budget": token_budget, "router_coefficient": router_coefficient}
        return self._learn("sft_step", (sequences,), options)

    def score(
        self, sequences: Sequence[TrainSequence], *, temperature: float = 1.0, token_budget: int = 8192
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]] | None]:
        """As ``Learner.score``."""
        options = {"temperature": temperature, "token_budget": token_budget}
        return self._controller.call("learn", "score", (sequences,), options)

    def save_state(self, folder: Path) -> None:
        """Writes the shards of all ranks.

        Raises:
            OSError: A rank could not write its part.
        """
        if (failure := self._controller.call("save", folder)) is not None:
            raise OSError(failure)

    def load_state(self, path: Path, steps_done: int) -> None:
        """Reads weights and moments on all ranks."""
        self._controller.call("load", path, everything=True)
        self._controller.call("set_steps", steps_done)
        self.steps_done = steps_done
        self._controller.call("collect", only_here={"whole": self.policy})

    def _learn(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, float]:
        found: dict[str, float] = self._controller.call("learn", method, arguments, options)
        self.steps_done += 1
        self._controller.call("collect", only_here={"whole": self.policy})
        return found
