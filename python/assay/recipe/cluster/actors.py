"""The processes of a run on Ray. Ray starts a generator or reward server that died again, from the same arguments.

What they need (the model to start from, the tokenizer) lies in the run folder, which all nodes see. The learner puts it there
and then calls ``start``; one that is started again finds it and starts by itself.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import _guarded
from assay.errors import AssayError, UnavailableError
from assay.learner.ranks import GROUP_VARIABLE
from assay.recipe.folder import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.recipe.schema import Recipe
    from assay.rollout import SamplingParams

MODEL = Path("generator") / "model"
TOKENIZER = Path("tokenizer") / "tokenizer.json"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Place:
    """Which process this is.

    Attributes:
        folder: The run folder, absolute; the same on all nodes.
        role: ``learner``, ``generator`` or ``rewards``.
        number: Among those of its role; of a learner its rank.
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
        self._server: subprocess.Popen[bytes] | None = None
        self._closing = False
        if (place.folder / TOKENIZER).is_file():
            self.start()

    def start(self) -> str:
        """Starts the server unless it runs; returns its address.

        Raises:
            UnavailableError: It does not come up, for instance because the port is taken.
        """
        if self._server is not None and self._server.poll() is None:
            return self._address
        command = [sys.executable, "-m", "assay.cli", "serve", "--bind", self._address, "--threads", str(self._threads)]
        command += ["--tokenizer", str(self._place.folder / TOKENIZER)]
        # Everything inside a Ray cluster travels unencrypted, and whoever is in it may run anything.
        command += ["--insecure-public"]
        status = 0
        for attempt in range(_ATTEMPTS):
            # The server of an actor that was killed may need a moment to give up the port.
            time.sleep(attempt)
            self._server = _guarded.start(command, stdout=subprocess.PIPE)
            assert self._server.stdout is not None, "it is a pipe"
            if self._server.stdout.readline().startswith(b"listening on "):
                threading.Thread(target=self._watch, args=(self._server,), name="reward-server", daemon=True).start()
                return self._address
            status = self._server.wait()
        raise UnavailableError(f"no reward server at {self._address}: it ended with {status}")

    def close(self) -> None:
        """Ends the server after the requests in flight."""
        self._closing = True
        if self._server is not None:
            _guarded.end(self._server)

    def _watch(self, server: subprocess.Popen[bytes]) -> None:
        server.wait()
        if not self._closing:
            # Ray starts an actor that died again, and the server with it.
            os._exit(1)


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

    def close(self) -> None:
        """Ends the server."""
        if self._server is not None:
            self._server.close()


class LearnerActor:
    """A process of the learner. The first carries out the run; it may be told to stop while it works.

    Args:
        place: Which of them it is.
        recipe: What to carry out.
        generators: Handles of the processes that sample; of the first only.
        rewards: Handles of the reward servers; of the first only.
    """

    def __init__(
        self, place: Place, recipe: Recipe, generators: Sequence[Any] = (), rewards: Sequence[Any] = ()
    ) -> None:
        from assay.recipe.interrupt import Interrupt

        self._place, self._recipe = place, recipe
        self._generators, self._rewards = generators, rewards
        self._interrupt = Interrupt()
        self._address = place.note()

    def meeting(self) -> tuple[str, int]:
        """The host and a free port of this process, where all processes of the learner find each other."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((self._address, 0))
            return self._address, int(probe.getsockname()[1])

    def stop(self) -> None:
        """Finish the step in hand, checkpoint it and return."""
        self._interrupt.requested = True

    def run(self, *, resume: bool, meeting: tuple[str, int] | None = None) -> dict[str, Any] | AssayError | None:
        """Carries out the recipe, or this process's part of it.

        Args:
            resume: Go on from the newest checkpoint.
            meeting: Where the processes of the learner meet, if there are several.

        Returns:
            The summary (an empty one of all processes but the first), what went wrong, or ``None`` after ``stop``.
        """
        from assay.recipe.cluster.generator import open_cluster_generator
        from assay.recipe.hosts import Hosts
        from assay.recipe.run import run_recipe

        if meeting is not None:
            join_ranks(self._place.number, self._recipe.cluster.learners, meeting)

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


def join_ranks(rank: int, size: int, meeting: tuple[str, int]) -> None:
    """Sets the variables by which torch.distributed, and assay, know that this process is one of several."""
    host, port = meeting
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        # Ray shows each process its own devices only, the first of which is number 0.
        "LOCAL_RANK": "0",
        "MASTER_ADDR": host,
        "MASTER_PORT": str(port),
        GROUP_VARIABLE: f"{host}:{port}",
    }
    if host == "127.0.0.1" and Path("/sys/class/net/lo").exists():
        # On one machine nothing has to be heard from outside.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
