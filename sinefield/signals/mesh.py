"""Triangle meshes: queries, distances between them, and writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from sinefield.errors import InputError
from sinefield.files import atomic
from sinefield.metrics import Array

CLOSE = 1e-3
"""Of the diagonal: what counts as close in an F-score."""


def surface_distances(
    mesh: Mesh, reference: Mesh, diagonal: float, *, points: int = 100_000, seed: int = 0
) -> dict[str, float]:
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
    for one, other in ((mesh, reference), (reference, mesh)):
        triangles = Trimesh(one.vertices, one.faces, process=False)
        drawn, on = sample_surface(triangles, points, seed=seed)
        distance, normals = distances_to_mesh(drawn, other)
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


def distances_to_mesh(points: Array, mesh: Mesh) -> tuple[Array, Array]:
    """The distances (n,) from points (n, 3) to a mesh, and the normals (n, 3) of the triangles that are nearest."""
    import igl  # type: ignore[import-untyped]
    from trimesh import Trimesh

    squared, nearest, _ = igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)
    return np.sqrt(squared), Trimesh(mesh.vertices, mesh.faces, process=False).face_normals[nearest]


MESH_SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb")


class Mesh(NamedTuple):
    """Triangles in space.

    Attributes:
        vertices: (v, 3), in the user's units.
        faces: three vertices each (f, 3), counterclockwise as seen from outside.
        normals: of the vertices, unit length, outwards (v, 3); None where they are not known.
    """

    vertices: Float64[np.ndarray, "v 3"]
    faces: Int64[np.ndarray, "f 3"]
    normals: Float64[np.ndarray, "v 3"] | None = None


def watertight(mesh: Mesh) -> bool:
    """Whether a mesh has an inside: no holes, and all triangles turned one way."""
    from trimesh import Trimesh

    made = Trimesh(mesh.vertices, mesh.faces, process=False)
    return bool(made.is_watertight and made.is_winding_consistent)


def count_components(mesh: Mesh) -> int:
    """How many connected pieces a mesh has."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, end = mesh.faces.reshape(-1), np.roll(mesh.faces, 1, axis=1).reshape(-1)
    edges = coo_array((np.ones(len(start)), (start, end)), shape=[len(mesh.vertices)] * 2)
    labels = connected_components(edges, directed=False)[1]
    return len(np.unique(labels[start]))


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh with the normals of its vertices, in the format that the suffix names.

    Raises:
        InputError: another suffix, or a file that cannot be written.
    """
    from trimesh import Trimesh
    from trimesh.exchange.export import export_mesh

    check_mesh(path)
    made = Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    options: dict[str, Any] = {".ply": {"vertex_normal": True}, ".obj": {"include_normals": True}}
    with atomic(path) as temporary:
        export_mesh(made, str(temporary), file_type=path.suffix.lower()[1:], **options.get(path.suffix.lower(), {}))


def check_mesh(path: Path) -> None:
    """Raise InputError unless a mesh can be written under this name."""
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise InputError(f"{path.name}: a mesh is written as {', '.join(MESH_SUFFIXES)}")
