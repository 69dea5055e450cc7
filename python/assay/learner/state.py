"""The tensors of a learner on the disk: float32 weights and optimizer moments, whole or in shards.

One process writes ``model/`` (a Hugging Face folder) and ``optimizer.safetensors``, with adapters also
``adapter.safetensors``. Several write ``shards/`` (torch.distributed.checkpoint) in the place of the latter two, each its
own part. Either can be read by any number of processes, bit for bit.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from assay.learner.policy import Policy
    from assay.learner.step import Learner

MODEL = "model"
_OPTIMIZER, _ADAPTER, _SHARDS = "optimizer.safetensors", "adapter.safetensors", "shards"
_WEIGHT = "weight"


def save_whole(folder: Path, learner: Learner) -> None:
    """Writes what ``model/`` does not hold: the optimizer's moments, and adapters unmerged."""
    save_file(_moments(learner), folder / _OPTIMIZER)
    masters = learner.policy.masters
    if any("lora_" in name for name in masters):
        save_file({name: master.detach().cpu() for name, master in masters.items()}, folder / _ADAPTER)


def save_shards(folder: Path, learner: Learner) -> None:
    """Writes this process's part of weights and moments; every process of the learner calls it.

    Raises:
        OSError: A process could not write its part.
    """
    weights = {f"{_WEIGHT}/{name}": master.detach() for name, master in learner.policy.masters.items()}
    try:
        save_distributed({**weights, **_moments(learner, keep=True)}, checkpoint_id=folder / _SHARDS)
    except CheckpointException as error:
        causes = [str(failure[0]) for failure in error.failures.values()]
        raise OSError(causes[0] if causes else str(error)) from error


def is_sharded(path: Path) -> bool:
    """Whether several processes wrote a checkpoint."""
    return (path / _SHARDS).is_dir()


def load_weights(path: Path, policy: Policy) -> None:
    """Puts the weights of a checkpoint into a policy, whoever wrote it.

    Raises:
        InvalidInputError: The folder is not a checkpoint, or one of another model.
    """
    if is_sharded(path):
        _read_shards(path, {f"{_WEIGHT}/{name}": master.detach() for name, master in policy.masters.items()})
        policy.publish()
        return
    try:
        if (path / _ADAPTER).is_file():
            tensors = load_file(path / _ADAPTER)
        else:
            # Through transformers, which knows how each model's saved names map to its own.
            kind = type(policy.model)
            if issubclass(kind, FSDPModule):  # sharding puts a class of its own before the model's
                kind = kind.__bases__[1]
            model = kind.from_pretrained(path / MODEL, dtype=torch.float32, local_files_only=True)
            tensors = {name: parameter.detach() for name, parameter in model.named_parameters()}
    except (OSError, ValueError, SafetensorError) as error:
        msg = f"{path / MODEL}: cannot be loaded ({error}); resume from another checkpoint"
        raise InvalidInputError(msg) from error
    policy.load_masters(tensors)


def load_state(path: Path, learner: Learner) -> None:
    """Puts weights and moments of a checkpoint into a learner, whoever wrote it.

    Raises:
        InvalidInputError: The folder is not a checkpoint, or one of another model.
    """
    load_weights(path, learner.policy)
    if is_sharded(path):
        _load_sharded_moments(path, learner)
        return
    tensors = load_file(path / _OPTIMIZER)
    for name, master in learner.policy.masters.items():
        found = {key.split("/", 1)[0]: value for key, value in tensors.items() if key.split("/", 1)[1] == name}
        if found:
            learner.optimizer.state[master] = {
                kind: value if kind == "step" else like(master, value) for kind, value in found.items()
            }


def like(master: Tensor, whole: Tensor) -> Tensor:
    """A whole tensor laid out as ``master`` is: on its device and, of a sharded one, this process's part.

    Every process has the whole tensor, so that nothing is sent.
    """
    if isinstance(master, DTensor):
        local = whole.to(master.device_mesh.device_type)
        return distribute_tensor(local, master.device_mesh, master.placements, src_data_rank=None)
    return whole.to(master.device)


def _moments(learner: Learner, *, keep: bool = False) -> dict[str, Tensor]:
    """``KIND/NAME`` of every moment; on the CPU unless they are to be kept as they are."""
    tensors: dict[str, Tensor] = {}
    for name, master in learner.policy.masters.items():
        for kind, value in cast("Mapping[str, Tensor]", learner.optimizer.state.get(master, {})).items():
            tensors[f"{kind}/{name}"] = value.detach() if keep else value.detach().cpu().contiguous()
    return tensors


def _load_sharded_moments(path: Path, learner: Learner) -> None:
    saved = FileSystemReader(path / _SHARDS).read_metadata().state_dict_metadata
    masters = learner.policy.masters
    wanted: dict[str, Tensor] = {}
    for key in saved:
        kind, name = key.split("/", 1)
        if kind != _WEIGHT and name in masters:
            wanted[key] = torch.zeros(()) if kind == "step" else torch.zeros_like(masters[name].detach())
    if wanted:
        _read_shards(path, wanted)
    for key, value in wanted.items():
        kind, name = key.split("/", 1)
        learner.optimizer.state[masters[name]][kind] = value


def _read_shards(path: Path, tensors: dict[str, Tensor]) -> None:
    """Fills tensors in place from the shards of any number of processes."""
    state: dict[str, Any] = dict(tensors)
    try:
        with warnings.catch_warnings():
            # One process reads what several wrote, which is meant.
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")
            load_distributed(state, checkpoint_id=path / _SHARDS)
    except (CheckpointException, OSError, RuntimeError, ValueError) as error:
        msg = f"{path / _SHARDS}: cannot be loaded ({str(error).splitlines()[0]}); resume from another checkpoint"
        raise InvalidInputError(msg) from error
