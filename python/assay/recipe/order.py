"""Seeds and orders: everything random in a run follows from its seed and what it is for."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *path: str | int) -> int:
    """A seed of its own for every purpose: 63 bits of a hash of the run's seed and what it is for."""
    text = "\0".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def order(size: int, seed: int, start: int, count: int) -> list[int]:
    """Positions ``start .. start + count`` of an endless shuffled pass over ``size`` items.

    Every item comes once before any comes twice, in a new order each time. Nothing is remembered between calls, so a
    resumed run goes on with one number.
    """
    taken: list[int] = []
    while len(taken) < count:
        epoch, offset = divmod(start + len(taken), size)
        permutation = np.random.default_rng(derive_seed(seed, "epoch", epoch)).permutation(size)
        taken += permutation[offset : offset + count - len(taken)].tolist()
    return taken
