"""Weights on their way to a server: checkpoint names, flat buckets, and the wire form of a bucket."""

from __future__ import annotations

import base64
import io
import pickle
import re
import threading
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, multiprocessing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What wrappers put into the names of a module's tensors.
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|module)\.")
# Mixture-of-experts layers whose checkpoints hold one matrix per expert, while the module holds them stacked.
_STACKED = re.compile(r"(?P<layer>.*\.experts)\.(?P<kind>gate_up_proj|down_proj)")
_STRATEGY_LOCK = threading.Lock()


@dataclass(slots=True)
class Bucket:
    """Tensors of one dtype, back to back.

    Attributes:
        names: Checkpoint names, in the order of the data.
        shapes: Their shapes.
        dtype: Their dtype; one per bucket, so that every tensor stays aligned.
        data: ``uint8[bytes]``.
    """

    names: list[str]
    shapes: list[torch.Size]
    dtype: torch.dtype
    data: Tensor

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors by name, as views of the data."""
        sizes = [shape.numel() * self.dtype.itemsize for shape in self.shapes]
        for name, shape, part in zip(self.names, self.shapes, self.data.split(sizes), strict=True):
            yield name, part.view(self.dtype).reshape(shape)


def checkpoint_tensors(named: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """The tensors as a Hugging Face checkpoint names and cuts them, which is what a server's loader reads.

    Removes the names of wrappers (compile, FSDP, checkpointing), gathers sharded tensors (a collective call: every rank
    has to iterate), leaves out a tied output embedding, and cuts stacked experts (``experts.gate_up_proj``
    ``[experts, 2 * inner, hidden]``) into one matrix per expert. Models whose checkpoints keep experts stacked
    (those with ``gate_up_proj_bias``) pass unchanged.
    """
    stacked: list[tuple[str, Tensor]] = []
    biased: set[str] = set()
    embeddings: set[int] = set()
    for raw, value in named:
        name = _WRAPPERS.sub("", raw)
        tensor = cast("Any", value).full_tensor() if hasattr(value, "full_tensor") else value
        tensor = tensor.detach()
        if name.endswith("embed_tokens.weight"):
            embeddings.add(tensor.data_ptr())
        elif name == "lm_head.weight" and tensor.data_ptr() in embeddings:
            continue
        if _STACKED.fullmatch(name) and tensor.dim() == 3:
            # Held back until the end: a bias of the same layer may follow and decides whether to cut.
            stacked.append((name, tensor))
            continue
        if name.endswith("gate_up_proj_bias"):
            biased.add(name.rpartition(".")[0])
        yield name, tensor
    for name, tensor in stacked:
        layer, kind = name.rsplit(".", 1)
        if layer in biased:
            yield name, tensor
        elif kind == "down_proj":
            yield from ((f"{layer}.{expert}.down_proj.weight", matrix) for expert, matrix in enumerate(tensor))
        else:
            for expert, matrix in enumerate(tensor):
                gate, up = matrix.chunk(2)
                yield f"{layer}.{expert}.gate_proj.weight", gate
                yield f"{layer}.{expert}.up_proj.weight", up


def shards(named: Iterable[tuple[str, Tensor]], limit: int) -> Iterator[list[tuple[str, Tensor]]]:
    """Cuts a stream of tensors into runs of one dtype of at most ``limit`` bytes (at least one tensor each)."""
    run: list[tuple[str, Tensor]] = []
    size = 0
    for name, tensor in named:
        if run and (size + tensor.nbytes > limit or tensor.dtype != run[0][1].dtype):
            yield run
            run, size = [], 0
        run.append((name, tensor))
        size += tensor.nbytes
    if run:
        yield run


def flatten(shard: list[tuple[str, Tensor]], *, device: str | None = "cpu") -> Bucket:
    """Copies a run of tensors into one bucket on ``device`` (``None``: where they are)."""
    flat = torch.cat([tensor.contiguous().flatten().view(torch.uint8) for _, tensor in shard])
    return Bucket(
        names=[name for name, _ in shard],
        shapes=[tensor.shape for _, tensor in shard],
        dtype=shard[0][1].dtype,
        data=flat if device is None else flat.to(device),
    )


def serialise(bucket: Bucket, *, shared: bool) -> str:
    """The base64 pickle that ``/update_weights_from_tensor`` takes with ``load_format="flattened_bucket"``.

    Args:
        bucket: Must be on the CPU.
        shared: Move the data into shared memory and send only its name (same machine; keep the bucket alive until
            the server has read it), instead of sending the data itself.
    """
    start = 0
    metadata: list[SimpleNamespace] = []
    for name, shape in zip(bucket.names, bucket.shapes, strict=True):
        size = shape.numel() * bucket.dtype.itemsize
        # The server reads attributes, and its unpickler's list of allowed classes has this one on every release, so
        # the learner's environment needs no sglang.
        metadata.append(
            SimpleNamespace(
                name=name, shape=shape, dtype=bucket.dtype, start_idx=start, end_idx=start + size, numel=size
            )
        )
        start += size
    payload = {"flattened_tensor": bucket.data, "metadata": metadata}
    if not shared:
        return base64.b64encode(pickle.dumps(payload)).decode()
    buffer = io.BytesIO()
    # The default strategy passes file descriptors, which only works between processes of one family: a server that
    # was not forked from here dies of it. Names in /dev/shm work for any process of the machine.
    with _STRATEGY_LOCK:
        before = multiprocessing.get_sharing_strategy()
        multiprocessing.set_sharing_strategy("file_system")
        try:
            ForkingPickler(buffer).dump(payload)
        finally:
            multiprocessing.set_sharing_strategy(before)
    return base64.b64encode(buffer.getvalue()).decode()
