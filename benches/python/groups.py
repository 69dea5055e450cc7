"""Group advantages, packing and balancing beside numpy and the Python loops that trainers use."""

from __future__ import annotations

import bisect
import heapq
from collections import defaultdict

import numpy as np
from common import best_of, seconds, table

import assay


def loop_advantages(rewards: np.ndarray, groups: np.ndarray, epsilon: float = 1e-6) -> np.ndarray:
    """The dictionary-of-lists loop found in trainers."""
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups.tolist()):
        members[group].append(index)
    result = np.zeros(len(rewards), dtype=np.float32)
    for indices in members.values():
        values = [float(rewards[index]) for index in indices]
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        for index, value in zip(indices, values, strict=True):
            result[index] = (value - mean) / (deviation + epsilon) if deviation else 0.0
    return result


def numpy_advantages(rewards: np.ndarray, size: int, epsilon: float = 1e-6) -> np.ndarray:
    """Vectorised, for groups of one size in order."""
    grouped = rewards.reshape(-1, size)
    deviation = grouped.std(axis=1, ddof=1, keepdims=True)
    centred = grouped - grouped.mean(axis=1, keepdims=True)
    return np.where(deviation > 0, centred / (deviation + epsilon), 0.0).astype(np.float32).ravel()


def loop_pack(lengths: np.ndarray, capacity: int) -> list[list[int]]:
    """Best-fit decreasing with a sorted list of free space; the indices of each bin."""
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []
    tokens = lengths.tolist()
    for index in sorted(range(len(tokens)), key=tokens.__getitem__, reverse=True):
        length = tokens[index]
        place = bisect.bisect_left(free, (length, 0))
        if place < len(free):
            room, chosen = free.pop(place)
        else:
            room, chosen = capacity, len(bins)
            bins.append([])
        bins[chosen].append(index)
        bisect.insort(free, (room - length, chosen))
    return bins


def loop_karmarkar_karp(lengths: np.ndarray, parts: int) -> float:
    """Largest differencing over heaps of part sums, as Python trainers write it; the largest part's sum."""
    heap = [(-length, order, [0] * (parts - 1) + [length]) for order, length in enumerate(lengths.tolist())]
    heapq.heapify(heap)
    order = len(heap)
    while len(heap) > 1:
        first, second = heapq.heappop(heap)[2], heapq.heappop(heap)[2]
        merged = sorted(a + b for a, b in zip(first, reversed(second), strict=True))
        heapq.heappush(heap, (merged[0] - merged[-1], order, merged))
        order += 1
    return max(heap[0][2])


def advantage_row(count: int, size: int) -> list[str]:
    rewards = np.random.default_rng(0).integers(0, 2, count).astype(np.float64)
    groups = np.repeat(np.arange(count // size), size)
    ours, mine = best_of(20, lambda: assay.group_advantages(rewards, groups, kind="grpo"))
    vector, reference = best_of(20, lambda: numpy_advantages(rewards, size))
    loop, slow = best_of(1, lambda: loop_advantages(rewards, groups))
    np.testing.assert_allclose(mine, reference, atol=1e-5)
    np.testing.assert_allclose(mine, slow, atol=1e-5)
    return [
        f"advantages, {count:,} in groups of {size}",
        seconds(ours.wall),
        f"{seconds(vector.wall)} ({vector.wall / ours.wall:.1f}x)",
        f"{seconds(loop.wall)} ({loop.wall / ours.wall:,.0f}x)",
    ]


def pack_row(count: int) -> list[str]:
    lengths = np.clip(np.random.default_rng(1).lognormal(6.5, 1.0, count), 16, 4096).astype(np.int64)
    ours, bins = best_of(5, lambda: assay.pack(lengths, 32_768))
    loop, expected = best_of(1, lambda: loop_pack(lengths, 32_768))
    assert len(bins) == len(expected)
    assert sorted(index for indices in bins for index in indices.tolist()) == list(range(count))
    return [
        f"pack {count:,} into 32,768",
        seconds(ours.wall),
        "-",
        f"{seconds(loop.wall)} ({loop.wall / ours.wall:,.0f}x)",
    ]


def balance_row(count: int, parts: int) -> list[str]:
    lengths = np.clip(np.random.default_rng(2).lognormal(6.5, 1.0, count), 16, 4096).astype(np.int64)
    ours, split = best_of(3, lambda: assay.balance(lengths, parts, method="karmarkar_karp"))
    loop, heaviest = best_of(1, lambda: loop_karmarkar_karp(lengths, parts))
    assert max(int(lengths[indices].sum()) for indices in split) <= heaviest * 1.001
    return [
        f"Karmarkar-Karp, {count:,} into {parts}",
        seconds(ours.wall),
        "-",
        f"{seconds(loop.wall)} ({loop.wall / ours.wall:,.0f}x)",
    ]


def run() -> list[str]:
    """The table of this file."""
    rows = [
        advantage_row(512, 8),
        advantage_row(8_192, 8),
        advantage_row(65_536, 64),
        pack_row(4_096),
        pack_row(65_536),
        balance_row(4_096, 8),
        balance_row(4_096, 64),
    ]
    return [
        table(
            "Advantages, packing and balancing, one thread, best wall time", ["", "assay", "numpy", "Python loop"], rows
        )
    ]
