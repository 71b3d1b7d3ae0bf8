"""A shape as its signed distance function: from points on its surface, or from distances to a watertight mesh."""

from __future__ import annotations

import time
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree
from torch import Tensor

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.regression import regression
from sinefield.constraints.signed_distance import (
    away_from_zero,
    distance_matches,
    normals_align,
    unit_slope,
    zero_on,
)
from sinefield.errors import InputError
from sinefield.field.contour import contour
from sinefield.field.field import Field
from sinefield.parallel import WorkerPool
from sinefield.progress import Progress, ProgressCallback
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, near_surface, surface, uniform
from sinefield.sampling.data import random_batches
from sinefield.signals.flood_fill import flooded
from sinefield.signals.mesh import count_components, distances_to_mesh, surface_distances, watertight
from sinefield.signals.surface import Surface, distances_around, signed_distances
from sinefield.training.minimize import train
from sinefield.training.optimizers.choices import repeat_batches
from sinefield.training.quality import checksum
from sinefield.training.recipes import Recipe, build_network, find_recipe
from sinefield.training.spec import NetworkSpec, Training
from sinefield.training.train_field import new_field, train_field

SURFACE_WEIGHT = 3e3
"""The official weight of Φ = 0 on the surface."""

NORMAL_WEIGHT = 1e2
"""The official weight of the normals on the surface."""

SLOPE_WEIGHT = 5e1
"""The official weight of the unit slope."""

OFF_SURFACE_WEIGHT = 1e2
"""The official weight of the points off the surface."""

DISTANCE_WEIGHT = 300.0
"""Weight of the distances to the nearest point."""

REACH = 0.02
"""Standard deviation of points near the surface, relative to half the box."""

MIN_SPACINGS = 4.0
"""Distances to the nearest point below this multiple of the spacing of the points are not used."""

GUESS_STEPS = 200
"""Steps in which a field learns the initial guess, in at most a fifth of the time."""

GUESS_POINTS = 2048
"""Points in a step of the initial guess."""

NEIGHBORS = 8
"""Nearest points whose normals determine the sign of the initial guess."""

SUPERVISED_POINTS = 400_000
"""Points whose distance to a mesh is fitted with `supervise="distance"`."""

EVAL_POINTS = 50_000
"""Points on a surface and in its box at which a field is evaluated."""

CELLS = 256
"""Cells along the longest side of the mesh that is evaluated and displayed."""

PROJECTION_STEPS = 20
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
    optimizer: str | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: ProgressCallback | None = None,
) -> Field:
    """Fit the signed distance to a surface: zero on it, negative inside, positive outside.

        Φ(x) = 0 and ∇Φ(x) = n(x) on the surface,   ‖∇Φ(x)‖ = 1 and |Φ(x)| = distance everywhere

    Args:
        shape: Points on the surface. Without normals, the outside is what can be reached from the border of their box;
            the points must then lie close enough to enclose something, else the initial guess is a ball.
        supervise: "surface" for the constraints above, "distance" for signed distances to a watertight mesh.
        recipe: "default", or "paper" for loss, weights, batch and optimizer of the official code; needs normals.
        activation, width, depth, omega, optimizer, steps, seconds, seed, device, dtype, checkpoint, resume, progress:
            As for `sinefield.fit`.

    Returns:
        The field, in the units of the shape; for `field.info.quality` see `shape_quality`.

    Raises:
        InputError: Distances to a mesh with holes, no normals for the paper's loss, or what `sinefield.fit` raises.
    """
    if supervise not in ("surface", "distance"):
        raise InputError(f"supervise must be surface or distance; it is {supervise!r}")
    if recipe in ("natural", "small"):
        raise InputError(f"the recipe {recipe} is for values, not for shapes; take default or paper")
    if recipe == "paper" and (supervise == "distance" or shape.normals is None):
        raise InputError("the paper's recipe needs points with normals; take the default")
    spec = NetworkSpec(activation, width, depth, omega)
    training = Training(steps, seconds, None, seed, device, dtype, checkpoint, resume, progress)
    field = _fit(shape, supervise, spec, training, recipe, optimizer)
    if shape.normals is None:
        _make_positive_outside(field)
    try:
        field.info = field.info.with_quality(shape_quality(field, shape))
    except KeyboardInterrupt:  # the evaluation takes a while; the fitted field is kept
        field.info = field.info.interrupted()
    except InputError as error:  # the training was too short for a surface
        warnings.warn(f"the fit has no surface to evaluate: {error}", stacklevel=2)
    return field


