"""The learner over several processes: FSDP2 under torchrun or Ray.

Weights, gradients and optimizer moments are sharded over the processes (``fully_shard``, one group a decoder layer), and
each process trains on its part of every mini-batch, so that memory and time of a step both shrink. Losses are weighted by
the tokens of the whole step, not of a process, and so are those of one process, up to the rounding of other orders of
summation.

Rank 0 carries out the recipe; the other ranks only do what it tells them (``follow``). What is told travels as a command over a
gloo group, so nothing about the loop, its threads or its errors has to be the same on every rank.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

import assay
from assay.learner.policy import Policy, PolicyOptions, TokenOutputs
from assay.learner.ranks import GROUP_VARIABLE
from assay.learner.state import like, load_state, load_weights, save_shards
from assay.learner.step import Learner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedModel

    from assay.learner.batch import Block, TrainSequence
    from assay.learner.optimizer import OptimizerConfig

# A rank waits for its next command as long as rank 0 samples and scores; a rank that died is noticed at once.
_PATIENCE = timedelta(days=7)


class Group:
    """The processes of one learner (see ``Ranks``), and how they exchange tensors.

    Args:
        device: Where the model runs, as the recipe names it; ``cuda`` becomes this process's own.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda":
            self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(self.device)
        dist.init_process_group("cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo")
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._control = cast("dist.ProcessGroup", dist.new_group(backend="gloo", timeout=_PATIENCE))
        self.mesh = init_device_mesh(self.device.type, (self.size,))

    def share(self, costs: Sequence[int]) -> list[int]:
        """This process's part of items whose costs are balanced over all."""
        return assay.balance(costs, self.size)[self.rank].tolist()

    def sum(self, values: dict[str, float]) -> dict[str, float]:
        """Adds up in the order of ranks, so that every process has the same result bit for bit."""
        total: dict[str, float] = {}
        for theirs in self.gather(values):
            for name, value in theirs.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def max(self, values: dict[str, float]) -> dict[str, float]:
        """The largest of each."""
        largest: dict[str, float] = {}
        for theirs in self.gather(values):
            for name, value in theirs.items():
                largest[name] = max(largest.get(name, value), value)
        return largest

    def gather(self, value: Any) -> list[Any]:
        """The value of every process."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value, group=self._control)
        return found

    def tell(self, command: Any = None) -> Any:
        """Hands what rank 0 says to every rank."""
        said = [command]
        dist.broadcast_object_list(said, src=0, group=self._control)
        return said[0]

    def close(self) -> None:
        """Ends the group; every process calls it."""
        dist.destroy_process_group()


class Blueprint(NamedTuple):
    """What a rank builds its part of a model from; the weights come from rank 0.

    Attributes:
        config: The transformers configuration.
        options: How the policy computes.
        plain_head: Whether logits are the product of hidden states and the output embedding.
    """

    config: Any
    options: PolicyOptions
    plain_head: bool

    @classmethod
    def of(cls, policy: Policy) -> Blueprint:
        """Of a whole policy."""
        # A prompt that is shared is a second forward of every layer; its weights would have to be gathered twice.
        layout = "packed" if policy.layout == "shared" else policy.layout
        return cls(policy.model.config, policy.options._replace(layout=layout), policy.plain_head)


class ShardedPolicy(Policy):
    """A policy whose weights are spread over the processes of a group.

    Float32 shards are the master weights; with ``compute_dtype = "bfloat16"`` they are rounded as they are gathered, and
    gradients are reduced in float32.

    Args:
        plan: What to build.
        group: The processes.
    """

    def __init__(self, plan: Blueprint, group: Group) -> None:
        # No memory is touched for weights that are about to come from rank 0.
        with no_init_weights(), torch.device(group.device):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(plan.config, dtype=torch.float32)
        model.tie_weights()  # left out together with the first weights
        low = plan.options.compute_dtype == "bfloat16"
        whole = plan.options._replace(compute_dtype="float32")
        super().__init__(model, cast("Any", None), whole, plain_head=plan.plain_head)
        precision = MixedPrecisionPolicy(torch.bfloat16 if low else None, torch.float32)
        # Transformers' own list of what belongs together.
        kinds = set[str](getattr(model, "_no_split_modules", None) or ())
        for module in model.modules():
            if type(module).__name__ in kinds:
                fully_shard(module, mesh=group.mesh, mp_policy=precision)
        fully_shard(model, mesh=group.mesh, mp_policy=precision)
        whole_model: Any = model
        whole_model.assay_logprobs = MethodType(_logprobs_of(self), model)
        register_fsdp_forward_method(model, "assay_logprobs")
        self.masters = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def logprobs(
        self,
        sequences: Sequence[TrainSequence],
        blocks: Sequence[Block],
        *,
        temperature: float = 1.0,
        router: bool = False,
    ) -> TokenOutputs:
        """As ``Policy.logprobs``; every process of the group calls it at the same time."""
        model: Any = self.model
        return TokenOutputs(*model.assay_logprobs(sequences, blocks, temperature, router))

    def load_masters(self, tensors: dict[str, Tensor]) -> None:
        """As ``Policy.load_masters``, of whole tensors that every process has."""
        super().load_masters({name: like(self.masters[name], t) for name, t in tensors.items() if name in self.masters})


def _logprobs_of(policy: ShardedPolicy) -> Any:
    # Weights are gathered when the model is entered, so the head has to be used inside of it.
    def logprobs(_model: nn.Module, sequences: Any, blocks: Any, temperature: float, router: bool) -> tuple[Any, ...]:
        return tuple(Policy.logprobs(policy, sequences, blocks, temperature=temperature, router=router))

    return logprobs


class Worker:
    """What every rank does, rank 0 among them, when rank 0 says so.

    Args:
        group: The processes.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.policy: ShardedPolicy | None = None
        self.learner: Learner | None = None

    def build(self, plan: Blueprint) -> None:
        """Makes this rank's part of the policy, without its weights."""
        self.policy = ShardedPolicy(plan, self.group)

    def start(self, optimizer: OptimizerConfig) -> None:
        """Makes the learner of a stage."""
        assert self.policy is not None
        self.learner = Learner(self.policy, optimizer, ranks=self.group)

    def refer(self, plan: Blueprint | None) -> None:
        """Makes the reference of the learner, without its weights, or drops it."""
        assert self.learner is not None
        self.learner.reference = None if plan is None else ShardedPolicy(plan, self.group)

    def learn(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Calls a method of the learner."""
        assert self.learner is not None
        return getattr(self.learner, method)(*arguments, **options)

    def receive(self, whole: Policy | None = None, *, reference: bool = False) -> None:
        """Takes every weight from rank 0, which has them all in ``whole``."""
        policy = self.learner.reference if reference and self.learner is not None else self.policy
        assert policy is not None
        theirs = None if whole is None else whole_tensors(whole)
        for name, parameter in policy.model.named_parameters():
            full = torch.empty(parameter.shape, dtype=torch.float32, device=self.group.device)
            if theirs is not None:
                full.copy_(theirs[name])
            dist.broadcast(full, src=0)
            with torch.no_grad():
                parameter.copy_(like(parameter, full))

    def set_steps(self, steps_done: int) -> None:
        """Sets the count that the learning rate follows."""
        assert self.learner is not None
        self.learner.steps_done = steps_done

    def collect(self, whole: Policy | None = None) -> None:
        """Gives every trained weight to rank 0, which keeps them in ``whole``."""
        assert self.policy is not None
        for name, master in self.policy.masters.items():
            full: Tensor = cast("Any", master.detach()).full_tensor()
            if whole is not None:
                with torch.no_grad():
                    whole.masters[name].copy_(full)
        if whole is not None:
            whole.publish()

    def save(self, folder: Path) -> str | None:
        """Writes this rank's shards; returns what went wrong anywhere."""
        assert self.learner is not None
        try:
            save_shards(folder, self.learner)
        except OSError as error:
            return str(error)
        return None

    def load(self, path: Path, *, everything: bool) -> None:
        """Reads this rank's shards, with or without the moments."""
        if everything:
            assert self.learner is not None
            load_state(path, self.learner)
        else:
            assert self.policy is not None
            load_weights(path, self.policy)


def whole_tensors(policy: Policy) -> dict[str, Tensor]:
    """Every parameter of a whole policy, trained or not, in the best precision there is."""
    return {name: policy.masters.get(name, parameter).detach() for name, parameter in policy.model.named_parameters()}


def follow(group: Group) -> None:
    """Does what rank 0 says until it says that the run is over.

    Ctrl-C is rank 0's to handle: it finishes its step, which needs every rank. (Ray passes on no Ctrl-C.)
    """
    if GROUP_VARIABLE not in os.environ:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    worker = Worker(group)
    while (command := group.tell()) is not None:
        name, arguments, options = command
        try:
            getattr(worker, name)(*arguments, **options)
        except assay.AssayError:
            # The same happened on rank 0, whose run it is: it goes on, or says that it is over.
            continue
