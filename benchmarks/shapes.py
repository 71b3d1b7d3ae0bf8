"""Surface reconstruction from oriented points of a mesh: several settings of sinefield, and screened Poisson.

    python -m benchmarks.shapes MESH [--points 100000] [--seconds 600] [--noise 0.01] [--seeds 5] [--only NAME …]

Prints one Markdown table: the errors of distance, normals and volume of the surface relative to the mesh, and the slope
error of the field, for the exact points and for points with Gaussian noise. Fits without normals have 30 seconds each.
Screened Poisson reconstruction needs pymeshlab (pip install pymeshlab); without it, its rows are omitted.
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
"""Format of each figure of quality."""

SETTINGS: dict[str, dict[str, Any]] = {
    "sine": {},
    "sine, distances": {"supervise": "distance"},
    "relu": {"activation": "relu"},
    "sine, the official loss": {"recipe": "paper"},
}
"""Options of `fit_shape` for the fits with normals, by name."""


def noisy(surface: Surface, share: float) -> Surface:
    """Return a surface with noise on its points, relative to the diagonal of the box, and the same normals."""
    noise = np.random.default_rng(0).standard_normal(surface.points.shape)
    return replace(surface, coords=surface.points + share * surface.diagonal * noise)


def fit_quality(surface: Surface, reference: Surface, seconds: float, **options: Any) -> dict[str, Any]:
    """Fit a surface and return the quality of the field, with the seconds and the steps of the fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = fit_shape(surface, seconds=seconds, **options)
    return {**shape_quality(field, reference), "seconds": field.info.seconds, "steps": field.info.steps}


def poisson(surface: Surface, reference: Surface, depth: int) -> dict[str, Any]:
    """Return the quality of screened Poisson reconstruction (Kazhdan and Hoppe 2013) with the code of MeshLab."""
    import pymeshlab

    start = perf_counter()
    meshes = pymeshlab.MeshSet()
    meshes.add_mesh(pymeshlab.Mesh(vertex_matrix=surface.points, v_normals_matrix=surface.normals))
    meshes.generate_surface_reconstruction_screened_poisson(depth=depth)
    result = meshes.current_mesh()
    seconds = perf_counter() - start
    mesh = Mesh(result.vertex_matrix().astype(float), result.face_matrix().astype(np.int64))
    assert reference.mesh is not None
    figures: dict[str, Any] = {
        **surface_distances(mesh, reference.mesh, reference.diagonal),
        "components": count_components(mesh),
        "seconds": seconds,
    }
    if watertight(mesh):
        box = reference.header.domain
        x = np.random.default_rng(0).uniform(box.lower, box.upper, (50_000, 3))
        inside, expected = (signed_distances(replace(reference, mesh=each), x) < 0 for each in (mesh, reference.mesh))
        figures["iou"] = float((inside & expected).sum() / (inside | expected).sum())
    return figures


def rows(reference: Surface, options: argparse.Namespace) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the kind of points, the method and its quality for each row."""

    def included(name: str) -> bool:
        return not options.only or name in options.only

    for share in dict.fromkeys((0.0, options.noise)):
        points, kind = (noisy(reference, share), f"{share:.0%} noise") if share else (reference, "clean")
        for depth in (8, 10):
            name = f"screened Poisson, depth {depth}"
            if included("poisson"):
                try:
                    yield kind, name, poisson(points, reference, depth)
                except ImportError:
                    print(f"{name} is omitted; it needs pymeshlab: pip install pymeshlab", flush=True)
        for name, setting in SETTINGS.items():
            if included(name) and not (share and name != "sine"):
                yield kind, name, fit_quality(points, reference, options.seconds, **setting)
    if included("no normals"):
        for seed in range(options.seeds):
            figures = fit_quality(replace(reference, normals=None), reference, 30.0, seed=seed)
            yield "no normals", f"sine, seed {seed}", figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", help="mesh file")
    parser.add_argument("--points", type=int, default=100_000, help="number of points to sample from the mesh")
    parser.add_argument("--seconds", type=float, default=600.0, help="time of each fit with normals in seconds")
    parser.add_argument(
        "--noise",
        type=float,
        default=0.01,
        help="standard deviation of the noise on the points, relative to the diagonal of the box",
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of fits without normals")
    names = ", ".join(map(repr, SETTINGS))
    parser.add_argument("--only", nargs="*", metavar="NAME", help=f"rows to print: poisson, 'no normals', {names}")
    options = parser.parse_args()
    reference = read_surface(options.mesh, points=options.points)
    headings = ["points", "method", "steps", "seconds", *COLUMNS]
    print("| " + " | ".join(headings) + " |\n| --- | --- |" + " ---: |" * (len(headings) - 2))
    for kind, name, figures in rows(reference, options):
        cells = [form.format(figures[key]) if key in figures else "" for key, form in COLUMNS.items()]
        steps = f"{figures['steps']:,}" if "steps" in figures else ""
        print("| " + " | ".join([kind, name, steps, f"{figures['seconds']:.0f}", *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
