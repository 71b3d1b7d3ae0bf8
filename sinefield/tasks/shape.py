"""A shape as its signed distance function: from points on its surface, or from distances to a watertight mesh."""

from __future__ import annotations

import time
import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree
from torch import Tensor
from torch.optim import Optimizer

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.regression import regression
from sinefield.constraints.signed_distance import away_from_zero, distance_matches, normals_align, unit_slope, zero_on
from sinefield.errors import InputError
from sinefield.field.contour import contour
from sinefield.field.field import Field
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, near_surface, surface, uniform
from sinefield.sampling.data import random_batches
from sinefield.signals.flood_fill import flooded
from sinefield.signals.mesh import count_components, distances_to_mesh, surface_distances, watertight
from sinefield.signals.surface import Surface, distances_around, signed_distances
from sinefield.tasks.fit import finish, start
from sinefield.training.checkpoint import State
from sinefield.training.loop import Progress, Stop
from sinefield.training.minimize import minimize
from sinefield.training.quality import checksum
from sinefield.training.recipes import build, recipe_for

ON, ALIGNED, UNIT, OFF = 3e3, 1e2, 5e1, 1e2
"""The official weights: of Φ = 0 and of the normals on the surface, of the slope, of what is off the surface."""

DISTANCE, REACH, SPACINGS = 300.0, 0.02, 4.0
"""The weight of distances to the nearest point; how far from the surface near points are, as a share of half the box;
and within so many of the points' spacings of a point, it says nothing about the distance to the surface."""

BEGINNING, GUESSES, NEIGHBOURS = 200, 2048, 8
"""Steps in which a field learns a first guess, in a fifth of the time at most; the points of each; and of how many
neighbours the normals say its sign."""

SUPERVISED = 400_000
"""Points whose distance to a mesh is learnt."""

JUDGED, CELLS = 50_000, 256
"""Points on a surface and in its box by which a field is judged, and cells along the mesh by which it is judged and
shown."""

CLOSING = 20
"""Steps to the closest point."""


