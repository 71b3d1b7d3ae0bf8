"""Fit a signed distance to points on a torus, and compare distances and volume with their exact values."""

import numpy as np
import trimesh

import sinefield as sf

RING = 0.7
"""Radius of the circle in the middle of the tube."""

TUBE = 0.3
"""Radius of the tube."""


def main() -> None:
    torus = trimesh.creation.torus(RING, TUBE, 256, 128)
    points, _ = trimesh.sample.sample_surface(torus, 5000, seed=0)  # a scan without normals

    field = sf.fit_shape(sf.from_point_cloud(points), width=64, depth=1, steps=100)

    outside, inside = field([1.2, 0.0, 0.0]).item(), field([0.85, 0.0, 0.0]).item()
    print(f"distance at (1.2, 0, 0): {outside:.3f}, exact 0.200; at (0.85, 0, 0): {inside:.3f}, exact -0.150")

    mesh = sf.contour(field, resolution=96)
    volume, exact = trimesh.Trimesh(mesh.vertices, mesh.faces).volume, 2 * np.pi**2 * RING * TUBE**2
    print(f"volume {volume:.4f}, exact {exact:.4f}")
    error = abs(volume / exact - 1)
    assert error < 0.01, f"the volume is off by {error:.1%}; expected less than 1%"


if __name__ == "__main__":
    main()
