"""A level set of a field over three coordinates as a mesh, evaluated only in the cells that it can cross."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from sinefield.errors import InputError
from sinefield.extras import extra
from sinefield.field.evaluate import Points, Quantity, evaluate_points, window
from sinefield.field.field import Field
from sinefield.jets import Jet
from sinefield.jets.operators import jacobian
from sinefield.progress import Progress, ProgressCallback, ignore, subtask
from sinefield.signals.mesh import Mesh

COARSE_BLOCKS = 32
"""Blocks along the longest side before the first subdivision."""

BRICK = 128
"""Cells along each side of a brick, on which marching cubes runs at once."""

SLOPE_MARGIN = 1.5
"""Bound on the slope of a field relative to the 99th percentile of its slope at the centers of the coarse blocks."""

BYTES_PER_BLOCK = 1000
"""Estimated memory for each block of two cells along the level set."""

NEWTON_STEPS = 2
"""Newton steps by which each vertex is moved onto the level set."""

CORNERS = np.array(list(itertools.product(range(2), repeat=3)))
"""Corners of a block in units of its side."""

NODES = np.array(list(itertools.product(range(3), repeat=3)))
"""Nodes of a block of two cells along each side, in units of a cell."""

Index = Int64[np.ndarray, "n 3"]
"""Indices of cells or nodes of a grid."""


def contour(
    field: Field,
    level: float | None = None,
    resolution: int | None = None,
    *,
    channel: int = 0,
    progress: ProgressCallback = ignore,
) -> Mesh:
    """Return the surface Φ(x) = level as a mesh, by marching cubes on the cells that it can cross.

    A block of cells is subdivided where |Φ - level| at its center is at most the product of a bound on the slope and
    the distance to its corners. The vertices are then moved onto the level set by Newton steps along the gradient,
    which is the direction of their normals.

    Args:
        field: Field over three coordinates.
        level: Value on the surface; by default 0 for a shape and the middle of the range of values for other fields.
        resolution: Cells along the longest side; by default those of the signal.
        channel: Index of the channel.
        progress: Called after each level of subdivision and each brick.

    Returns:
        A mesh in the coordinates of the field. The normals point to larger values for a shape, and to smaller values
        for other fields.

    Raises:
        InputError: The field has other than three coordinates, has no such channel, does not take the value, or the
            mesh does not fit into memory.

    Source: Lewiner et al., "Efficient Implementation of Marching Cubes' Cases with Topological Guarantees", 2003.
    """
    header = field.header
    if header.domain.dim != 3:
        raise InputError(f"a mesh needs a field over three coordinates; this one has {header.domain.dim}")
    if not 0 <= channel < header.out_dim:
        raise InputError(f"there is no channel {channel}; the field has {header.out_dim}")
    is_shape = header.kind == "shape"
    if level is None:
        level = 0.0 if is_shape else float(header.middle[channel])
    domain, cells = window(header, resolution)
    lower, size = np.asarray(domain.lower), np.subtract(domain.upper, domain.lower) / cells
    lattice = _Lattice(field, channel, level, lower, size, np.asarray(cells))
    blocks = _crossed_blocks(lattice, subtask(progress, 0.0, 0.3))
    mesh = _march(lattice, blocks, subtask(progress, 0.3, 0.8))
    vertices, normals = _refine(lattice, mesh.vertices)
    progress(Progress(1.0))
    return Mesh(vertices, mesh.faces, normals) if is_shape else Mesh(vertices, mesh.faces[:, ::-1], -normals)


@dataclass(frozen=True)
class _Lattice:
    """A grid of cells, and a field over it.

    Attributes:
        field: The field.
        channel: Index of the channel.
        level: Value on the surface.
        lower: Lower corner of the grid.
        size: Sides of a cell.
        cells: Number of cells along each axis.
    """

    field: Field
    channel: int
    level: float
    lower: Float64[np.ndarray, " 3"]
    size: Float64[np.ndarray, " 3"]
    cells: Int64[np.ndarray, " 3"]

    def values(self, half_cells: Index) -> NDArray[np.float64]:
        """Return Φ - level (n,) at positions (n, 3) in units of half a cell."""
        return self._evaluate(lambda index: self.lower + half_cells[index] * (self.size / 2), len(half_cells), 0)[:, 0]

    def jets(self, points: Float64[np.ndarray, "n 3"]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return Φ - level (n,) and ∇Φ (n, 3) at points."""
        results = self._evaluate(lambda index: points[index], len(points), 1)
        return results[:, 0], results[:, 1:]

    def _evaluate(self, points: Points, count: int, order: int) -> NDArray[np.float64]:
        field, channel = self.field, self.channel
        half_range, middle = field.header.half_range[channel], field.header.middle[channel]

        def read(jet: Jet) -> Tensor:
            value = jet.value[:, channel, None]
            return torch.cat([value, jacobian(jet)[:, channel]], dim=1) if order else value

        def finish(values: NDArray[Any]) -> NDArray[Any]:
            values = values.astype(np.float64) * half_range
            values[:, 0] += middle - self.level
            return values

        quantity, device = Quantity(order, read), field.middle.device
        chunks = list(evaluate_points(field.function, points, count, quantity, finish=finish, device=device))
        return np.concatenate(chunks) if count else np.empty((0, 4))


