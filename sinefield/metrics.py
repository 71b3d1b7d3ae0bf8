"""How close a field comes to the truth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.signals.surface import Mesh

Array = NDArray[Any]

CLOSE = 1e-3
"""Of the diagonal: what counts as close in an F-score."""


def psnr(mse: float, peak: float = 2.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log₁₀(peak² / mse); the peak of a signal on [-1, 1] is 2.

    >>> round(psnr(0.04), 6)
    20.0
    """
    if mse == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mse) if mse < math.inf else -math.inf


def ssim(truth: Array, estimate: Array, peak: float) -> float | None:
    """Structural similarity of two pictures (height, width, channels), with scikit-image's defaults.

    None for a picture smaller than its window of 7 × 7.
    """
    from skimage.metrics import structural_similarity

    if min(truth.shape[:2]) < 7:
        return None
    return float(structural_similarity(truth.astype(float), estimate.astype(float), data_range=peak, channel_axis=-1))


def between(mesh: Mesh, truth: Mesh, diagonal: float, *, points: int = 100_000, seed: int = 0) -> dict[str, float]:
    """How close two surfaces are, by points drawn from each by area and the exact nearest points on the other.

    Args:
        mesh, truth: triangles.
        diagonal: of the box around the truth, of which distances are shares.
        points: how many are drawn from each.
        seed: of these.

    Returns:
        accuracy: the mean distance from the mesh to the truth.
        completeness: that from the truth to the mesh.
        chamfer: the mean of both.
        hausdorff: the largest distance of either.
        f_score: the harmonic mean of the shares of both that are within 0.1% of the diagonal.
        normal_consistency: the mean cosine between the normals of points and of those nearest to them.
    """
    from trimesh import Trimesh
    from trimesh.sample import sample_surface

    distances, cosines = [], []
    for one, other in ((mesh, truth), (truth, mesh)):
        triangles = Trimesh(one.vertices, one.faces, process=False)
        drawn, on = sample_surface(triangles, points, seed=seed)
        distance, normals = to_mesh(drawn, other)
        distances.append(distance / diagonal)
        cosines.append((triangles.face_normals[on] * normals).sum(axis=1))
    precision, recall = (float((each <= CLOSE).mean()) for each in distances)
    accuracy, completeness = (float(each.mean()) for each in distances)
    return {
        "chamfer": (accuracy + completeness) / 2,
        "accuracy": accuracy,
        "completeness": completeness,
        "hausdorff": float(max(each.max() for each in distances)),
        "f_score": 2 * precision * recall / max(precision + recall, 1e-300),
        "normal_consistency": float(np.mean(cosines)),
    }


def to_mesh(points: Array, mesh: Mesh) -> tuple[Array, Array]:
    """The distances (n,) from points (n, 3) to a mesh, and the normals (n, 3) of the triangles that are nearest."""
    import igl  # type: ignore[import-untyped]
    from trimesh import Trimesh

    squared, nearest, _ = igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)
    return np.sqrt(squared), Trimesh(mesh.vertices, mesh.faces, process=False).face_normals[nearest]
