"""Surfaces: meshes and point clouds as signals whose value, the signed distance, is zero at all samples."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sinefield.domain import Domain
from sinefield.errors import InputError, one_line
from sinefield.extras import extra
from sinefield.files import check_input
from sinefield.signals.array import real_numbers
from sinefield.signals.formats import Format, register
from sinefield.signals.mesh import MESH_SUFFIXES, Mesh, watertight
from sinefield.signals.signal import Header, Signal, check_finite

SURFACE_SUFFIXES = (*MESH_SUFFIXES, ".xyz")
"""Suffixes of mesh and point cloud files."""

MARGIN = 0.1
"""Margin of the domain around a surface, relative to the longest side of its bounding box."""

CELLS = 128
"""Default number of cells along the longest side of the domain."""

SAMPLES = 200_000
"""Default number of points that are sampled from a mesh."""

FLAT = 1e-6
"""Ratio of the smallest to the largest extent of points below which they are taken to lie in a plane."""


@dataclass(frozen=True)
class Surface(Signal):
    """Points on a surface; their value, the signed distance, is zero.

    Attributes:
        normals: Outward unit normals (n, 3), with zeros for unknown ones; None if all are unknown.
        mesh: Mesh that the points were sampled from; None for a point cloud.
    """

    normals: NDArray[np.float64] | None = None
    mesh: Mesh | None = None

    @property
    def points(self) -> NDArray[np.float64]:
        """Points (n, 3), in the user's units."""
        assert self.coords is not None
        return self.coords

    @property
    def diagonal(self) -> float:
        """Diagonal of the bounding box of the surface, which errors are relative to."""
        corners = self.points if self.mesh is None else self.mesh.vertices
        return float(np.linalg.norm(np.ptp(corners, axis=0)))


def from_point_cloud(
    points: ArrayLike | Tensor, normals: ArrayLike | Tensor | None = None, *, name: str = "cloud"
) -> Surface:
    """Return a point cloud as a surface; the domain is its bounding box plus a margin of 10% of the longest side.

    Args:
        points: Points (n, 3), in the user's units. Repeated points are removed, with a warning.
        normals: Outward normals (n, 3) of any length; zeros for unknown ones (default: all unknown).
        name: Name for messages and figures.

    Raises:
        InputError: There are fewer than four points, the points lie in a plane, an array has another shape or holds
            NaN or infinity, or all normals are zero.

    >>> from_point_cloud([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).header.domain.upper
    (1.1, 1.1, 1.1)
    """
    coords = _triples(points, f"the points of {name}")
    directions = None if normals is None else _triples(normals, f"the normals of {name}")
    if directions is not None and len(directions) != len(coords):
        raise InputError(f"{name} has {len(coords)} points and {len(directions)} normals; each point needs a normal")
    first = np.sort(np.unique(coords, axis=0, return_index=True)[1])
    if repeated := len(coords) - len(first):
        warnings.warn(f"{repeated} of {len(coords)} points of {name} are repeated and are removed", stacklevel=2)
        coords, directions = coords[first], None if directions is None else directions[first]
    if len(coords) < 4:
        raise InputError(f"{name} has {len(coords)} of the four or more points that are needed")
    extents = np.linalg.svd(coords - coords.mean(axis=0), compute_uv=False)
    if extents[2] <= FLAT * extents[0]:
        raise InputError(f"the points of {name} lie in a plane; a shape needs all three dimensions")
    if directions is not None:
        length = np.linalg.norm(directions, axis=1, keepdims=True)
        if not length.any():
            raise InputError(f"the normals of {name} are all zero; leave them out")
        if unknown := int((length == 0).sum()):
            warnings.warn(f"{unknown} normals of {name} are zero and are ignored", stacklevel=2)
        directions = directions / np.where(length > 0, length, 1)
    return _surface(coords, directions, None, name)


