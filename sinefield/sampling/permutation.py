"""A random permutation that takes no memory."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray


class Permutation:
    """A random order of 0 … count - 1 that takes no memory: a Feistel network, walked until it is back in range.

    Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002.

    >>> order = Shuffled(1000, seed=(0, 1))
    >>> sorted(order[:].tolist()) == list(range(1000))
    True
    """

    ROUNDS = 6

    def __init__(self, count: int, seed: tuple[int, ...]):
        self.count = count
        self.half_bits = (max(count - 1, 1).bit_length() + 1) // 2
        self.keys = np.random.default_rng(seed).integers(2**63, size=self.ROUNDS, dtype=np.uint64)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        """The numbers at these positions of the order."""
        if isinstance(where, slice):
            where = np.arange(*where.indices(self.count))
        found = self._encrypt(where.astype(np.uint64))
        while len(beyond := np.flatnonzero(found >= self.count)):
            found[beyond] = self._encrypt(found[beyond])
        return found.astype(np.int64)

    def _encrypt(self, number: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mask, half_bits = np.uint64(2**self.half_bits - 1), np.uint64(self.half_bits)
        left, right = number >> half_bits, number & mask
        for key in self.keys:
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << half_bits) | right


class PermutationSlice:
    """A stretch of a random order: what is fitted, or what is held out, without a list of it."""

    def __init__(self, order: Permutation, start: int, stop: int):
        self.order, self.start, self.stop = order, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        if isinstance(where, slice):
            where = np.arange(*where.indices(len(self)))
        return self.order[self.start + where]


Indices = Int64[np.ndarray, " _"] | PermutationSlice
"""Flat indices of samples, in a list or as they are computed."""
