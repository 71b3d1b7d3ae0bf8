"""Field → samples at any points or on any grid, in bounded memory."""

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
from sinefield.jets import Jet, Workspace, propagate
from sinefield.jets.operators import mean_curvature, normal
from sinefield.networks.network import Network
from sinefield.parallel import WorkerPool
from sinefield.signals import Crop, Header, parse_shape
from sinefield.signals.signal import LONGEST, crop_bounds, crop_cells

Points = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""The coordinates (n, d) of the points with these flat indices."""

Finish = Callable[[NDArray[Any]], NDArray[Any]]


class Reading(NamedTuple):
    """What can be rendered.

    Attributes:
        order, hessian: of the jets that it needs.
        read: a jet ↦ (n, c) or (n, c, d).
        scales: whether it is in the unit of the values, for each unit of coordinate.
    """

    order: int
    read: Callable[[Jet], Tensor]
    hessian: bool = False
    scales: bool = True


def quantity_of(name: str, domain: Domain) -> Reading:
    """How a layer is read.

    Args:
        name: "value", "gradient", "laplacian"; the derivative along one axis, "d" and its name, such as "dt"; of the
            levels of a field of one channel the unit "normal", to larger values, and the mean "curvature".

    Raises:
        InputError: another name.
    """

    def along(axis: int) -> Callable[[Jet], Tensor]:
        return lambda jet: there(jet.gradient)[..., axis]

    quantities = {
        "value": Reading(0, lambda jet: there(jet.value)),
        "gradient": Reading(1, lambda jet: there(jet.gradient)),
        "laplacian": Reading(2, lambda jet: there(jet.laplacian)),
        "normal": Reading(1, lambda jet: normal(jet)[:, None], scales=False),
        "curvature": Reading(2, mean_curvature, hessian=True, scales=False),
        **{f"d{axis}": Reading(1, along(k)) for k, axis in enumerate(domain.axes)},
    }
    if name not in quantities:
        raise InputError(f"there is no layer {name!r}; choose from {', '.join(quantities)}")
    return quantities[name]


def there(part: Tensor | None) -> Tensor:
    assert part is not None
    return part


VALUE = Reading(0, lambda jet: jet.value)


def sample(
    function: Network,
    points: Points,
    total: int,
    reading: Reading,
    *,
    finish: Finish = lambda values: values,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Iterator[NDArray[Any]]:
    """What is read from a function's jets at points 0 … total - 1, in consecutive pieces.

    Args:
        function: takes coordinates in the user's units.
        finish: what is done to each piece (n, c) or (n, c, d), so that only its outcome is kept.
        progress: called with the share that is done.
    """

    def evaluate(start: int, space: Workspace) -> NDArray[Any]:
        x = torch.from_numpy(points(np.arange(start, min(start + pool.max_chunk, total))))
        with torch.no_grad():
            jet = propagate(function, x.to(device), reading.order, hessian=reading.hessian, space=space)
            part = reading.read(jet)
        return np.array(finish(part.cpu().numpy()))  # the workspace is used again

    done = 0
    with WorkerPool(torch.device(device)) as pool:
        for piece in pool.map(evaluate, range(0, total, pool.max_chunk)):
            yield piece
            done += len(piece)
            if progress is not None:
                progress(done / total)


def on_grid(
    function: Network,
    domain: Domain,
    shape: Sequence[int],
    quantity: str = "value",
    *,
    finish: Finish = lambda values: values,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> NDArray[Any]:
    """A layer of a function at the centres of `shape` cells of a domain: (*shape, c), the gradient (*shape, c, d).

    Args:
        function, finish, device, progress: as for `sample`.
        layer: as for `layer_of`.
    """
    pieces = sample(
        function,
        centers(domain, shape),
        math.prod(shape),
        quantity_of(quantity, domain),
        finish=finish,
        device=device,
        progress=progress,
    )
    return gathered(pieces, shape)


def gathered(pieces: Iterator[NDArray[Any]], shape: Sequence[int]) -> NDArray[Any]:
    """Consecutive pieces of a grid as one array."""
    first = next(pieces)
    out = np.empty((math.prod(shape), *first.shape[1:]), first.dtype)
    out[: len(first)], done = first, len(first)
    for piece in pieces:
        out[done : done + len(piece)] = piece
        done += len(piece)
    return out.reshape(*shape, *out.shape[1:])


def centers(domain: Domain, shape: Sequence[int]) -> Points:
    """The centres of `shape` equal cells of a domain, by their flat indices."""
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
    """The part of a field's domain to render, and the grid to render it on.

    Args:
        header: of the field.
        size: the longest side (the others in proportion), or one number for each axis.
        scale: samples for each sample of the signal, along each axis; 1 unless given. Not with `size`.
        crop: for each axis, from which coordinate up to but not including which (None for the end), as in slicing
            the signal: a sample is in, with the whole of its cell, if its centre is.
        rate: samples a second along the first axis, whatever size and scale say: frames of a video, samples of a sound.

    Raises:
        InputError: both size and scale, a size, scale or rate that is not positive, an empty crop or one outside
            the field, a rate where the first axis is not time.

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
        raise InputError(f"a rate is for signals over time; the first axis here is {domain.axes[0]!r}")
    if crop is not None:
        cells = crop_cells(header, crop)
        domain = Domain(*crop_bounds(header, cells), domain.axes, domain.units, domain.half_extent)
        shape = tuple(part.stop - part.start for part in cells)
    if size is not None:
        at_full = Header(header.kind, domain, shape, header.channels, header.dtype, header.low, header.high)
        shape = parse_shape(size if isinstance(size, int) else tuple(size), at_full)
    else:
        shape = tuple(max(round(min(n * (scale or 1.0), LONGEST)), 1) for n in shape)
    if rate is not None:
        shape = (max(round(min(rate * (domain.upper[0] - domain.lower[0]), LONGEST)), 1), *shape[1:])
    return domain, shape