def from_mesh(
    vertices: ArrayLike | Tensor, faces: ArrayLike, *, points: int = SAMPLES, seed: int = 0, name: str = "mesh"
) -> Surface:
    """Sample points from the triangles of a mesh, uniformly by area, with the normals of the triangles.

    Args:
        vertices: Vertices (v, 3), in the user's units; those at the same position are merged.
        faces: Indices of three vertices for each triangle (f, 3), counterclockwise as seen from outside. A watertight
            mesh with inward normals is inverted; if orientations are inconsistent, the normals are left out, with a
            warning.
        points: Number of points to sample.
        seed: Seed of the points.
        name: Name for messages and figures.

    Raises:
        InputError: No triangle has an area, an index is out of range, an array has another shape or holds NaN or
            infinity, or fewer than four points are requested.
    """
    with extra("shape"):
        from trimesh import Trimesh
        from trimesh.sample import sample_surface

    corners, triangles = _triples(vertices, f"the vertices of {name}"), _triangles(faces, name)
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(corners):
        raise InputError(f"the faces of {name} have indices of vertices that are not there; it has {len(corners)}")
    if not points >= 4:
        raise InputError(f"{points} points of {name} were requested; four or more are needed")
    mesh = Trimesh(corners, triangles, process=True, validate=True)
    if not len(mesh.faces) or not mesh.area > 0:
        raise InputError(f"{name} has no triangle with an area")
    if mesh.is_watertight and mesh.is_winding_consistent and mesh.volume < 0:
        mesh.invert()
    sampled, indices = sample_surface(mesh, points, seed=seed)
    consistent = bool(mesh.is_winding_consistent)
    if not consistent:
        warnings.warn(f"the triangles of {name} are oriented inconsistently; normals are left out", stacklevel=2)
    surface = from_point_cloud(sampled, mesh.face_normals[indices] if consistent else None, name=name)
    return replace(surface, mesh=Mesh(np.array(mesh.vertices), np.array(mesh.faces, np.int64)))


def read_surface(path: str | Path, *, points: int | None = None, seed: int = 0) -> Surface:
    """Read a mesh (.ply, .obj, .stl, .off, .glb) or a point cloud (.ply, .obj, .xyz, .npz).

    A row of an .xyz file holds x y z or x y z nx ny nz. An .npz file holds an array "points" (n, 3) and, optionally,
    "normals" (n, 3).

    Args:
        path: Path of the file.
        points: Number of points to sample from a mesh (default: 200,000).
        seed: Seed of the points.

    Raises:
        InputError: The file is missing, empty or damaged, or `from_mesh` or `from_point_cloud` rejects its content.
    """
    path = check_input(Path(path))
    match path.suffix.lower():
        case ".xyz":
            vertices, normals, faces = *_read_xyz(path), None
        case ".npz":
            vertices, normals, faces = *_read_npz(path), None
        case _:
            vertices, normals, faces = _read_with_trimesh(path)
    if faces is not None:
        return from_mesh(vertices, faces, points=SAMPLES if points is None else points, seed=seed, name=path.stem)
    if points is not None:
        raise InputError(f"{path} is a point cloud, of which all points are used; points applies to a mesh")
    return from_point_cloud(vertices, normals, name=path.stem)


def holds_point_cloud(path: Path) -> bool:
    """Return whether a file is an .npz with an array "points", which is read as a point cloud and not as an array."""
    if path.suffix.lower() != ".npz":
        return False
    try:
        with np.load(path) as file:
            return "points" in file.files
    except Exception:  # the reader of arrays reports what is wrong
        return False