def fit_shape(
    shape: Surface,
    *,
    supervise: str = "surface",
    activation: str = "sine",
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    recipe: str = "default",
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Field:
    """The signed distance to a surface: zero on it, negative inside, positive outside.

        Φ(x) = 0 and ∇Φ(x) = n(x) on the surface,   ‖∇Φ(x)‖ = 1 and |Φ(x)| = distance everywhere

    Args:
        shape: points on the surface. Without normals, what the border of their box can reach is outside; for that the
            points must lie close enough to enclose something, else the field begins as a ball.
        supervise: "surface" for the constraints above, "distance" for signed distances to a watertight mesh.
        recipe: "default", or "paper" for loss, weights, batch and optimiser of the official code; needs normals.
        activation, width, depth, omega, steps, seconds, seed, device, checkpoint, resume, progress: as for `fit`.

    Returns:
        The field, in the shape's units; `field.made` says how close it came, see `shape_quality`.

    Raises:
        InputError: a mesh with holes where distances are asked for, no normals where the paper's loss needs them, or
            what `fit` raises.
    """
    if supervise not in ("surface", "distance"):
        raise InputError(f"a shape is learnt from its surface or from distances to it, not from {supervise!r}")
    plan = recipe_for(recipe, shape, activation)
    if recipe not in ("default", "paper"):
        raise InputError(f"the recipe {recipe} is for values, not for shapes; take default or paper")
    if recipe == "paper" and (supervise == "distance" or shape.normals is None):
        raise InputError("the paper's recipe learns a shape from points with normals; take the default")
    network = build(activation, shape, plan, width=width, depth=depth, omega=omega, seed=seed)
    made = {"recipe": recipe, "activation": activation, "seed": seed, "supervise": supervise}
    field = start(network, shape, plan, made, device)
    size, like = plan.samples(shape.size), network.weights[0]
    optimizer = plan.make_optimizer(field.network, activation)
    stop, began = Stop(plan.steps if steps is None and seconds is None else steps, seconds), time.perf_counter()
    with WorkerPool(like.device) as pool:
        if supervise == "distance":
            constraints = regression(
                random_batches(distances_around(shape, SUPERVISED, seed=seed), size, seed=seed, like=like)
            )
        elif recipe == "paper":
            constraints = _official(shape, size, seed)
        else:
            first = Stop(BEGINNING, None if seconds is None else seconds / 5)
            _begin(field, shape, plan.make_optimizer(field.network, activation), first, pool, progress)
            constraints = _default(shape, size, seed, like)
        if seconds is not None:  # what came before counts as well
            stop = replace(stop, seconds=max(seconds - (time.perf_counter() - began), 1e-3))
        state, stopped = minimize(
            field.function,
            constraints,
            optimizer,
            stop,
            evaluate_every=50,
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            identity={**network.config(), **field.made, "points' checksum": _checksum(shape)},
            progress=progress,
            pool=pool,
        )
    finish(field, state, stopped)
    if shape.normals is None:
        _turn_out(field)
    try:
        field.made |= shape_quality(field, shape)
    except KeyboardInterrupt:  # judging takes a while; what was fitted is not lost by it
        field.made["stopped"] = "interrupted"
    except InputError as error:  # too early a stop: there is no surface yet
        warnings.warn(f"the fit has no surface that could be judged: {error}", stacklevel=2)
    return field


def _official(shape: Surface, size: int, seed: int) -> list[Constraint]:
    """Sitzmann et al. 2020, equation 6, with the official weights, where a mean is over points on and off together."""
    half = shape.header.high[0]
    on, off = surface(shape.points, shape.normals, size, seed=seed), uniform(shape.header.domain, size, seed=seed)
    return [
        zero_on(on, ON / 2),
        normals_align(on, ALIGNED / 2),
        unit_slope("slope on surface", on, half, UNIT / 2),
        unit_slope("slope", off, half, UNIT / 2),
        away_from_zero(off, OFF / 2),
    ]


def _default(shape: Surface, size: int, seed: int, like: Tensor) -> list[Constraint]:
    """The same, but for what is off the surface: the distance to the nearest point says how far from zero that is."""
    half = shape.header.high[0]
    on = surface(shape.points, shape.normals, size, seed=seed)
    draw, tree = near_surface(shape.points, shape.header.domain, REACH * half, size, seed=seed), KDTree(shape.points)

    def off(step: int) -> Batch:
        x = draw(step)
        return _batch(x, tree.query(x)[0] / half, like)

    least = SPACINGS * _spacing(tree) / half
    constraints = [
        zero_on(on, ON / 2),
        unit_slope("slope on surface", on, half, UNIT / 2),
        unit_slope("slope", off, half, UNIT / 2),
        distance_matches(off, least, DISTANCE),
    ]
    return constraints if shape.normals is None else [*constraints, normals_align(on, ALIGNED / 2)]


def _begin(
    field: Field, shape: Surface, optimizer: Optimizer, stop: Stop, pool: WorkerPool, progress: Progress | None
) -> None:
    """Teach a field the distance to the nearest point, with a sign by the nearest normals or by what is enclosed.

    A field that begins with a random sign keeps it where nothing says otherwise.
    """
    domain, seed, like = shape.header.domain, field.made["seed"], field.network.weights[0]
    draw, half = (
        near_surface(shape.points, domain, REACH * shape.header.high[0], GUESSES, seed=seed),
        shape.header.high[0],
    )
    tree, center = KDTree(shape.points), shape.points.mean(axis=0)
    radius = float(np.linalg.norm(shape.points - center, axis=1).mean())
    side = flooded(shape.points, domain, _spacing(tree)) if shape.normals is None else None

    def guess(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if shape.normals is None:
            ball: NDArray[np.float64] = np.linalg.norm(x - center, axis=1) - radius
            return ball if side is None else side(x) * tree.query(x)[0]
        distance, nearest = tree.query(x, NEIGHBOURS)
        outwards = ((x[:, None] - shape.points[nearest]) * shape.normals[nearest]).sum(axis=(1, 2))
        signed: NDArray[np.float64] = np.where(outwards > 0, 1.0, -1.0) * distance[:, 0]
        return signed

    def batch(step: int) -> Batch:
        x = draw(step)
        return _batch(x, guess(x) / half, like)

    def watch(state: State) -> None:
        if progress is not None:  # the fit itself is yet to begin
            progress(replace(state, step=0, seconds=0.0))

    stopped = minimize(field.function, regression(batch), optimizer, stop, progress=watch, pool=pool)[1]
    if stopped == "interrupted":
        raise KeyboardInterrupt


def _spacing(tree: KDTree) -> float:
    """The usual distance from a point to the next."""
    return float(np.median(tree.query(tree.data[:JUDGED], 2)[0][:, 1]))


def _batch(x: NDArray[np.float64], values: NDArray[np.float64], like: Tensor) -> Batch:
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(values[:, None]).to(like))


@torch.no_grad()
def _turn_out(field: Field) -> None:
    """Make a field positive on the faces of its box."""
    batch = boundary(field.header.domain, GUESSES)(0)
    if field(batch.x).mean() < 0:
        for last in (field.network.weights[-1], field.network.biases[-1]):
            last.neg_()


def _checksum(shape: Surface) -> int:
    return zlib.crc32(b"" if shape.normals is None else np.ascontiguousarray(shape.normals).data, checksum(shape))


def closest_points(field: Field, points: ArrayLike) -> NDArray[np.float64]:
    """The points on the zero level that are closest to some points, by steps onto it and along it.

    y ← y - Φ ∇Φ / ‖∇Φ‖² brings y onto the level, and y ← y + ½ (x - y)ₜ, with the part along the level, towards x.

    Args:
        field: a signed distance.
        points: (n, 3), in the field's coordinates.

    Returns:
        (n, 3).

    Raises:
        InputError: points of another shape.
    """
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != field.header.domain.dim:
        raise InputError(f"points have the shape (n, {field.header.domain.dim}); found {x.shape}")
    y = x.copy()
    for _ in range(CLOSING):
        y = _onto(field, _onto(field, y))
        n = field.at(y, "normal")
        away = x - y
        y += 0.5 * (away - n * (away * n).sum(axis=1, keepdims=True))
    return _onto(field, _onto(field, y))


def _onto(field: Field, y: NDArray[np.float64]) -> NDArray[np.float64]:
    slope = field.at(y, "gradient")
    return np.asarray(y - slope * (field.at(y) / np.maximum(np.square(slope).sum(axis=1), 1e-300))[:, None])


def shape_quality(field: Field, shape: Surface) -> dict[str, Any]:
    """How close a shape's field comes to it.

    Returns:
        Of the mesh that the field becomes, beside the shape's own, what `metrics.between` says, as shares of the
        diagonal; beside a point cloud only `completeness`, from its points to the mesh, and `normal_consistency`
        there. `iou`, of the volumes, where the shape's mesh is watertight. `eikonal_near` and `eikonal`, the mean of
        |‖∇Φ‖ - 1| around the surface, at a deviation of 1% of half the box, and anywhere in the box. `components` of
        the mesh, and whether it is `watertight`.

    Raises:
        InputError: the field has no zero level.
    """
    random, domain = np.random.default_rng(0), shape.header.domain
    x = domain.lower + random.random((JUDGED, 3)) * np.subtract(domain.upper, domain.lower)
    near = shape.points[random.integers(0, shape.size, JUDGED)]
    near = near + 0.01 * shape.header.high[0] * random.standard_normal(near.shape)
    slope = {
        name: float(np.abs(np.linalg.norm(field.at(points, "gradient"), axis=1) - 1).mean())
        for name, points in {"eikonal_near": near, "eikonal": x}.items()
    }
    # what is no distance yet may have a zero level everywhere
    mesh = contour(field, resolution=CELLS if slope["eikonal"] < 0.5 else CELLS // 4)
    found: dict[str, Any]
    if shape.mesh is not None:
        found = {**surface_distances(mesh, shape.mesh, shape.diagonal, points=JUDGED)}
    else:
        distance, normals = distances_to_mesh(shape.points, mesh)
        found = {"completeness": float(distance.mean() / shape.diagonal)}
        if shape.normals is not None:
            found["normal_consistency"] = float((shape.normals * normals).sum(axis=1).mean())
    if shape.mesh is not None and watertight(shape.mesh):
        inside, truly = field.at(x) < 0, signed_distances(shape, x) < 0
        found["iou"] = float((inside & truly).sum() / max((inside | truly).sum(), 1))
    return {**found, **slope, "components": count_components(mesh), "watertight": watertight(mesh)}