def closest_points(field: Field, points: ArrayLike) -> NDArray[np.float64]:
    """Return the points on the zero level set that are closest to given points.

    y ← y - Φ ∇Φ / ‖∇Φ‖² projects y onto the level set, and y ← y + ½ (x - y)ₜ moves it tangentially towards x.

    Args:
        field: A signed distance.
        points: Shape (n, 3), in the coordinates of the field.

    Returns:
        Shape (n, 3).

    Raises:
        InputError: Points of another shape.
    """
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != field.header.domain.dim:
        raise InputError(f"points have the shape (n, {field.header.domain.dim}); found {x.shape}")
    y = x.copy()
    for _ in range(PROJECTION_STEPS):
        y = _project(field, _project(field, y))
        n = field.at(y, "normal")[:, 0]
        offset = x - y
        y += 0.5 * (offset - n * (offset * n).sum(axis=1, keepdims=True))
    return _project(field, _project(field, y))


def shape_quality(field: Field, shape: Surface) -> dict[str, Any]:
    """Return how close the field of a shape comes to it.

    Returns:
        For a mesh, the figures of `sinefield.signals.mesh.surface_distances` between the mesh of the field and that of
        the shape, relative to the diagonal, and `iou` of the volumes if the mesh is watertight. For a point cloud,
        `completeness`, the mean distance from its points to the mesh of the field, and `normal_consistency` there.
        `eikonal_near` and `eikonal`, the mean of |‖∇Φ‖ - 1| around the surface (standard deviation 1% of half the box)
        and in the whole box. `components`, the number of connected components of the mesh, and whether it is
        `watertight`.

    Raises:
        InputError: The field has no zero level set.
    """
    random, domain = np.random.default_rng(0), shape.header.domain
    x = domain.lower + random.random((EVAL_POINTS, 3)) * np.subtract(domain.upper, domain.lower)
    near = shape.points[random.integers(0, shape.size, EVAL_POINTS)]
    near = near + 0.01 * shape.header.high[0] * random.standard_normal(near.shape)
    slope = {
        name: float(np.abs(np.linalg.norm(field.at(points, "gradient")[:, 0], axis=1) - 1).mean())
        for name, points in {"eikonal_near": near, "eikonal": x}.items()
    }
    # a field that is not yet a distance may have a zero level set everywhere
    mesh = contour(field, resolution=CELLS if slope["eikonal"] < 0.5 else CELLS // 4)
    figures: dict[str, Any]
    if shape.mesh is not None:
        figures = {**surface_distances(mesh, shape.mesh, shape.diagonal, points=EVAL_POINTS)}
    else:
        distance, normals = distances_to_mesh(shape.points, mesh)
        figures = {"completeness": float(distance.mean() / shape.diagonal)}
        if shape.normals is not None:
            figures["normal_consistency"] = float((shape.normals * normals).sum(axis=1).mean())
    if shape.mesh is not None and watertight(shape.mesh):
        inside, reference = field.at(x)[:, 0] < 0, signed_distances(shape, x) < 0
        figures["iou"] = float((inside & reference).sum() / max((inside | reference).sum(), 1))
    return {**figures, **slope, "components": count_components(mesh), "watertight": watertight(mesh)}


def _fit(
    shape: Surface, supervise: str, spec: NetworkSpec, training: Training, recipe: str, optimizer: str | None
) -> Field:
    """Return the trained field of a shape, which is yet to be evaluated."""
    start, seed, seconds = time.perf_counter(), training.seed, training.seconds
    plan = find_recipe(recipe, shape, spec.activation, optimizer)
    network = build_network(spec, shape, plan, seed)
    field = new_field(network, shape, plan, training, "fit_shape", {"recipe": recipe, "supervise": supervise})
    training, size, like = training.or_steps(plan.steps), plan.batch_size(shape.size), field.network.weights[0]
    method = plan.make_optimizer(field.network)
    with WorkerPool(like.device) as pool:
        if supervise == "distance":
            samples = distances_around(shape, SUPERVISED_POINTS, seed=seed)
            constraints = regression(random_batches(samples, size, seed=seed, like=like))
        elif recipe == "paper":
            constraints = _official(shape, size, seed)
        else:
            _fit_guess(field, shape, plan, training, pool)
            constraints = _default(shape, size, seed, like)
        if seconds is not None:  # the time spent so far counts
            training = replace(training, seconds=max(seconds - (time.perf_counter() - start), 1e-3))
        train_field(
            field,
            repeat_batches(constraints, plan.optimizer),
            method,
            training,
            evaluate_every=50,
            identity={"source": shape.name, "checksum": _checksum(shape)},
            pool=pool,
        )
    return field


def _official(shape: Surface, size: int, seed: int) -> list[Constraint]:
    """Return the loss of Sitzmann et al. 2020, equation 6, with the official weights.

    There a mean is over the points on and off the surface together, hence the halves.
    """
    scale = shape.header.high[0]
    on, off = surface(shape.points, shape.normals, size, seed=seed), uniform(shape.header.domain, size, seed=seed)
    return [
        zero_on(on, SURFACE_WEIGHT / 2),
        normals_align(on, NORMAL_WEIGHT / 2),
        unit_slope("slope on surface", on, scale, SLOPE_WEIGHT / 2),
        unit_slope("slope", off, scale, SLOPE_WEIGHT / 2),
        away_from_zero(off, OFF_SURFACE_WEIGHT / 2),
    ]


def _default(shape: Surface, size: int, seed: int, like: Tensor) -> list[Constraint]:
    """Return the same loss, with the distance to the nearest point in place of the penalty off the surface."""
    scale = shape.header.high[0]
    on = surface(shape.points, shape.normals, size, seed=seed)
    draw = near_surface(shape.points, shape.header.domain, REACH * scale, size, seed=seed)
    tree = KDTree(shape.points)

    def off(step: int) -> Batch:
        x = draw(step)
        return _batch(x, tree.query(x)[0] / scale, like)

    smallest = MIN_SPACINGS * _spacing(tree) / scale
    constraints = [
        zero_on(on, SURFACE_WEIGHT / 2),
        unit_slope("slope on surface", on, scale, SLOPE_WEIGHT / 2),
        unit_slope("slope", off, scale, SLOPE_WEIGHT / 2),
        distance_matches(off, smallest, DISTANCE_WEIGHT),
    ]
    return constraints if shape.normals is None else [*constraints, normals_align(on, NORMAL_WEIGHT / 2)]


def _fit_guess(field: Field, shape: Surface, plan: Recipe, training: Training, pool: WorkerPool) -> None:
    """Fit the field to an initial guess of the signed distance.

    A field with a random sign would keep it wherever no constraint determines the sign.
    """
    scale, like = shape.header.high[0], field.network.weights[0]
    draw = near_surface(shape.points, shape.header.domain, REACH * scale, GUESS_POINTS, seed=training.seed)
    guess = _guess(shape)

    def batch(step: int) -> Batch:
        x = draw(step)
        return _batch(x, guess(x) / scale, like)

    def report(progress: Progress) -> None:
        training.report(Progress(0.0, f"initial guess, {progress.message}"))

    seconds = None if training.seconds is None else training.seconds / 5
    short = replace(training, steps=GUESS_STEPS, seconds=seconds, checkpoint=None, resume=False, progress=report)
    field.function.requires_grad_()
    optimizer = plan.make_optimizer(field.network)
    if train(field.function, regression(batch), optimizer, short, pool=pool).stopped == "interrupted":
        raise KeyboardInterrupt


def _guess(shape: Surface) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the distance to the nearest point, with a sign from the nearest normals or from what is enclosed."""
    tree, center = KDTree(shape.points), shape.points.mean(axis=0)
    radius = float(np.linalg.norm(shape.points - center, axis=1).mean())
    side = flooded(shape.points, shape.header.domain, _spacing(tree)) if shape.normals is None else None

    def guess(x: NDArray[np.float64]) -> NDArray[np.float64]:
        if shape.normals is None:
            ball: NDArray[np.float64] = np.linalg.norm(x - center, axis=1) - radius
            return ball if side is None else side(x) * tree.query(x)[0]
        distance, nearest = tree.query(x, NEIGHBORS)
        outwards = ((x[:, None] - shape.points[nearest]) * shape.normals[nearest]).sum(axis=(1, 2))
        signed: NDArray[np.float64] = np.where(outwards > 0, 1.0, -1.0) * distance[:, 0]
        return signed

    return guess


def _spacing(tree: KDTree) -> float:
    """Return the median distance from a point to its nearest neighbor."""
    return float(np.median(tree.query(tree.data[:EVAL_POINTS], 2)[0][:, 1]))


def _batch(x: NDArray[np.float64], values: NDArray[np.float64], like: Tensor) -> Batch:
    return Batch(torch.from_numpy(x).to(like.device), torch.from_numpy(values[:, None]).to(like))


@torch.no_grad()
def _make_positive_outside(field: Field) -> None:
    """Flip the sign of a field that is negative on the faces of its box."""
    batch = boundary(field.header.domain, GUESS_POINTS)(0)
    if field(batch.x).mean() < 0:
        for last in (field.network.weights[-1], field.network.biases[-1]):
            last.neg_()


def _project(field: Field, y: NDArray[np.float64]) -> NDArray[np.float64]:
    slope = field.at(y, "gradient")[:, 0]
    return np.asarray(y - slope * (field.at(y)[:, 0] / np.maximum(np.square(slope).sum(axis=1), 1e-300))[:, None])


def _checksum(shape: Surface) -> int:
    return zlib.crc32(b"" if shape.normals is None else np.ascontiguousarray(shape.normals).data, checksum(shape))
