"""A mesh as oriented points, and what brings it back: ours in several ways, and screened Poisson reconstruction.

    python -m benchmarks.shapes MESH [--points 100000] [--seconds 600] [--noise 0.01] [--seeds 5] [--only NAME …]

Prints one Markdown table: for the points as they are, and with Gaussian noise of a share of the diagonal on their
places, not on their normals, how close the surface comes to the mesh in distance, normals and volume, and how near its
slope is to one. Screened Poisson reconstruction needs pymeshlab (pip install pymeshlab); without it, its rows are left
out.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from sinefield.signals.mesh import Mesh, count_components, surface_distances, watertight
from sinefield.signals.surface import Surface, read_surface, signed_distances
from sinefield.tasks.shape import fit_shape, shape_quality

COLUMNS = {
    "chamfer": "{:.4%}",
    "hausdorff": "{:.2%}",
    "f_score": "{:.4f}",
    "normal_consistency": "{:.4f}",
    "iou": "{:.4f}",
    "components": "{}",
    "eikonal_near": "{:.3f}",
    "eikonal": "{:.3f}",
}

WAYS: dict[str, dict[str, Any]] = {
    "sine": {},
    "sine, distances": {"supervise": "distance"},
    "relu": {"activation": "relu"},
    "sine, the official loss": {"recipe": "paper"},
}
"""What `fit_shape` is asked for, with normals."""


def noisy(surface: Surface, share: float) -> Surface:
    moved = np.random.default_rng(0).standard_normal(surface.points.shape)
    return replace(surface, coords=surface.points + share * surface.diagonal * moved)


def ours(surface: Surface, reference: Surface, seconds: float, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = fit_shape(surface, seconds=seconds, **options)
    found = shape_quality(field, reference)
    return {**found, "seconds": field.info.seconds, "steps": field.info.steps}


def poisson(surface: Surface, reference: Surface, depth: int) -> dict[str, Any]:
    """Kazhdan and Hoppe, "Screened Poisson surface reconstruction", 2013, as MeshLab has it."""
    import pymeshlab

    began = perf_counter()
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=surface.points, v_normals_matrix=surface.normals))
    meshes.generate_surface_reconstruction_screened_poisson(depth=depth)
    made = meshes.current_mesh()
    seconds = perf_counter() - began
    mesh = Mesh(made.vertex_matrix().astype(float), made.face_matrix().astype(np.int64))
    assert reference.mesh is not None
    found: dict[str, Any] = {
        **surface_distances(mesh, reference.mesh, reference.diagonal),
        "components": count_components(mesh),
        "seconds": seconds,
    }
    if watertight(mesh):
        box = reference.header.domain
        x = np.random.default_rng(0).uniform(box.lower, box.upper, (50_000, 3))
        inside, truly = (signed_distances(replace(reference, mesh=each), x) < 0 for each in (mesh, reference.mesh))
        found["iou"] = float((inside & truly).sum() / (inside | truly).sum())
    return found


def rows(reference: Surface, options: argparse.Namespace) -> Iterator[tuple[str, str, dict[str, Any]]]:
    wanted = options.only
    for share in dict.fromkeys((0.0, options.noise)):
        points, said = (noisy(reference, share), f"{share:.0%} noise") if share else (reference, "clean")
        for depth in (8, 10):
            name = f"screened Poisson, depth {depth}"
            if not wanted or "poisson" in wanted:
                try:
                    yield said, name, poisson(points, reference, depth)
                except ImportError:
                    print(f"{name} is left out: pip install pymeshlab", flush=True)
        for name, way in WAYS.items():
            if (not wanted or name in wanted) and not (share and name != "sine"):
                yield said, name, ours(points, reference, options.seconds, **way)
    for seed in range(options.seeds):
        if not wanted or "no normals" in wanted:
            yield "no normals", f"sine, seed {seed}", ours(replace(reference, normals=None), reference, 30.0, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh")
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", help="some of: poisson, 'no normals', " + ", ".join(map(repr, WAYS)))
    options = parser.parse_args()
    reference = read_surface(options.mesh, points=options.points)
    names = ["points", "by", "steps", "seconds", *COLUMNS]
    print("| " + " | ".join(names) + " |\n| --- | --- |" + " ---: |" * (len(names) - 2))
    for said, name, found in rows(reference, options):
        cells = [form.format(found[key]) if key in found else "" for key, form in COLUMNS.items()]
        steps = f"{found['steps']:,}" if "steps" in found else ""
        print("| " + " | ".join([said, name, steps, f"{found['seconds']:.0f}", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
