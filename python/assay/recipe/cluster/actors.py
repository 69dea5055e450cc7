"""The processes of a run on Ray. Ray starts a generator or reward server that died again, from the same arguments.

What they need (the model to start from, the tokenizer) lies in the run folder, which all nodes see. The learner puts it there
and then calls ``start``; one that is started again finds it and starts by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import AssayError, UnavailableError
from assay.recipe.folder import write_whole

if TYPE_CHECKING:
    from assay.recipe.schema import Recipe
    from assay.rollout import SamplingParams

MODEL = Path("generator") / "model"
TOKENIZER = Path("tokenizer") / "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Which process this is.

    Attributes:
        folder: The run folder, absolute; the same on all nodes.
        role: ``learner``, ``generator`` or ``rewards``.
        number: Among those of its role.
        port: Where it listens, if it does; the same after a restart.
        host: The address it listens on; its node's by default.
    """

    folder: Path
    role: str
    number: int
    port: int = 0
    host: str | None = None

    def note(self) -> str:
        """Writes who runs where into ``cluster/`` of the run folder; returns the address to listen on."""
        import ray

        node: str = ray.util.get_node_ip_address()
        (self.folder / "cluster").mkdir(parents=True, exist_ok=True)
        text = json.dumps({"role": self.role, "number": self.number, "node": node, "pid": os.getpid()})
        write_whole(self.folder / "cluster" / f"{self.role}-{self.number}.json", text + "\n")
        return self.host or node


class RewardActor:
    """A reward server, as a child that ends with this process."""

    def __init__(self, place: Place, threads: int) -> None:
        self._place, self._threads = place, threads
        self._address = f"{place.note()}:{place.port}"
        self._server: subprocess.Popen[str] | None = None
        if (place.folder / TOKENIZER).is_file():
            self.start()

    def start(self) -> str:
        """Starts the server unless it runs; returns its address.

        Raises:
            UnavailableError: It does not come up, for instance because the port is taken.
        """
        if self._server is not None and self._server.poll() is None:
            return self._address
        from assay.rollout.sglang import guard

        command = [sys.executable, "-m", "assay.cli", "serve", "--bind", self._address, "--threads", str(self._threads)]
        command += ["--tokenizer", str(self._place.folder / TOKENIZER)]
        self._server = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-I", str(guard.__file__), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._server.stdout is not None, "it is a pipe"
        line = self._server.stdout.readline()
        if not line.startswith("listening on "):
            raise UnavailableError(f"no reward server at {self._address}: it ended with {self._server.wait()}")
        return self._address


class EngineActor:
    """assay's own engine."""

    def __init__(self, place: Place, recipe: Recipe) -> None:
        self._place, self._recipe = place, recipe
        self._generator: Any = None
        self._parameters: dict[str, Any] = {}
        place.note()

    def start(self) -> None:
        """Loads the model that the learner left in the run folder, unless it is loaded."""
        if self._generator is not None:
            return
        import torch
        from transformers import AutoModelForCausalLM

        from assay.rollout import LocalGenerator

        if self._recipe.runtime.threads:
            torch.set_num_threads(self._recipe.runtime.threads)
        loaded: Any = AutoModelForCausalLM.from_pretrained(self._place.folder / MODEL, dtype=torch.float32)
        for parameter in loaded.parameters():
            parameter.data = parameter.data.to(getattr(torch, self._recipe.model.compute_dtype))
        loaded.to(self._recipe.runtime.device)
        self._parameters = dict(loaded.named_parameters())
        budget = self._recipe.runtime.token_budget
        self._generator = LocalGenerator(loaded.eval(), token_budget=budget, shares_weights=True)
        self._generator.update_weights(-1, list)

    def take(self, version: int, weights: dict[str, Any]) -> None:
        """Takes weights as arrays of bytes by name."""
        import torch

        self.start()
        with torch.no_grad():
            for name, raw in weights.items():
                own = self._parameters[name]
                own.copy_(torch.from_numpy(raw.copy()).view(own.dtype).reshape(own.shape))
        self._generator.update_weights(version, list)

    def sample(
        self, version: int, prompts: list[Any], *, group_size: int, sampling: SamplingParams, seed: int, first: int
    ) -> list[Any] | AssayError | None:
        """The groups of some prompts; ``None`` if the weights are older than ``version``, or the caller's mistake."""
        if self._generator is None or self._generator.weight_version < version:
            return None
        try:
            made = self._generator.generate(
                prompts, group_size=group_size, sampling=sampling, seed=seed, first_group_id=first
            )
            return list(made)
        except AssayError as error:
            return error


class SGLangActor:
    """An SGLang server under this process's supervision."""

    def __init__(self, place: Place, recipe: Recipe) -> None:
        self._place, self._recipe = place, recipe
        self._node = place.note()
        self._server: Any = None
        if (place.folder / MODEL).is_dir():
            self.start()

    def start(self) -> str:
        """Starts the server unless it runs, waits until it answers, and returns its address."""
        from assay.recipe.generation import launch_options
        from assay.rollout.sglang import LocalServer

        if self._server is None:
            options = launch_options(self._recipe, self._place.folder, host=self._node, port=self._place.port)
            self._server = LocalServer(options)
        self._server.wait_ready()
        return str(self._server.url)


class LearnerActor:
    """The learner: the run itself. It may be told to stop while it works."""

    def __init__(self, place: Place, recipe: Recipe, generators: list[Any], rewards: list[Any]) -> None:
        from assay.recipe.interrupt import Interrupt

        self._place, self._recipe = place, recipe
        self._generators, self._rewards = generators, rewards
        self._interrupt = Interrupt()
        place.note()

    def stop(self) -> None:
        """Finish the step in hand, checkpoint it and return."""
        self._interrupt.requested = True

    def run(self, *, resume: bool) -> dict[str, Any] | AssayError | None:
        """Carries out the recipe; returns its summary, what went wrong, or ``None`` after ``stop``."""
        from assay.recipe.cluster.generator import open_cluster_generator
        from assay.recipe.hosts import Hosts
        from assay.recipe.run import run_recipe

        def rewards(_tokenizer: Path) -> str | None:
            import ray

            addresses: list[str] = ray.get([actor.start.remote() for actor in self._rewards])
            return ",".join(addresses) or None

        hosts = Hosts(
            generator=lambda recipe, policy, folder: open_cluster_generator(recipe, policy, folder, self._generators),
            rewards=rewards,
            interrupt=self._interrupt,
        )
        try:
            return run_recipe(self._recipe, self._place.folder, resume=resume, hosts=hosts)
        except AssayError as error:
            return error
        except KeyboardInterrupt:
            return None
