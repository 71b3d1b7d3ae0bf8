"""Memory for what a sweep keeps until its adjoint has used it."""

from __future__ import annotations

import math

from torch import Tensor


class Workspace:
    """Tensors that are used again by the next sweep.

    The system maps a large tensor that is allocated anew page by page, which takes longer than a product into it.

    Attributes:
        sweeps: how many have begun; the adjoint of an earlier one than the last has lost what it needs.
    """

    def __init__(self) -> None:
        self.sweeps = 0
        self._tensors: dict[tuple[str, int], Tensor] = {}

    def begin(self) -> int:
        """The number of a new sweep."""
        self.sweeps += 1
        return self.sweeps

    def check(self, sweep: int) -> None:
        """Raise RuntimeError if the memory is another sweep's by now."""
        if sweep != self.sweeps:
            raise RuntimeError("this jet's workspace was used again; go backward before the next sweep, or use another")

    def empty(self, name: str, index: int, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """A tensor with any content, of the type and on the device of `like`; the same memory for the same name."""
        size, key = math.prod(shape), (name, index)
        held = self._tensors.get(key)
        if held is None or held.numel() < size or held.dtype != like.dtype or held.device != like.device:
            held = self._tensors[key] = like.new_empty(size)
        return held[:size].view(shape)
