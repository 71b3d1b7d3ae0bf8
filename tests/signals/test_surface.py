"""Scans and meshes: reading, checking and writing; inside and outside; distances compared with closed forms."""

import numpy as np
import pytest
import trimesh

import sinefield as sf
from sinefield.signals.flood_fill import flooded
from sinefield.signals.formats import read
from sinefield.signals.mesh import Mesh, count_components, distances_to_mesh, surface_distances, watertight, write_mesh
from sinefield.signals.surface import distances_around, read_surface, signed_distances


def ball(level=3, radius=1.0, at=(0.0, 0.0, 0.0)):
    made = trimesh.creation.icosphere(level, radius)
    return Mesh(made.vertices + at, made.faces)


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "off", "glb"])
def test_a_mesh_is_written_and_read_in_every_format(tmp_path, suffix):
    mesh = ball(2, radius=2.0, at=(5, 0, -3))
    write_mesh(tmp_path / f"ball.{suffix}", mesh._replace(normals=(mesh.vertices - (5, 0, -3)) / 2))
    surface = read_surface(tmp_path / f"ball.{suffix}", points=500)
    assert surface.mesh.vertices.shape == (162, 3)
    assert surface.mesh.faces.shape == (320, 3)
    assert watertight(surface.mesh)
    assert surface.size == 500
    assert np.allclose(np.linalg.norm(surface.points - (5, 0, -3), axis=1), 2, atol=0.1)
    assert ((surface.points - (5, 0, -3)) * surface.normals).sum(axis=1).min() > 1.8
    assert np.allclose(surface.header.domain.lower, (2.6, -2.4, -5.4), atol=0.05)


def test_clouds_come_from_rows_arrays_and_ply(tmp_path):
    mesh = ball(2)
    both = np.hstack([mesh.vertices, mesh.vertices])
    np.savetxt(tmp_path / "a.xyz", both)
    np.savetxt(tmp_path / "b.xyz", mesh.vertices)
    np.savez(tmp_path / "c.npz", points=mesh.vertices, normals=3 * mesh.vertices)
    np.savez(tmp_path / "d.npz", points=mesh.vertices)
    names = "\n".join(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz"))
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(both)}\n{names}\nend_header\n".encode()
    (tmp_path / "e.ply").write_bytes(head + both.astype("<f4").tobytes())
    for name, oriented in {"a.xyz": True, "b.xyz": False, "c.npz": True, "d.npz": False, "e.ply": True}.items():
        surface = read(tmp_path / name)
        assert surface.header.kind == "shape"
        assert np.allclose(surface.points, mesh.vertices, atol=1e-6)
        assert surface.mesh is None
        assert (surface.normals is not None) == oriented
        assert not oriented or np.allclose(surface.normals, mesh.vertices, atol=1e-6)


def test_triangles_are_turned_out_and_those_that_have_no_outside_leave_the_normals_out():
    mesh = ball(2)
    mixed = mesh.faces.copy()
    mixed[::2] = mixed[::2, ::-1]
    for faces in (mesh.faces[:, ::-1], mixed):
        surface = sf.from_mesh(mesh.vertices, faces, points=200)
        assert (surface.points * surface.normals).sum(axis=1).min() > 0.9
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    edges = [(1 + side * np.cos(turn / 2), turn, side * np.sin(turn / 2)) for side in (-0.3, 0.3)]
    moebius = np.stack([np.stack([r * np.cos(t), r * np.sin(t), z], axis=-1) for r, t, z in edges], axis=1).reshape(
        -1, 3
    )
    strip = [[2 * k, 2 * k + 1, 2 * k + 2] for k in range(23)] + [[2 * k + 1, 2 * k + 3, 2 * k + 2] for k in range(23)]
    with pytest.warns(UserWarning, match="oriented inconsistently"):
        assert sf.from_mesh(moebius, [*strip, [46, 47, 1], [47, 0, 1]], points=200).normals is None


def test_doubled_points_are_left_out_and_zero_normals_kept():
    points = ball(1).vertices
    normals = points.copy()
    normals[3] = 0
    with pytest.warns(UserWarning, match="42 of 84 points .* are repeated"):
        assert sf.from_point_cloud(np.vstack([points, points])).size == 42
    with pytest.warns(UserWarning, match="1 normals .* are zero"):
        surface = sf.from_point_cloud(points, normals)
    assert np.linalg.norm(surface.normals, axis=1).tolist() == pytest.approx(
        [0.0 if k == 3 else 1.0 for k in range(42)]
    )


@pytest.mark.parametrize(
    ("points", "normals", "match"),
    [
        (np.zeros((0, 3)), None, "0 of the four"),
        (np.zeros((3, 2)), None, r"\(3, 2\); \(n, 3\) is needed"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], None, "lie in a plane"),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, np.nan]], None, "1 NaN"),
        (np.eye(4, 3), np.zeros((4, 3)), "all zero"),
        (np.eye(4, 3), np.ones((3, 3)), "4 points and 3 normals"),
        ([["a", "b", "c"]] * 4, None, "real numbers"),
    ],
)
def test_files_that_are_no_point_clouds_are_refused(points, normals, match):
    with pytest.raises(sf.InputError, match=match):
        sf.from_point_cloud(points, normals)


