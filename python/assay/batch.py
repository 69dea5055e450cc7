"""From rewards to advantages, and from sequences to batches. All of it runs in Rust with the GIL released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import numpy as np

from assay import _native
from assay._native import SamplingBatcher
from assay.errors import InvalidInputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AdvantageKind", "SamplingBatcher", "balance", "group_advantages", "pack"]

AdvantageKind: TypeAlias = Literal["grpo", "dr_grpo", "rloo", "reinforce_pp", "gdpo"]


def group_advantages(
    rewards: ArrayLike | Mapping[str, ArrayLike],
    group_ids: ArrayLike,
    *,
    kind: AdvantageKind = "grpo",
    epsilon: float = 1e-6,
    weights: Mapping[str, float] | Sequence[float] | None = None,
) -> NDArray[np.float32]:
    """One advantage per completion, from the rewards of its group.

    | kind | advantage | source |
    |---|---|---|
    | `grpo` | `(r - mean_g) / (std_g + epsilon)` | arXiv 2402.03300 |
    | `dr_grpo` | `r - mean_g` | arXiv 2503.20783 |
    | `rloo` | `r - mean of the others in g` | arXiv 2402.14740 |
    | `reinforce_pp` | `(r - mean) / (std + epsilon)` over the batch | arXiv 2501.03262 |
    | `gdpo` | `grpo` per component, weighted sum, whitened over the batch | arXiv 2601.05242 |

    The standard deviation is the sample one (n - 1). A NaN or None reward is left out of every statistic and gets 0, as
    does a group with one scored member or without spread.

    Args:
        rewards: float[n]; for `gdpo` also `{name: float[n]}`, as `Scores.components` is, or float[n, k].
        group_ids: int[n]: which completions share a prompt; any integers in any order.
        kind: the formula.
        epsilon: added to the standard deviation.
        weights: `gdpo` only: one per component, by name or in order; 1 each by default.

    Returns:
        float32[n].

    Raises:
        InvalidInputError: shapes, dtypes or values are not as documented.

    >>> group_advantages([1.0, 0.0, 5.0, 7.0, None], [3, 3, 8, 8, 8], kind="dr_grpo")
    array([ 0.5, -0.5, -1. ,  1. ,  0. ], dtype=float32)
    """
    names, columns = _columns(rewards, kind)
    pairs = list(zip(_weights(weights, names, len(columns)), columns, strict=True))
    ids = _integers(group_ids, "group_ids")
    return _native.group_advantages(pairs, ids, kind=kind, epsilon=epsilon)


def pack(lengths: ArrayLike, capacity: int, *, max_items: int | None = None) -> list[NDArray[np.int64]]:
    """Puts every sequence into a bin of at most `capacity` tokens, using few bins (best-fit decreasing).

    Args:
        lengths: int[n], tokens per sequence.
        capacity: tokens per bin.
        max_items: sequences per bin at most.

    Returns:
        One int64 array of indices per bin, longest sequence first.

    Raises:
        InvalidInputError: a sequence is longer than `capacity`, or an argument is not positive.

    >>> [indices.tolist() for indices in pack([5, 3, 6, 2], 8)]
    [[2, 3], [0, 1]]
    """
    return _native.pack(_integers(lengths, "lengths"), capacity, max_items=max_items)


def balance(
    lengths: ArrayLike,
    parts: int,
    *,
    method: Literal["karmarkar_karp", "lpt"] = "karmarkar_karp",
    equal_size: bool = False,
) -> list[NDArray[np.int64]]:
    """Splits the sequences over `parts` so that the largest sum of lengths is small.

    Args:
        lengths: int[n], tokens (or any other cost) per sequence.
        parts: number of parts.
        method: `karmarkar_karp` (differencing; with `equal_size`, the better of it and `lpt`) or `lpt` (longest
            processing time first).
        equal_size: the numbers of sequences per part differ by at most one.

    Returns:
        `parts` int64 arrays of ascending indices, heaviest part first; empty only when there are fewer sequences than parts.

    Raises:
        InvalidInputError: an argument is not of the documented shape or range.
        LimitError: more than 2**20 parts.

    >>> [indices.tolist() for indices in balance([8, 7, 6, 5, 4], 2)]
    [[1, 3, 4], [0, 2]]
    """
    return _native.balance(_integers(lengths, "lengths"), parts, method=method, equal_size=equal_size)


def _columns(rewards: object, kind: str) -> tuple[list[str] | None, list[NDArray[np.float64]]]:
    if isinstance(rewards, Mapping):
        named = cast("Mapping[str, ArrayLike]", rewards)
        return list(named), [_floats(values, f"rewards[{name!r}]") for name, values in named.items()]
    array = _floats(rewards, "rewards", dimensions=(1, 2) if kind == "gdpo" else (1,))
    if array.ndim == 2:
        return None, [np.ascontiguousarray(array[:, index]) for index in range(array.shape[1])]
    return None, [array]


def _weights(weights: Mapping[str, float] | Sequence[float] | None, names: list[str] | None, count: int) -> list[float]:
    if weights is None:
        return [1.0] * count
    if isinstance(weights, Mapping):
        if names is None or set(weights) != set(names):
            raise InvalidInputError(
                f"weights name {sorted(weights)}, rewards name {sorted(names or [])}; give both the same"
            )
        return [float(weights[name]) for name in names]
    if len(weights) != count:
        raise InvalidInputError(f"weights has {len(weights)} entries for {count} components")
    return [float(weight) for weight in weights]


def _floats(values: object, name: str, dimensions: tuple[int, ...] = (1,)) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not an array of numbers: {error}") from None
    if array.ndim not in dimensions:
        expected = " or ".join(map(str, dimensions))
        raise InvalidInputError(f"{name} has {array.ndim} dimensions, expected {expected}")
    return np.ascontiguousarray(array)


def _integers(values: object, name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidInputError(f"{name} has {array.ndim} dimensions, expected 1")
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iu" or (array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max):
        raise InvalidInputError(f"{name} must hold integers that fit int64, got dtype {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.int64)
