"""Near-duplicates among any number of texts: candidates by MinHash and banding, decisions by exact similarity.

A text is the set of its word n-grams. Its signature holds the least hash of the set under many hash functions; two sets of Jaccard
similarity ``s`` agree in a place of it with probability ``s`` (Broder 1997). Signatures are cut into ``bands`` of ``rows``
places, and texts that agree in a whole band are candidates: with probability ``1 - (1 - s**rows)**bands`` (Leskovec et al.,
*Mining of Massive Datasets*, 3.4). What is a candidate is compared exactly, so nothing is called a near-duplicate that is none;
of those at the threshold itself, at most one in a thousand is missed, of more similar ones fewer. Time and memory grow with the
number of texts, not with its square.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]")
# Most hash functions, and how often a pair at the threshold may be missed.
_FUNCTIONS, _MISSED = 256, 1e-3
# Odd factors of multiply-add hashing over 64 bits; texts have the same signatures in every run.
_RNG = np.random.default_rng(0x5EED)
_FACTORS = _RNG.integers(0, 2**63, _FUNCTIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _RNG.integers(0, 2**64, _FUNCTIONS, dtype=np.uint64)
_STEP = np.uint64(0x9E3779B97F4A7C15)


class NearDuplicates:
    """Texts seen so far, to ask whether another one is nearly one of them.

    Args:
        threshold: Texts whose Jaccard similarity is at least this are near-duplicates; in (0, 1].
        ngram: Words of an n-gram, at least 1.
    """

    def __init__(self, threshold: float, ngram: int) -> None:
        self.threshold, self.ngram = threshold, ngram
        self.bands, self.rows = bands_for(threshold)
        self._tables: list[dict[bytes, list[int]]] = [{} for _ in range(self.bands)]
        self._seen: list[NDArray[np.uint64]] = []

    def add(self, text: str) -> bool:
        """Takes a text in unless it nearly is one that was; returns whether it was taken in."""
        grams = ngram_hashes(text, self.ngram)
        signature = _signature(grams, self.bands * self.rows).reshape(self.bands, self.rows)
        keys = [band.tobytes() for band in signature]
        candidates = {i for table, key in zip(self._tables, keys, strict=True) for i in table.get(key, ())}
        if any(similarity(grams, self._seen[i]) >= self.threshold for i in sorted(candidates)):
            return False
        for table, key in zip(self._tables, keys, strict=True):
            table.setdefault(key, []).append(len(self._seen))
        self._seen.append(grams)
        return True


@cache
def bands_for(threshold: float) -> tuple[int, int]:
    """Bands and rows with the fewest candidates that miss a pair at the threshold at most one time in a thousand."""
    best = (1, 1)
    for rows in range(1, 33):
        caught = threshold**rows
        bands = 1 if caught >= 1.0 - _MISSED else math.ceil(math.log(_MISSED) / math.log1p(-caught))
        if bands * rows <= _FUNCTIONS:
            best = (bands, rows)
    return best


def words(text: str) -> list[str]:
    """The words of a text, in lower case; a letter of a script without spaces and a punctuation mark are each a word."""
    return _WORDS.findall(text.casefold())


def ngram_hashes(text: str, n: int) -> NDArray[np.uint64]:
    """The set of a text's word n-grams as sorted 64-bit hashes; a text with fewer words is one n-gram."""
    hashes = np.array([_word_hash(word) for word in words(text)], dtype=np.uint64)
    n = min(n, max(len(hashes), 1))
    whole = np.zeros(max(len(hashes) - n + 1, 1), dtype=np.uint64)
    for i in range(n if len(hashes) else 0):
        whole = _mix(whole * _STEP + hashes[i : len(hashes) - n + 1 + i])
    return np.unique(whole)


def similarity(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """The Jaccard similarity of two sets, from 0 to 1."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


def _signature(grams: NDArray[np.uint64], functions: int) -> NDArray[np.uint64]:
    least = np.full(functions, np.iinfo(np.uint64).max, dtype=np.uint64)
    for part in np.array_split(grams, max(1, len(grams) // 4096)):
        hashed = part[None, :] * _FACTORS[:functions, None] + _SHIFTS[:functions, None]
        # The high bits of a product are the mixed ones.
        np.minimum(least, (hashed ^ (hashed >> np.uint64(32))).min(axis=1), out=least)
    return least


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def near_duplicates(texts: Sequence[str], threshold: float, ngram: int) -> list[bool]:
    """Whether each text is nearly one before it that is none itself."""
    index = NearDuplicates(threshold, ngram)
    return [not index.add(text) for text in texts]