def test_files_that_are_no_meshes_are_refused(tmp_path):
    with pytest.raises(sf.InputError, match="not there"):
        sf.from_mesh(np.eye(4, 3), [[0, 1, 7]])
    with pytest.raises(sf.InputError, match="no triangle with an area"):
        sf.from_mesh(np.eye(4, 3), [[0, 1, 1]])
    with pytest.raises(sf.InputError, match="whole numbers"):
        sf.from_mesh(np.eye(4, 3), [[0.5, 1, 2]])
    for suffix in ("ply", "obj", "stl", "off", "glb"):
        for name, content in {"empty": b"", "text": b"hello, world\n"}.items():
            (tmp_path / f"{name}.{suffix}").write_bytes(content)
            with pytest.raises(sf.InputError, match=f"{name}.{suffix}"):
                read_surface(tmp_path / f"{name}.{suffix}")
    (tmp_path / "a.xyz").write_text("1 2\n3 4\n")
    with pytest.raises(sf.InputError, match="2 columns"):
        read_surface(tmp_path / "a.xyz")
    (tmp_path / "b.xyz").write_text("a b c\n")
    with pytest.raises(sf.InputError, match="no table of points"):
        read_surface(tmp_path / "b.xyz")
    np.savetxt(tmp_path / "c.xyz", ball(1).vertices)
    with pytest.raises(sf.InputError, match="point cloud, of which all points are used"):
        read(tmp_path / "c.xyz", points=100)
    with pytest.raises(sf.InputError, match="does not exist"):
        read_surface(tmp_path / "none.ply")
    with pytest.raises(sf.InputError, match="a mesh is written as"):
        write_mesh(tmp_path / "a.xyz", ball(1))


def test_distances_are_those_to_a_ball():
    mesh = ball(5)
    surface = sf.from_mesh(mesh.vertices, mesh.faces, points=1000)
    signal = distances_around(surface, 2000, seed=1)
    x, value = signal.at(np.arange(signal.size))
    assert np.abs(value[:, 0] - (np.linalg.norm(x, axis=1) - 1)).max() < 2e-3  # of its facets
    assert (np.abs(value) < 0.01).mean() > 0.2
    with pytest.raises(sf.InputError, match="has holes"):
        signed_distances(sf.from_mesh(mesh.vertices, mesh.faces[1:], points=100), x)
    with pytest.raises(sf.InputError, match="point cloud"):
        signed_distances(sf.from_point_cloud(mesh.vertices), x)


def test_two_balls_are_as_far_apart_as_their_radii():
    found = surface_distances(ball(5, 1.01), ball(5), diagonal=2 * np.sqrt(3), points=5000)
    assert found["chamfer"] == pytest.approx(0.01 / np.sqrt(12), rel=0.02)
    assert found["hausdorff"] == pytest.approx(0.01 / np.sqrt(12), rel=0.1)
    assert found["normal_consistency"] > 0.999
    assert found["f_score"] == 0
    assert surface_distances(ball(4), ball(4), diagonal=1.0, points=1000)["f_score"] == 1
    distance, normal = distances_to_mesh(np.array([[0, 0, 3.0]]), ball(5))
    assert distance[0] == pytest.approx(2, abs=1e-3)
    assert normal[0] == pytest.approx([0, 0, 1], abs=0.05)


def test_pieces_are_counted():
    one, other = ball(1), ball(1, at=(5, 0, 0))
    both = Mesh(np.vstack([one.vertices, other.vertices]), np.vstack([one.faces, other.faces + len(one.vertices)]))
    assert (count_components(one), count_components(both)) == (1, 2)


def test_flood_fill_finds_the_inside_of_two_bodies_and_closes_gaps():
    made = trimesh.creation.torus(1.0, 0.4)
    points = trimesh.sample.sample_surface(made, 20_000, seed=0)[0]
    points = np.vstack([points, ball(4, 0.4, at=(0, 0, 2)).vertices])
    surface = sf.from_point_cloud(points)
    side = flooded(points, surface.header.domain, 0.01)
    x = np.random.default_rng(0).uniform(surface.header.domain.lower, surface.header.domain.upper, (20_000, 3))
    ring = np.hypot(np.linalg.norm(x[:, :2], axis=1) - 1, x[:, 2]) - 0.4
    reference = np.minimum(ring, np.linalg.norm(x - (0, 0, 2), axis=1) - 0.4)
    far = np.abs(reference) > 0.05
    assert (side(x) == np.sign(reference))[far].all()
    # a hole of a tenth of the ball's width does not let the flood in
    holed = ball(5).vertices
    holed = holed[np.linalg.norm(holed - (0, 0, 1), axis=1) > 0.1]
    assert flooded(holed, sf.from_point_cloud(holed).header.domain, 0.02)(np.zeros((1, 3))).tolist() == [-1.0]
    assert flooded(np.random.default_rng(0).random((500, 3)) * (1, 1, 1e-3), surface.header.domain, 0.01) is None
