"""Field → samples on any grid, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sinefield.crew import Crew
from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.fields.network import Network
from sinefield.jets import Jet, Workspace, propagate
from sinefield.signals import Header, parse_shape
from sinefield.signals.signal import check_shape

LAYERS: dict[str, tuple[int, Callable[[Jet], Tensor | None]]] = {
    "value": (0, lambda jet: jet.value),
    "gradient": (1, lambda jet: jet.gradient),
    "laplacian": (2, lambda jet: jet.laplacian),
}
"""What can be rendered: the order of the jet that it needs, and how it reads it."""

Crop = Sequence[tuple[float | None, float | None]]


@torch.no_grad()
def on_grid(
    function: Network,
    domain: Domain,
    shape: Sequence[int],
    layer: str = "value",
    *,
    finish: Callable[[NDArray[Any]], NDArray[Any]] = lambda values: values,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> NDArray[Any]:
    """A layer of a function at the centres of `shape` cells of a domain.

    Args:
        function: takes coordinates in the domain's units.
        finish: what is done to each piece (n, c) or (n, c, d) of the result, so that only its outcome is kept.
        progress: called with the share that is done.

    Returns:
        (*shape, c), or (*shape, c, d) for the gradient, as `finish` leaves it.
    """
    order, read = LAYERS[layer]
    axes = [torch.from_numpy(axis) for axis in domain.centres(shape)]
    total, out = int(np.prod(shape)), None

    def evaluate(start: int, space: Workspace) -> tuple[int, NDArray[Any]]:
        index = np.unravel_index(np.arange(start, min(start + crew.most, total)), tuple(shape))
        x = torch.stack([axis[torch.from_numpy(i)] for axis, i in zip(axes, index, strict=True)], dim=-1)
        part = read(propagate(function, x.to(device), order, space=space))
        assert part is not None
        return start, np.array(finish(part.cpu().numpy()))  # the workspace is used again

    with Crew(torch.device(device)) as crew:
        for start, values in crew.map(evaluate, range(0, total, crew.most)):
            if out is None:
                out = np.empty((total, *values.shape[1:]), values.dtype)
            out[start : start + len(values)] = values
            if progress is not None:
                progress((start + len(values)) / total)
    assert out is not None
    return out.reshape(*shape, *out.shape[1:])


def window(
    header: Header,
    size: int | Sequence[int] | None = None,
    scale: float | None = None,
    crop: Crop | None = None,
) -> tuple[Domain, tuple[int, ...]]:
    """The part of a field's domain to render, and the grid to render it on.

    Args:
        header: of the field.
        size: the longest side (the others in proportion), or one number for each axis.
        scale: samples for each sample of the signal, along each axis; 1 unless given. Not with `size`.
        crop: for each axis, from which coordinate up to but not including which (None for the end), as in slicing
            the signal: a sample is in, with the whole of its cell, if its centre is.

    Raises:
        InputError: both size and scale, a size or scale that is not positive, an empty crop or one outside the field.

    >>> from sinefield.signals import from_array
    >>> header = from_array(np.zeros((96, 160))).header
    >>> window(header, scale=2, crop=[(None, None), (0, 40)])[1]
    (192, 80)
    """
    if size is not None and scale is not None:
        raise InputError("give a size or a scale, not both")
    if scale is not None and not 0 < scale < float("inf"):
        raise InputError(f"scale must be positive; it is {scale}")
    domain, step = header.domain, header.step
    shape = header.shape
    if crop is not None:
        if len(crop) != domain.dim:
            raise InputError(f"crop has {len(crop)} ranges; the field has the axes {', '.join(domain.axes)}")
        bounds = [_cropped(*parts) for parts in zip(domain.axes, crop, domain.lower, domain.upper, step, strict=True)]
        lower, upper = (tuple(side) for side in zip(*bounds, strict=True))
        domain = Domain(lower, upper, domain.axes, domain.units, domain.half)
        shape = tuple(max(round((b - a) / h), 1) for a, b, h in zip(lower, upper, step, strict=True))
    if size is not None:
        at_full = Header(header.kind, domain, shape, header.channels, header.dtype, header.low, header.high)
        return domain, parse_shape(size if isinstance(size, int) else tuple(size), at_full)
    return domain, check_shape(tuple(max(round(min(n * (scale or 1.0), 1e12)), 1) for n in shape))


def _cropped(
    axis: str, crop: tuple[float | None, float | None], lower: float, upper: float, step: float
) -> tuple[float, float]:
    samples = round((upper - lower) / step)
    # the first sample at or after a coordinate; a coordinate that is one, but for rounding, is that sample's
    first, last = (
        default if bound is None or math.isnan(bound) else math.ceil((bound - lower) / step - 0.5 - 1e-6)
        for bound, default in zip(crop, (0, samples), strict=True)
    )
    start, stop = lower + first * step, lower + last * step
    if not 0 <= first < last <= samples:
        raise InputError(
            f"crop {crop[0]}:{crop[1]} is empty or outside axis {axis!r}, "
            f"which goes from {lower + step / 2:g} up to {upper + step / 2:g}"
        )
    return start, stop
