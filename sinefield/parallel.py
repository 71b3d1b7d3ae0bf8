"""Work in pieces, one worker a core."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


Result = TypeVar("Result")


class WorkerPool:
    """As many threads as PyTorch may use on a CPU, each with a workspace of its own; one on any other device.

    A core that has a whole piece to itself shares nothing and waits for nobody; the same threads inside of every
    single operation come to 5 to 10% less. Meanwhile PyTorch's own operations take one thread each.
    """

    def __init__(self, device: torch.device):
        # a thousand points keep what goes through the layers in a core's cache; a graphics processor wants many
        self.size, self.max_chunk = (torch.get_num_threads(), 1024) if device.type == "cpu" else (1, 65_536)
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> WorkerPool:
        if self.size > 1:
            torch.set_num_threads(1)
            self._pool = ThreadPoolExecutor(self.size, initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self.size)

    def map(self, work: Callable[[Item, Workspace], Result], items: Iterable[Item]) -> Iterator[Result]:
        """work(item, workspace) for each item, in their order; items are taken as they are needed."""
        do = self._do(work)
        if self._pool is None:
            yield from map(do, items)
            return
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(do, item))
            if len(waiting) > 2 * self.size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    @contextmanager
    def all_threads(self) -> Iterator[None]:
        """All cores for one operation at a time, as large products of matrices want it."""
        before = torch.get_num_threads()
        if self._pool is not None:
            torch.set_num_threads(self.size)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def chunk_size(self, count: int) -> int:
        """How many of so many points go into one piece, so that each worker has one."""
        return min(self.max_chunk, max(256, -(-count // self.size)))

    def _do(self, work: Callable[[Item, Workspace], Result]) -> Callable[[Item], Result]:
        grad, local = torch.is_grad_enabled(), self._local

        def do(item: Item) -> Result:
            if not hasattr(local, "space"):
                local.space = Workspace()
            with torch.set_grad_enabled(grad):
                return work(item, local.space)

        return do


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
