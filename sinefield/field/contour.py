"""A level of a field over space as a mesh, evaluated only where it passes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from sinefield.errors import InputError
from sinefield.field.evaluate import Reading, sample, window
from sinefield.field.field import Field
from sinefield.jets import Jet
from sinefield.jets.operators import jacobian
from sinefield.signals.mesh import Mesh

COARSE, BRICK, SAFETY, BYTES, PULLS = 32, 128, 1.5, 1000, 2
"""Blocks along the longest side to begin with; cells along a brick, which is meshed at once; how much steeper a field
may be than it is nearly everywhere; memory for each block of two cells along the level; Newton steps for a vertex."""

CORNERS, NODES = (np.array(list(itertools.product(range(n), repeat=3))) for n in (2, 3))
"""Of a block in units of its side, and of a block of two cells in units of a cell."""

Index = Int64[np.ndarray, "n 3"]


def contour(
    field: Field,
    level: float | None = None,
    resolution: int | None = None,
    *,
    channel: int = 0,
    progress: Callable[[float], None] = lambda done: None,
) -> Mesh:
    """The surface Φ(x) = level as a mesh, by marching cubes on the cells that it can pass.

    Blocks are divided as long as |Φ - level| at their centre is no more than the field can climb to their corners.
    The vertices are then pulled onto the level along the exact gradient, which gives their normals as well.

    Args:
        field: over three coordinates.
        level: 0 for a shape and the middle of the range of values for any other field, unless given.
        resolution: cells along the longest side; the field's own unless given.
        channel: of the field.
        progress: called with the share that is done.

    Returns:
        Triangles in the field's coordinates. Out of them is where values are larger than the level for a shape, and
        where they are smaller for any other field.

    Raises:
        InputError: a field over other than three coordinates, a channel that it does not have, a level that it does not
            take, or a resolution whose mesh would not fit the memory.

    Source: Lewiner et al., "Efficient Implementation of Marching Cubes' Cases with Topological Guarantees", 2003.
    """
    header = field.header
    if header.domain.dim != 3:
        raise InputError(f"a mesh is of a field over three coordinates; this one has {header.domain.dim}")
    if not 0 <= channel < header.out_dim:
        raise InputError(f"there is no channel {channel}; the field has {header.out_dim}")
    shape = header.kind == "shape"
    if level is None:
        level = 0.0 if shape else float(header.middle[channel])
    domain, cells = window(header, resolution)
    lattice = _Lattice(
        field,
        channel,
        level,
        np.asarray(domain.lower),
        np.subtract(domain.upper, domain.lower) / cells,
        np.asarray(cells),
    )
    blocks = _passed(lattice, lambda done: progress(0.3 * done))
    mesh = _meshed(lattice, blocks, lambda done: progress(0.3 + 0.5 * done))
    vertices, normals = _pulled(lattice, mesh.vertices)
    progress(1.0)
    return Mesh(vertices, mesh.faces, normals) if shape else Mesh(vertices, mesh.faces[:, ::-1], -normals)


@dataclass(frozen=True)
class _Lattice:
    """Cells of a grid, and a field over them."""

    field: Field
    channel: int
    level: float
    lower: Float64[np.ndarray, " 3"]
    size: Float64[np.ndarray, " 3"]
    cells: Int64[np.ndarray, " 3"]

    def above(self, halves: Index) -> NDArray[np.float64]:
        """Φ - level at places in half cells (n, 3): (n,)."""
        return self._read(lambda index: self.lower + halves[index] * (self.size / 2), len(halves), 0)[:, 0]

    def jets(self, points: Float64[np.ndarray, "n 3"]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Φ - level (n,) and ∇Φ (n, 3) at points."""
        found = self._read(lambda index: points[index], len(points), 1)
        return found[:, 0], found[:, 1:]

    def _read(
        self, points: Callable[[NDArray[np.int64]], NDArray[np.float64]], count: int, order: int
    ) -> NDArray[np.float64]:
        field, channel = self.field, self.channel
        half, middle = field.header.half_range[channel], field.header.middle[channel]

        def read(jet: Jet) -> Tensor:
            value = jet.value[:, channel, None]
            return torch.cat([value, jacobian(jet)[:, channel]], dim=1) if order else value

        def finish(values: NDArray[Any]) -> NDArray[Any]:
            values = values.astype(np.float64) * half
            values[:, 0] += middle - self.level
            return values

        found = sample(field.function, points, count, Reading(order, read), finish=finish, device=field.middle.device)
        return np.concatenate(list(found)) if count else np.empty((0, 4))


