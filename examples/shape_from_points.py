"""A shape from points on its surface: its signed distance, and from that volume, curvature and a mesh."""

from pathlib import Path

import numpy as np
import trimesh

import sinefield as sf
from sinefield.signals.surface import write_mesh


def main(count: int = 5000, steps: int = 100, output: Path | None = None) -> float:
    """Scan a torus of known shape, without normals; returns by how much the volume is off."""
    ring, tube = 0.7, 0.3
    scan = trimesh.creation.torus(ring, tube, 256, 128)
    points, _ = trimesh.sample.sample_surface(scan, count, seed=0)

    field = sf.fit_shape(sf.from_cloud(points), width=64, depth=1, steps=steps)

    outside, inside = field([1.2, 0.0, 0.0]).item(), field([0.7, 0.0, 0.0]).item()
    print(f"distance at (1.2, 0, 0): {outside:.3f} (exact 0.200), at (0.7, 0, 0): {inside:.3f} (exact -0.300)")

    mesh = sf.contour(field, resolution=96)
    if output is not None:
        write_mesh(output, mesh)
    volume, exact = trimesh.Trimesh(mesh.vertices, mesh.faces).volume, 2 * np.pi**2 * ring * tube**2
    print(f"volume {volume:.4f}, exact {exact:.4f}")
    return float(abs(volume / exact - 1))


if __name__ == "__main__":
    main(output=Path("torus.ply"))