def _crossed_blocks(lattice: _Lattice, progress: ProgressCallback) -> Index:
    """Return the blocks of two cells along each side that the level set can cross, by their lowest cells.

    Raises:
        InputError: There are none, or they do not fit into memory.
    """
    side = max(1 << (int(lattice.cells.max()) // COARSE_BLOCKS).bit_length(), 2)
    blocks = side * np.stack(np.meshgrid(*[np.arange(-(-n // side)) for n in lattice.cells], indexing="ij"), -1)
    blocks, radius = blocks.reshape(-1, 3), float(np.linalg.norm(lattice.size)) / 2
    values, gradients = lattice.jets(lattice.lower + (blocks + side / 2) * lattice.size)
    slope = SLOPE_MARGIN * float(np.quantile(np.linalg.norm(gradients, axis=1), 0.99))
    lowest, highest, levels = values.min(), values.max(), side.bit_length()
    while True:
        blocks = blocks[np.abs(values) <= slope * radius * side]
        _check_memory(len(blocks) * (side // 2) ** 2, lattice)
        progress(Progress(1 - side.bit_length() / levels))
        if side == 2 or not len(blocks):
            break
        side //= 2
        blocks = (blocks[:, None] + side * CORNERS).reshape(-1, 3)
        blocks = blocks[(blocks < lattice.cells).all(axis=1)]
        values = lattice.values(2 * blocks + side)
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
    if not lowest < 0 < highest:
        level = lattice.level
        raise InputError(
            f"the field does not reach the level {level:g}; its values are from about {lowest + level:.4g} to "
            f"{highest + level:.4g}, choose a level between them"
        )
    return blocks


def _check_memory(blocks: int, lattice: _Lattice) -> None:
    """Raise InputError if the mesh of a number of blocks does not fit into memory."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # systems without these values
        return
    if (needed := BYTES_PER_BLOCK * blocks) > memory:
        raise InputError(
            f"a mesh of {' × '.join(map(str, lattice.cells))} cells needs about {needed / 1e9:.0f} GB, and this "
            f"machine has {memory / 1e9:.0f} GB; use a lower resolution"
        )


def _march(lattice: _Lattice, blocks: Index, progress: ProgressCallback) -> Mesh:
    """Return the mesh by marching cubes in each brick, with vertices in units of a cell.

    Raises:
        InputError: No cell has values on both sides of the level.
    """
    vertices: list[NDArray[np.float64]] = []
    faces: list[NDArray[np.int64]] = []
    count = 0
    for corner, local_blocks, done in _bricks(blocks):
        part = _march_brick(lattice, corner, local_blocks)
        progress(Progress(done))
        if part is not None:
            vertices.append(part[0])
            faces.append(part[1] + count)
            count += len(part[0])
    if not vertices:
        raise InputError(f"the field touches the level {lattice.level:g} without crossing it; choose another level")
    return _weld(np.concatenate(vertices), np.concatenate(faces))


def _bricks(blocks: Index) -> Iterator[tuple[NDArray[np.int64], Index, float]]:
    """Yield for each brick its lowest cell, its blocks relative to that cell, and the completed share of all blocks."""
    bricks, brick_of_block = np.unique(blocks // BRICK, axis=0, return_inverse=True)
    order = np.argsort(brick_of_block.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(brick_of_block.reshape(-1)))
    for corner, start, stop in zip(bricks * BRICK, [0, *ends[:-1]], ends, strict=True):
        yield corner, blocks[order[start:stop]] - corner, stop / len(blocks)


def _march_brick(
    lattice: _Lattice, corner: NDArray[np.int64], blocks: Index
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return the vertices, in units of a cell, and the triangles of a brick; None if it has none."""
    with extra("shape"):
        from skimage.measure import marching_cubes

    # cells outside the grid are not meshed; the mask of marching_cubes has a cell at its last corner
    extent = np.minimum(BRICK, lattice.cells - corner)
    volume, mask = np.ones(extent + 1, np.float32), np.zeros(extent + 1, bool)
    needed = np.zeros(np.full(3, BRICK + 1), bool)
    needed[tuple((blocks[:, None] + NODES).reshape(-1, 3).T)] = True
    nodes = np.argwhere(needed[tuple(slice(n + 1) for n in extent)])
    cells = (blocks[:, None] + CORNERS).reshape(-1, 3)
    mask[tuple(cells[(cells < extent).all(axis=1)].T + 1)] = True
    values = lattice.values(2 * (corner + nodes))
    volume[tuple(nodes.T)] = values
    if not values.min() < 0 < values.max():
        return None
    try:
        vertices, faces, _, _ = marching_cubes(volume, 0.0, mask=mask, gradient_direction="descent")
    except RuntimeError:  # the level set does not cross any cell of the mask
        return None
    return corner + vertices.astype(np.float64), faces.astype(np.int64)


def _weld(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> Mesh:
    """Merge the vertices on common faces of bricks, which are equal if they lie on the same edge of the grid."""
    nearest = np.rint(vertices)
    on_node = np.abs(vertices - nearest) < 1e-4
    on_border = (on_node & (nearest % BRICK == 0)).any(axis=1)
    edges = np.where(on_node, 2 * nearest, 2 * np.floor(vertices) + 1)[on_border].astype(np.int64)
    _, first, edge_index = np.unique(edges, axis=0, return_index=True, return_inverse=True)
    merged = np.arange(len(vertices))
    merged[on_border] = np.flatnonzero(on_border)[first[edge_index.reshape(-1)]]
    faces = merged[faces]
    proper = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    used, faces = np.unique(faces[proper], return_inverse=True)
    return Mesh(vertices[used], faces.reshape(-1, 3))


def _refine(lattice: _Lattice, vertices: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return vertices in the coordinates of the field, moved onto the level set by Newton steps, and their normals.

    No step is longer than the shortest side of a cell.
    """
    points, longest = lattice.lower + vertices * lattice.size, float(lattice.size.min())
    for _ in range(NEWTON_STEPS):
        values, gradients = lattice.jets(points)
        step = gradients * (values / np.maximum(np.square(gradients).sum(axis=1), 1e-300))[:, None]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1, longest / np.maximum(length, 1e-300))
    gradients = lattice.jets(points)[1]
    return points, gradients / np.maximum(np.linalg.norm(gradients, axis=1, keepdims=True), 1e-300)
