"""Triangle meshes: distances, topology, and writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.extras import extra
from sinefield.files import atomic

MESH_SUFFIXES = (".ply", ".obj", ".stl", ".off", ".glb")
"""Suffixes of mesh files."""

CLOSE = 1e-3
"""Largest distance that counts as a match in the F-score, relative to the diagonal."""


class Mesh(NamedTuple):
    """Triangle mesh.

    Attributes:
        vertices: Vertices (v, 3), in the user's units.
        faces: Indices of three vertices for each triangle (f, 3), counterclockwise as seen from outside.
        normals: Outward unit normals of the vertices (v, 3); None if unknown.
    """

    vertices: Float64[np.ndarray, "v 3"]
    faces: Int64[np.ndarray, "f 3"]
    normals: Float64[np.ndarray, "v 3"] | None = None


def surface_distances(
    mesh: Mesh, reference: Mesh, diagonal: float, *, points: int = 100_000, seed: int = 0
) -> dict[str, float]:
    """Compare two surfaces by the distances of random points on each to the nearest points on the other.

    Args:
        mesh: Triangles to evaluate.
        reference: Triangles to compare with.
        diagonal: Diagonal of the bounding box of the reference; all distances are relative to it.
        points: Number of points to sample from each mesh, uniformly by area.
        seed: Seed of the points.

    Returns:
        Dictionary with these entries:
        accuracy: Mean distance from the mesh to the reference.
        completeness: Mean distance from the reference to the mesh.
        chamfer: Mean of accuracy and completeness.
        hausdorff: Largest distance in both directions.
        f_score: Harmonic mean of the fractions of points on each surface within `CLOSE` of the other.
        normal_consistency: Mean cosine of the angle between the normals at a point and at the nearest point.
    """
    with extra("shape"):
        from trimesh import Trimesh
        from trimesh.sample import sample_surface

    distances, cosines = [], []
    for one, other in ((mesh, reference), (reference, mesh)):
        triangles = Trimesh(one.vertices, one.faces, process=False)
        sampled, faces = sample_surface(triangles, points, seed=seed)
        distance, normals = distances_to_mesh(sampled, other)
        distances.append(distance / diagonal)
        cosines.append((triangles.face_normals[faces] * normals).sum(axis=1))
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


def distances_to_mesh(points: NDArray[Any], mesh: Mesh) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the distances (n,) from points (n, 3) to a mesh, and the normals (n, 3) of the nearest triangles."""
    with extra("shape"):
        import igl
        from trimesh import Trimesh

    squared, nearest, _ = igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)
    return np.sqrt(squared), Trimesh(mesh.vertices, mesh.faces, process=False).face_normals[nearest]


def watertight(mesh: Mesh) -> bool:
    """Return whether a mesh encloses a volume: it has no holes, and its triangles have consistent orientation."""
    with extra("shape"):
        from trimesh import Trimesh

    triangles = Trimesh(mesh.vertices, mesh.faces, process=False)
    return bool(triangles.is_watertight and triangles.is_winding_consistent)


def count_components(mesh: Mesh) -> int:
    """Return the number of connected components of a mesh."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    start, end = mesh.faces.reshape(-1), np.roll(mesh.faces, 1, axis=1).reshape(-1)
    edges = coo_array((np.ones(len(start)), (start, end)), shape=[len(mesh.vertices)] * 2)
    labels = connected_components(edges, directed=False)[1]
    return len(np.unique(labels[start]))


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh with the normals of its vertices, in the format that the suffix names.

    Raises:
        InputError: The suffix is not in `MESH_SUFFIXES`, or the path cannot be written.
    """
    check_mesh(path)
    with extra("shape"):
        from trimesh import Trimesh
        from trimesh.exchange.export import export_mesh

    triangles = Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.normals, process=False)
    suffix = path.suffix.lower()
    options: dict[str, Any] = {".ply": {"vertex_normal": True}, ".obj": {"include_normals": True}}
    with atomic(path) as temporary:
        export_mesh(triangles, str(temporary), file_type=suffix[1:], **options.get(suffix, {}))


def check_mesh(path: Path) -> None:
    """Raise InputError unless a mesh can be written to this path."""
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise InputError(f"{path.name}: a mesh is written as {', '.join(MESH_SUFFIXES)}")
    with extra("shape"):
        import trimesh  # noqa: F401