def signed_distances(surface: Surface, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
    """Return the distances from points to a watertight mesh, negative inside.

    Args:
        surface: Surface with a mesh.
        points: Points (n, 3), in the user's units.

    Raises:
        InputError: The surface is a point cloud, or its mesh has holes.

    Source: Barill et al., "Fast Winding Numbers for Soups and Clouds", 2018, as implemented in libigl.
    """
    with extra("shape"):
        import igl

    if surface.mesh is None:
        raise InputError(f"{surface.name} is a point cloud; signed distances need a watertight mesh")
    if not watertight(surface.mesh):
        raise InputError(f"{surface.name} has holes, so its inside is undefined; fit its surface instead")
    kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return np.asarray(igl.signed_distance(points, surface.mesh.vertices, surface.mesh.faces, sign_type=kind)[0])


def distances_around(surface: Surface, count: int, *, seed: int = 0) -> Signal:
    """Sample signed distances to a mesh at scattered points: half of them near the surface, half in the whole domain.

    The offsets of the points near the surface are normally distributed. Their standard deviations are log-uniform from
    1e-4 to 0.1 times half the longest side of the domain.

    Args:
        surface: Surface with a watertight mesh.
        count: Number of points.
        seed: Seed of the points.

    Raises:
        InputError: The surface is a point cloud, or its mesh has holes.
    """
    random, domain, half = np.random.default_rng((seed, 0xD15)), surface.header.domain, surface.header.high[0]
    x = domain.lower + random.random((count, 3)) * np.subtract(domain.upper, domain.lower)
    near = x[: count // 2]
    scale = half * 10 ** random.uniform(-4, -1, (len(near), 1))
    near[:] = surface.points[random.integers(0, surface.size, len(near))]
    near += scale * random.standard_normal(near.shape)
    np.clip(x, domain.lower, domain.upper, out=x)
    return Signal(signed_distances(surface, x)[:, None], surface.header, surface.name, x)


def _surface(points: NDArray[np.float64], normals: NDArray[np.float64] | None, mesh: Mesh | None, name: str) -> Surface:
    lower, upper = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * float((upper - lower).max())
    lower, upper = lower - margin, upper + margin
    half = float((upper - lower).max()) / 2
    domain = Domain(tuple(lower.tolist()), tuple(upper.tolist()), ("x", "y", "z"), ("",) * 3, (half,) * 3)
    shape = tuple(max(round(CELLS * extent / (2 * half)), 1) for extent in (upper - lower).tolist())
    header = Header("shape", domain, shape, (), "float64", (-half,), (half,))
    return Surface(np.zeros((len(points), 1)), header, name, points, normals, mesh)


def _triples(values: ArrayLike | Tensor, name: str) -> NDArray[np.float64]:
    """Finite real numbers (n, 3)."""
    array = real_numbers(values, name).astype(np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(f"{name} have the shape {array.shape}; (n, 3) is needed")
    check_finite(array, name)
    return array


def _triangles(faces: ArrayLike, name: str) -> NDArray[Any]:
    """Indices of vertices (f, 3)."""
    triangles = real_numbers(faces, f"the faces of {name}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "ui":
        raise InputError(
            f"the faces of {name} are {triangles.dtype} of shape {triangles.shape}; whole numbers (f, 3) are needed"
        )
    return triangles


def _read_xyz(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """The points and, if there are any, the normals in a text file."""
    try:
        with warnings.catch_warnings():  # about an empty file, which is an error below
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no table of points x y z, or x y z nx ny nz: {one_line(error)}") from error
    if table.shape[1] not in (3, 6):
        raise InputError(f"{path} has {table.shape[1]} columns; x y z, or x y z nx ny nz, are needed")
    return table[:, :3], table[:, 3:] if table.shape[1] == 6 else None


def _read_npz(path: Path) -> tuple[Any, Any]:
    """The points and, if there are any, the normals in an .npz file."""
    try:
        with np.load(path) as file:
            return file["points"], file["normals"] if "normals" in file.files else None
    except Exception as error:  # decoders raise many types of errors for damaged files
        raise InputError(f'{path} holds no array "points" that can be read: {one_line(error)}') from error


def _read_with_trimesh(path: Path) -> tuple[Any, Any, Any]:
    """The vertices, the normals of a point cloud, and the faces of a mesh."""
    with extra("shape"):
        import trimesh

    try:
        geometry = trimesh.load_scene(path, process=False).to_geometry()
    except Exception as error:  # decoders raise many types of errors for damaged files
        raise InputError(f"{path} is no mesh or point cloud, or is damaged ({one_line(error)})") from error
    vertices = np.asarray(getattr(geometry, "vertices", ()))
    if not len(vertices):
        raise InputError(f"{path} holds no points, or is no {path.suffix.lower()} file")
    if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
        return vertices, None, geometry.faces
    return vertices, _normals_of_cloud(geometry), None


def _normals_of_cloud(cloud: Any) -> NDArray[np.float64] | None:
    """The normals of a point cloud in a .ply file, which trimesh keeps only in the raw data."""
    data = cloud.metadata.get("_ply_raw", {}).get("vertex", {}).get("data", {})
    names = ("nx", "ny", "nz")
    if not set(names) <= set(data.dtype.names if isinstance(data, np.ndarray) else data):
        return None
    return np.stack([np.asarray(data[name], np.float64).reshape(-1) for name in names], axis=-1)


register(Format("shape", SURFACE_SUFFIXES, read_surface, options=("points",), claims=holds_point_cloud))
