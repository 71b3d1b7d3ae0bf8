"""Surfaces: point clouds and meshes ⇄ `Surface`, a signal whose value, the signed distance, is zero at its samples."""

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
from sinefield.files import check_input
from sinefield.signals.array import real_numbers
from sinefield.signals.mesh import MESH_SUFFIXES, Mesh, watertight
from sinefield.signals.signal import Header, Signal, check_finite

SURFACE_SUFFIXES = (*MESH_SUFFIXES, ".xyz")


MARGIN, CELLS, SAMPLES, FLAT = 0.1, 128, 200_000, 1e-6
"""Around a surface, a share of its longest side; cells along the longest side of its box, unless said otherwise; points
that are drawn from a mesh; and the thickness beside the length below which points count as a plane."""


@dataclass(frozen=True)
class Surface(Signal):
    """Points on a surface; their value, the signed distance, is zero.

    Attributes:
        normals: outwards, of unit length or zero where one is not known (n, 3); None without any.
        mesh: what the points were drawn from.
    """

    normals: NDArray[np.float64] | None = None
    mesh: Mesh | None = None

    @property
    def points(self) -> NDArray[np.float64]:
        """(n, 3), in the user's units."""
        assert self.coords is not None
        return self.coords

    @property
    def diagonal(self) -> float:
        """Of the box around the surface: what distances are compared with."""
        corners = self.points if self.mesh is None else self.mesh.vertices
        return float(np.linalg.norm(np.ptp(corners, axis=0)))


def from_point_cloud(
    points: ArrayLike | Tensor, normals: ArrayLike | Tensor | None = None, *, name: str = "cloud"
) -> Surface:
    """A point cloud as a surface; its domain is the box around it and a tenth of its longest side.

    Args:
        points: (n, 3), in the user's units. Points that come again are left out, with a warning.
        normals: outwards (n, 3), of any length. A point whose normal is zero counts by its place alone.
        name: for messages and figures.

    Raises:
        InputError: fewer than four points, points in a plane, other shapes, NaN or infinity, normals that are all zero.

    >>> from_cloud([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).header.domain.upper
    (1.1, 1.1, 1.1)
    """
    coords = _triples(points, f"the points of {name}")
    directions = None if normals is None else _triples(normals, f"the normals of {name}")
    if directions is not None and len(directions) != len(coords):
        raise InputError(f"{name} has {len(coords)} points and {len(directions)} normals; each point needs its own")
    first = np.sort(np.unique(coords, axis=0, return_index=True)[1])
    if again := len(coords) - len(first):
        warnings.warn(f"{again} of {len(coords)} points of {name} come again and are left out", stacklevel=2)
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
        if zero := int((length == 0).sum()):
            warnings.warn(f"{zero} normals of {name} are zero; these points count by their place alone", stacklevel=2)
        directions = directions / np.where(length > 0, length, 1)
    return _surface(coords, directions, None, name)


