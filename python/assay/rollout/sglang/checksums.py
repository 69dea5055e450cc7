"""Whether a server holds a learner's weights: its per-tensor checksums, computed again from the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

Bytes: TypeAlias = NDArray[np.uint8]
Digest: TypeAlias = Callable[[Sequence[Bytes]], str]

# What SGLang's modules fuse (output rows in this order), by the names of the checkpoint.
_FUSED = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
    "fused_qkv_a_proj_with_mqa": ("q_a_proj", "kv_a_proj_with_mqa"),
}
_VOCABULARY_PADDING = 64
_TILE = 8192
_TILES_AT_ONCE = 128


@dataclass(slots=True)
class Comparison:
    """Outcome of comparing a server's checksums with weights.

    Attributes:
        equal: Tensors of the server with exactly these weights.
        different: Names of the server's tensors that differ.
        unknown: Names that could not be derived from the weights (buffers, layouts that are not known here).
    """

    equal: int = 0
    different: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])


def compare(checksums: Mapping[str, str], weights: Mapping[str, Tensor], *, device: str) -> Comparison:
    """Compares a server's per-tensor checksums (one rank, not sharded) with weights by checkpoint name.

    The server may serve in a narrower dtype than the weights are kept in, so each tensor may match in its own dtype or
    in a cast to bfloat16, float16 or float32.

    Args:
        checksums: 16 hex digits by the server's own tensor names, in which projections and experts are fused.
        weights: By checkpoint names.
        device: Where the server computed them; SGLang has one digest for ``cuda`` and one for everything else.
    """
    digest = word_digest if device == "cuda" else sha256_digest
    outcome = Comparison()
    for name, checksum in checksums.items():
        parts = _parts(name, weights)
        if parts is None:
            outcome.unknown.append(name)
        elif any(
            digest(content) == checksum
            for content in _contents(parts, padded="embed_tokens" in name or "lm_head" in name)
        ):
            outcome.equal += 1
        else:
            outcome.different.append(name)
    return outcome


def sha256_digest(content: Sequence[Bytes]) -> str:
    """The first 8 bytes of the SHA-256 of the tensor's bytes: SGLang's checksum on a CPU."""
    hasher = hashlib.sha256()
    for part in content:
        hasher.update(part.data)
    return hasher.hexdigest()[:16]


def word_digest(content: Sequence[Bytes]) -> str:
    """SGLang's checksum on a GPU: every 32-bit word mixed with its position, summed over tiles of 8,192 words.

    The mixers are the finalisers of MurmurHash3 (32 bit) and SplitMix64; positions, seeds and tiling are those of
    ``gpu_tensor_hash`` in SGLang 0.5.23.
    """
    raw = np.concatenate(content) if content else np.zeros(0, dtype=np.uint8)
    if not raw.size:
        return f"{0:016x}"
    words = np.concatenate([raw, np.zeros(-raw.size % 4, dtype=np.uint8)]).view("<u4")
    seed = 0x243F6A88
    seeds = (seed, ((seed * 0x9E3779B1) ^ 0xDEADBEEF) & 0xFFFFFFFF)
    size = np.uint32(words.size * 4 & 0xFFFFFFFF)
    total = 0
    step = _TILE * _TILES_AT_ONCE
    for start in range(0, words.size, step):
        chunk = words[start : start + step]
        position = np.arange(start, start + chunk.size, dtype=np.uint64).astype(np.uint32)
        edges = np.arange(0, chunk.size, _TILE)
        halves: list[NDArray[np.uint64]] = []
        for multiplier, shift, offset in ((0x27D4EB2D, 15, seeds[0]), (0x165667B1, 13, seeds[1])):
            place = position * np.uint32(multiplier) + np.uint32(offset)
            place ^= (position << np.uint32(shift)) | (position >> np.uint32(32 - shift))
            sums = np.add.reduceat(_mix32(chunk ^ place), edges, dtype=np.uint32)
            halves.append(_mix32(sums ^ size).astype(np.uint64))
        total += int(((halves[0] << np.uint64(32)) | halves[1]).sum(dtype=np.uint64))
    return f"{_mix64(total):016x}"


def _mix32(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return x ^ (x >> np.uint32(16))


def _mix64(x: int) -> int:
    mask = 2**64 - 1
    x &= mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def _parts(name: str, weights: Mapping[str, Tensor]) -> list[Tensor] | None:
    """The checkpoint tensors whose bytes, one after the other, are the server's tensor ``name``."""
    names: list[str] = [name]
    prefix, _, kind = name.rpartition(".")
    owner, _, layer = prefix.rpartition(".")
    if name not in weights and layer in _FUSED:
        names = [f"{owner}.{part}.{kind}" for part in _FUSED[layer]]
    elif name not in weights and kind in {"w13_weight", "w2_weight"}:
        kinds = ("gate_proj", "up_proj") if kind == "w13_weight" else ("down_proj",)
        count = 0
        while f"{prefix}.{count}.{kinds[0]}.weight" in weights:
            count += 1
        names = [f"{prefix}.{expert}.{part}.weight" for expert in range(count) for part in kinds]
    if not names or any(part not in weights for part in names):
        return None
    return [weights[part] for part in names]


def _contents(parts: list[Tensor], *, padded: bool) -> Iterator[list[Bytes]]:
    """The bytes that the server's tensor may have: in the weights' dtype, or cast."""
    own = parts[0].dtype
    for dtype in (own, *(other for other in (torch.bfloat16, torch.float16, torch.float32) if other != own)):
        flat = [part.detach().to("cpu", dtype).contiguous().flatten() for part in parts]
        content: list[Bytes] = [tensor.view(torch.uint8).numpy() for tensor in flat]
        if padded and (missing := -parts[0].shape[0] % _VOCABULARY_PADDING):
            # The server rounds the vocabulary up and fills with zeros.
            content.append(np.zeros(missing * parts[0].shape[1] * dtype.itemsize, dtype=np.uint8))
        yield content
