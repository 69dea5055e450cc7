"""How the processes of one learner agree. With one process there is nothing to agree on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


# Set by whoever starts several processes to train one model, with the variables of torch.distributed.
GROUP_VARIABLE = "ASSAY_LEARNER_GROUP"


def one_of_several() -> bool:
    """Whether this process is one of several that train one model: torchrun started it, or assay did on Ray."""
    started = "TORCHELASTIC_RUN_ID" in os.environ or GROUP_VARIABLE in os.environ
    return started and int(os.environ.get("WORLD_SIZE", "1")) > 1


def restarted() -> bool:
    """Whether torchrun started this process anew after another one died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


class Ranks(Protocol):
    """The processes that train one model together. Every method is called by all of them, in the same order."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def share(self, costs: Sequence[int]) -> list[int]:
        """Which items this process works on, ascending; every item goes to one process.

        Args:
            costs: Of each item; the same on every process.
        """
        ...

    def sum(self, values: dict[str, float]) -> dict[str, float]:
        """Adds up each entry over all processes; the keys may differ, and the result has all of them."""
        ...

    def max(self, values: dict[str, float]) -> dict[str, float]:
        """The largest of each entry over all processes; likewise."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, in their order."""
        ...


class Alone:
    """One process."""

    size = 1

    def share(self, costs: Sequence[int]) -> list[int]:
        """All of it."""
        return list(range(len(costs)))

    def sum(self, values: dict[str, float]) -> dict[str, float]:
        """As it is."""
        return values

    def max(self, values: dict[str, float]) -> dict[str, float]:
        """As it is."""
        return values

    def gather(self, value: Any) -> list[Any]:
        """Only this one."""
        return [value]
