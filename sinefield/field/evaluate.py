"""Evaluation of a field at any points or on any grid, in chunks of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.jets import Jet, propagate
from sinefield.jets.operators import jacobian, laplacian, mean_curvature, normal
from sinefield.networks.network import Network
from sinefield.parallel import WorkerPool, Workspace
from sinefield.progress import Progress, ProgressCallback
from sinefield.signals import Crop, Header, parse_shape
from sinefield.signals.signal import LONGEST, crop_bounds, crop_cells

Points = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""A function from flat indices of points to their coordinates (n, d)."""

Finish = Callable[[NDArray[Any]], NDArray[Any]]
"""A function that is applied to each chunk of results."""


class Quantity(NamedTuple):
    """A quantity that can be evaluated and rendered.

    Attributes:
        order: Order of the jets that it needs.
        read: Function from a jet to the quantity, shape (n, c) or (n, c, d).
        hessian: Whether the jets need the Hessian.
        per_value: Whether the quantity is proportional to the values of the field.
    """

    order: int
    read: Callable[[Jet], Tensor]
    hessian: bool = False
    per_value: bool = True


VALUE = Quantity(0, lambda jet: jet.value)
"""The value of a field."""


def find_quantity(name: str, domain: Domain) -> Quantity:
    """Return the quantity of a name.

    Args:
        name: "value", "gradient" or "laplacian"; "d" followed by the name of an axis, such as "dt", for the derivative
            along it; "normal" or "curvature" for the unit normal (towards larger values) and the mean curvature of the
            level sets of a field with one channel.
        domain: Domain of the field.

    Raises:
        InputError: There is no such quantity.
    """

    def along(axis: int) -> Callable[[Jet], Tensor]:
        return lambda jet: jacobian(jet)[..., axis]

    quantities = {
        "value": VALUE,
        "gradient": Quantity(1, jacobian),
        "laplacian": Quantity(2, laplacian),
        "normal": Quantity(1, lambda jet: normal(jet)[:, None], per_value=False),
        "curvature": Quantity(2, mean_curvature, hessian=True, per_value=False),
        **{f"d{axis}": Quantity(1, along(k)) for k, axis in enumerate(domain.axes)},
    }
    if name not in quantities:
        raise InputError(f"there is no quantity {name!r}; choose from {', '.join(quantities)}")
    return quantities[name]


def evaluate_points(
    function: Network,
    points: Points,
    total: int,
    quantity: Quantity = VALUE,
    *,
    finish: Finish = lambda values: values,
    device: torch.device | str = "cpu",
    progress: ProgressCallback | None = None,
) -> Iterator[NDArray[Any]]:
    """Yield a quantity of a function at points 0 … total - 1, in consecutive chunks.

    Args:
        function: Network over coordinates in the user's units.
        points: Coordinates of the points with given indices.
        total: Number of points.
        quantity: What is evaluated.
        finish: Applied to each chunk (n, c) or (n, c, d), so that only its result is kept.
        device: Device of the function.
        progress: Called after each chunk.
    """

    def evaluate(start: int, space: Workspace) -> NDArray[Any]:
        x = torch.from_numpy(points(np.arange(start, min(start + pool.max_chunk, total))))
        with torch.no_grad():
            jet = propagate(function, x.to(device), quantity.order, hessian=quantity.hessian, space=space)
            result = quantity.read(jet)
        return np.array(finish(result.cpu().numpy()))  # a copy, since the workspace is reused

    done = 0
    with WorkerPool(torch.device(device)) as pool:
        for chunk in pool.map(evaluate, range(0, total, pool.max_chunk)):
            yield chunk
            done += len(chunk)
            if progress is not None:
                progress(Progress(done / total))


def evaluate_grid(
    function: Network,
    domain: Domain,
    shape: Sequence[int],
    quantity: str = "value",
    *,
    finish: Finish = lambda values: values,
    device: torch.device | str = "cpu",
    progress: ProgressCallback | None = None,
) -> NDArray[Any]:
    """Return a quantity of a function at the centers of `shape` cells of a domain: (*shape, c) or (*shape, c, d)."""
    chunks = evaluate_points(
        function,
        cell_centers(domain, shape),
        math.prod(shape),
        find_quantity(quantity, domain),
        finish=finish,
        device=device,
        progress=progress,
    )
    return assemble(chunks, shape)


def assemble(chunks: Iterator[NDArray[Any]], shape: Sequence[int]) -> NDArray[Any]:
    """Join consecutive chunks of a grid to one array."""
    first = next(chunks)
    out = np.empty((math.prod(shape), *first.shape[1:]), first.dtype)
    out[: len(first)], done = first, len(first)
    for chunk in chunks:
        out[done : done + len(chunk)] = chunk
        done += len(chunk)
    return out.reshape(*shape, *out.shape[1:])


def cell_centers(domain: Domain, shape: Sequence[int]) -> Points:
    """Return the centers of `shape` equal cells of a domain, by their flat indices."""
    axes = domain.centers(shape)

    def points(index: NDArray[np.int64]) -> NDArray[np.float64]:
        position = np.unravel_index(index, tuple(shape))
        return np.stack([axis[i] for axis, i in zip(axes, position, strict=True)], axis=-1)

    return points


def window(
    header: Header,
    size: int | Sequence[int] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
    rate: float | None = None,
) -> tuple[Domain, tuple[int, ...]]:
    """Return the part of the domain of a field to render, and the shape of the grid to render it on.

    Args:
        header: Header of the field.
        size: Samples along the longest side (the others in proportion), or one number for each axis.
        scale: Samples per sample of the signal, along each axis; 1 by default. Excludes `size`.
        crop: For each axis a range from a coordinate up to but not including another (None for the end), as in slicing
            the signal: a sample is included, with its whole cell, if its center is.
        rate: Samples per second along the first axis, whatever `size` and `scale` are: frames of a video or samples of
            a sound.

    Raises:
        InputError: Both size and scale; a size, scale or rate that is not positive; an empty crop or one outside the
            field; a rate where the first axis is not time.

    >>> from sinefield.signals import from_array
    >>> header = from_array(np.zeros((96, 160))).header
    >>> window(header, scale=2, crop=[(None, None), (0, 40)])[1]
    (192, 80)
    """
    if size is not None and scale is not None:
        raise InputError("give a size or a scale, not both")
    for name, number in {"scale": scale, "rate": rate}.items():
        if number is not None and not 0 < number < float("inf"):
            raise InputError(f"{name} must be positive; it is {number}")
    domain, shape = header.domain, header.shape
    if rate is not None and domain.units[0] != "s":
        raise InputError(f"a rate applies to signals over time; the first axis here is {domain.axes[0]!r}")
    if crop is not None:
        cells = crop_cells(header, crop)
        domain = Domain(*crop_bounds(header, cells), domain.axes, domain.units, domain.half_extent)
        shape = tuple(part.stop - part.start for part in cells)
    if size is not None:
        full = Header(header.kind, domain, shape, header.channels, header.dtype, header.low, header.high)
        shape = parse_shape(size if isinstance(size, int) else tuple(size), full)
    else:
        shape = tuple(max(round(min(n * (scale or 1.0), LONGEST)), 1) for n in shape)
    if rate is not None:
        shape = (max(round(min(rate * (domain.upper[0] - domain.lower[0]), LONGEST)), 1), *shape[1:])
    return domain, shape