def _passed(lattice: _Lattice, progress: Callable[[float], None]) -> Index:
    """The blocks of two cells along each side, by the lowest of them, that the level can pass.

    Raises:
        InputError: there are none, or too many for the memory.
    """
    side = max(1 << (int(lattice.cells.max()) // COARSE).bit_length(), 2)
    blocks = side * np.stack(np.meshgrid(*[np.arange(-(-n // side)) for n in lattice.cells], indexing="ij"), -1)
    blocks, radius = blocks.reshape(-1, 3), float(np.linalg.norm(lattice.size)) / 2
    values, slopes = lattice.jets(lattice.lower + (blocks + side / 2) * lattice.size)
    steepest = SAFETY * float(np.quantile(np.linalg.norm(slopes, axis=1), 0.99))
    lowest, highest, levels = values.min(), values.max(), side.bit_length()
    while True:
        blocks = blocks[np.abs(values) <= steepest * radius * side]
        _check_memory(len(blocks) * (side // 2) ** 2, lattice)
        progress(1 - side.bit_length() / levels)
        if side == 2 or not len(blocks):
            break
        side //= 2
        blocks = (blocks[:, None] + side * CORNERS).reshape(-1, 3)
        blocks = blocks[(blocks < lattice.cells).all(axis=1)]
        values = lattice.above(2 * blocks + side)
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
    if not lowest < 0 < highest:
        level = lattice.level
        raise InputError(
            f"the field does not pass the level {level:g} in its box, where it goes from about {lowest + level:.4g} to "
            f"{highest + level:.4g}; choose one between"
        )
    return blocks


def _check_memory(blocks: int, lattice: _Lattice) -> None:
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not say
        return
    if (needed := BYTES * blocks) > memory:
        raise InputError(
            f"a mesh of {' × '.join(map(str, lattice.cells))} cells would take some {needed / 1e9:.0f} GB, and this "
            f"machine has {memory / 1e9:.0f}; take a lower resolution"
        )


def _meshed(lattice: _Lattice, blocks: Index, progress: Callable[[float], None]) -> Mesh:
    """Marching cubes, brick by brick; vertices in cells of the grid, which those on the bricks' faces share."""
    vertices: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int64]] = []
    count = 0
    for corner, inside, done in _bricks(blocks):
        found = _marched(lattice, corner, inside)
        progress(done)
        if found is not None:
            vertices.append(found[0])
            faces.append(found[1] + count)
            count += len(found[0])
    if not vertices:
        raise InputError(f"the field touches the level {lattice.level:g}, but does not pass it")
    return _welded(np.concatenate(vertices), np.concatenate(faces))


def _bricks(blocks: Index) -> Iterator[tuple[NDArray[np.int64], Index, float]]:
    """Each brick that holds blocks: its lowest cell, its blocks from there, and the share of all that are then done."""
    brick, which = np.unique(blocks // BRICK, axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(which.reshape(-1)))
    for corner, start, stop in zip(brick * BRICK, [0, *ends[:-1]], ends, strict=True):
        yield corner, blocks[order[start:stop]] - corner, stop / len(blocks)


def _marched(
    lattice: _Lattice, corner: NDArray[np.int64], blocks: Index
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    from skimage.measure import marching_cubes

    # cells beyond the grid are not meshed; a cell is marked at its last corner
    extent = np.minimum(BRICK, lattice.cells - corner)
    volume, marked = np.ones(extent + 1, np.float32), np.zeros(extent + 1, bool)
    some = np.zeros(np.full(3, BRICK + 1), bool)
    some[tuple((blocks[:, None] + NODES).reshape(-1, 3).T)] = True
    nodes = np.argwhere(some[tuple(slice(n + 1) for n in extent)])
    cells = (blocks[:, None] + CORNERS).reshape(-1, 3)
    marked[tuple(cells[(cells < extent).all(axis=1)].T + 1)] = True
    values = lattice.above(2 * (corner + nodes))
    volume[tuple(nodes.T)] = values
    if not values.min() < 0 < values.max():
        return None
    try:
        vertices, faces, _, _ = marching_cubes(volume, 0.0, mask=marked, gradient_direction="descent")
    except RuntimeError:  # no cell that is marked has the level in it
        return None
    return corner + vertices.astype(np.float64), faces.astype(np.int64)


def _welded(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    """Vertices on the faces of bricks, of which each has its own, as one; a vertex is known by the edge it is on."""
    nearest = np.rint(vertices)
    on = np.abs(vertices - nearest) < 1e-4
    border = (on & (nearest % BRICK == 0)).any(axis=1)
    edges = np.where(on, 2 * nearest, 2 * np.floor(vertices) + 1)[border].astype(np.int64)
    _, first, which = np.unique(edges, axis=0, return_index=True, return_inverse=True)
    new = np.arange(len(vertices))
    new[border] = np.flatnonzero(border)[first[which.reshape(-1)]]
    faces = new[faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    used, faces = np.unique(faces[whole], return_inverse=True)
    return Mesh(vertices[used], faces.reshape(-1, 3))


def _pulled(lattice: _Lattice, vertices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices in cells brought onto the level by Newton steps of less than a cell, in coordinates, and unit slopes."""
    points, most = lattice.lower + vertices * lattice.size, float(lattice.size.min())
    for _ in range(PULLS):
        value, slope = lattice.jets(points)
        step = slope * (value / np.maximum(np.square(slope).sum(axis=1), 1e-300))[:, None]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1, most / np.maximum(length, 1e-300))
    slope = lattice.jets(points)[1]
    return points, slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-300)
