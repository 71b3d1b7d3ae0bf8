"""Random permutations that are computed on demand, without storing them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray


class Permutation:
    """Pseudorandom permutation of 0 … count - 1, computed on demand.

    A Feistel network permutes the numbers of an even number of bits, at least that of count - 1. A result outside the
    range is permuted again until it lies inside (cycle walking).

    Args:
        count: Number of elements.
        seed: Seed of the permutation.

    Source: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002.

    >>> order = Permutation(1000, seed=(0, 1))
    >>> sorted(order[:].tolist()) == list(range(1000))
    True
    """

    ROUNDS = 6
    """Number of rounds of the Feistel network."""

    def __init__(self, count: int, seed: tuple[int, ...]):
        self.count = count
        self.half_bits = (max(count - 1, 1).bit_length() + 1) // 2
        self.keys = np.random.default_rng(seed).integers(2**63, size=self.ROUNDS, dtype=np.uint64)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        """Return the elements of the permutation at a slice or at an array of positions."""
        if isinstance(where, slice):
            where = np.arange(*where.indices(self.count))
        result = self._encrypt(where.astype(np.uint64))
        while len(outside := np.flatnonzero(result >= self.count)):
            result[outside] = self._encrypt(result[outside])
        return result.astype(np.int64)

    def _encrypt(self, number: NDArray[np.uint64]) -> NDArray[np.uint64]:
        mask, half_bits = np.uint64(2**self.half_bits - 1), np.uint64(self.half_bits)
        left, right = number >> half_bits, number & mask
        for key in self.keys:
            # the multipliers mix the bits as in the SplitMix64 generator
            mixed = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((mixed >> np.uint64(32)) & mask)
        return (left << half_bits) | right


class PermutationSlice:
    """The elements start … stop - 1 of a permutation, computed on demand.

    Args:
        order: Permutation.
        start: Position of the first element.
        stop: Position after the last element.
    """

    def __init__(self, order: Permutation, start: int, stop: int):
        self.order, self.start, self.stop = order, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, where: slice | Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " _"]:
        """Return the elements at a slice or at an array of positions, counted from `start`."""
        if isinstance(where, slice):
            where = np.arange(*where.indices(len(self)))
        return self.order[self.start + where]


Indices = Int64[np.ndarray, " _"] | PermutationSlice
"""Flat indices of samples, as an array or computed on demand."""