def from_mesh(
    vertices: ArrayLike | Tensor, faces: ArrayLike, *, points: int = SAMPLES, seed: int = 0, name: str = "mesh"
) -> Surface:
    """Points drawn from the triangles of a mesh, by their area, with the triangles' normals.

    Args:
        vertices: (v, 3), in the user's units; those at one place are taken as one.
        faces: three vertices each (f, 3), counterclockwise as seen from outside. A watertight mesh that is inside out
            is turned; where neighbours do not agree, the normals are left out, with a warning.
        points: how many to draw.
        seed: of the points.
        name: for messages and figures.

    Raises:
        InputError: no triangle with an area, indices of vertices that are not there, other shapes, NaN or infinity.
    """
    from trimesh import Trimesh
    from trimesh.sample import sample_surface

    corners = _triples(vertices, f"the vertices of {name}")
    triangles = real_numbers(faces, f"the faces of {name}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "ui":
        raise InputError(
            f"the faces of {name} are {triangles.shape} {triangles.dtype}; (f, 3) whole numbers are needed"
        )
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(corners):
        raise InputError(f"the faces of {name} name vertices that are not there; it has {len(corners)}")
    if not points >= 4:
        raise InputError(f"four or more points are needed of {name}; {points} were asked for")
    mesh = Trimesh(corners, triangles, process=True, validate=True)
    if not len(mesh.faces) or not mesh.area > 0:
        raise InputError(f"{name} has no triangle with an area")
    if mesh.is_watertight and mesh.is_winding_consistent and mesh.volume < 0:
        mesh.invert()
    drawn, which = sample_surface(mesh, points, seed=seed)
    oriented = bool(mesh.is_winding_consistent)
    if not oriented:
        warnings.warn(f"the triangles of {name} are not turned one way, so their normals are left out", stacklevel=2)
    surface = from_point_cloud(drawn, mesh.face_normals[which] if oriented else None, name=name)
    return replace(surface, mesh=Mesh(np.array(mesh.vertices), np.array(mesh.faces, np.int64)))


def read_surface(path: str | Path, *, points: int | None = None, seed: int = 0) -> Surface:
    """A mesh (.ply, .obj, .stl, .off, .glb), or a point cloud (.ply, .obj, .xyz or .npz), with or without normals.

    An .xyz holds x y z, or x y z nx ny nz, in a row; an .npz an array "points" (n, 3) and perhaps "normals" (n, 3).

    Args:
        path: of the file.
        points: how many to draw from a mesh.
        seed: of these.

    Raises:
        InputError: the file is missing, empty or damaged, or what `from_mesh` and `from_cloud` raise.
    """
    path = check_input(Path(path))
    match path.suffix.lower():
        case ".xyz":
            vertices, normals, faces = *_rows(path), None
        case ".npz":
            vertices, normals, faces = *_named(path), None
        case _:
            vertices, normals, faces = _loaded(path)
    if faces is not None:
        return from_mesh(vertices, faces, points=SAMPLES if points is None else points, seed=seed, name=path.stem)
    if points is not None:
        raise InputError(f"{path} is a point cloud, whose points are all taken; points to draw are for a mesh")
    return from_point_cloud(vertices, normals, name=path.stem)


def holds_cloud(path: Path) -> bool:
    """Whether an .npz holds a point cloud rather than an array."""
    if path.suffix.lower() != ".npz":
        return False
    try:
        with np.load(path) as file:
            return "points" in file.files
    except Exception:  # whoever reads it says what is wrong
        return False


def signed_distances(surface: Surface, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, " n"]:
    """The distances from points to a watertight mesh, negative inside of it.

    Raises:
        InputError: no mesh, or one with holes, which has no inside.

    Source: Barill et al., "Fast Winding Numbers for Soups and Clouds", 2018, in libigl.
    """
    import igl  # type: ignore[import-untyped]

    if surface.mesh is None:
        raise InputError(f"{surface.name} is a point cloud; signed distances are to a watertight mesh")
    if not watertight(surface.mesh):
        raise InputError(f"{surface.name} has holes, so nothing says what is inside; fit its surface instead")
    kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return np.asarray(igl.signed_distance(points, surface.mesh.vertices, surface.mesh.faces, sign_type=kind)[0])


def distances_around(surface: Surface, count: int, *, seed: int = 0) -> Signal:
    """Signed distances to a mesh as scattered samples: half of them near it, half anywhere in its box.

    Near means up to a tenth of half the box, on all scales alike.

    Raises:
        InputError: as for `signed_distances`.
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
    array = real_numbers(values, name).astype(np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(f"{name} have the shape {array.shape}; (n, 3) is needed")
    check_finite(array, name)
    return array


def _rows(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    try:
        with warnings.catch_warnings():  # of an empty file, which is said below
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no table of points x y z, or x y z nx ny nz: {one_line(error)}") from error
    if table.shape[1] not in (3, 6):
        raise InputError(f"{path} has {table.shape[1]} columns; x y z, or x y z nx ny nz, are needed")
    return table[:, :3], table[:, 3:] if table.shape[1] == 6 else None


def _named(path: Path) -> tuple[Any, Any]:
    try:
        with np.load(path) as file:
            return file["points"], file["normals"] if "normals" in file.files else None
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise InputError(f'{path} holds no array "points" that can be read: {one_line(error)}') from error


def _loaded(path: Path) -> tuple[Any, Any, Any]:
    """Vertices, normals of a cloud, and the faces of a mesh."""
    import trimesh

    try:
        found = trimesh.load_scene(path, process=False).to_geometry()
    except Exception as error:  # a damaged file can fail anywhere in a decoder
        raise InputError(f"{path} is no mesh or point cloud, or is damaged ({one_line(error)})") from error
    vertices = np.asarray(getattr(found, "vertices", ()))
    if not len(vertices):
        raise InputError(f"{path} holds no points, or is no {path.suffix.lower()} file")
    if isinstance(found, trimesh.Trimesh) and len(found.faces):
        return vertices, None, found.faces
    return vertices, _of_ply(found), None


def _of_ply(cloud: Any) -> NDArray[np.float64] | None:
    """The normals of a cloud, which trimesh leaves where it found them."""
    data = cloud.metadata.get("_ply_raw", {}).get("vertex", {}).get("data", {})
    names = ("nx", "ny", "nz")
    if not set(names) <= set(data.dtype.names if isinstance(data, np.ndarray) else data):
        return None
    return np.stack([np.asarray(data[name], np.float64).reshape(-1) for name in names], axis=-1)
