"""Shapes as signed distances: fits, meshes, pictures and queries, compared with closed forms and dense evaluation."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from torch import nn

import sinefield as sf
from sinefield.constraints.signed_distance import away_from_zero, distance_matches, normals_align, unit_slope, zero_on
from sinefield.field.contour import _crossed_blocks, _Lattice
from sinefield.field.sphere_trace import sphere_trace, view_axes
from sinefield.jets import operators
from sinefield.progress import ignore
from sinefield.sampling.batch import Batch
from sinefield.signals.mesh import Mesh, count_components, distances_to_mesh, watertight
from sinefield.tasks import shape
from tests.command_line import report, run

RING, TUBE = 0.7, 0.3

INSIDE = np.array([1.1, 1.1, 0.45])
"""Corners of the box around the torus."""


def torus(points, ring=RING, tube=TUBE):
    """The signed distance to a torus about z."""
    return (((points[..., :2] ** 2).sum(-1) ** 0.5 - ring) ** 2 + points[..., 2] ** 2) ** 0.5 - tube


class Torus(nn.Module):
    def forward(self, x):
        return torus(x)[..., None]


class Ball(nn.Module):
    def forward(self, x):
        return 2 * x.norm(dim=-1, keepdim=True) - 1.6


def sampled(made, points=20_000):
    return sf.from_mesh(made.vertices, made.faces, points=points)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Evaluate shapes at few points, on a coarse mesh."""
    monkeypatch.setattr(shape, "EVAL_POINTS", 5000)
    monkeypatch.setattr(shape, "CELLS", 64)


@pytest.fixture(scope="module")
def ring():
    """A torus with a mesh so fine that its facets do not matter, fitted to distances."""
    surface = sampled(trimesh.creation.torus(RING, TUBE, 256, 128))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shape, "SUPERVISED_POINTS", 100_000)
        return surface, sf.fit_shape(surface, supervise="distance", width=64, depth=2, steps=400, omega=8)


def test_normal_and_mean_curvature_are_those_of_a_ball_and_a_torus():
    x = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    jet = sf.jets.autograd.propagate(Ball(), x, 2, hessian=True)
    jet = jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))
    assert torch.allclose(operators.normal(jet), x / x.norm(dim=1, keepdim=True))
    assert torch.allclose(operators.mean_curvature(jet), 1 / x.norm(dim=1, keepdim=True))
    jet = sf.jets.autograd.propagate(Torus(), x, 2, hessian=True)
    jet = jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))
    across = (x[:, :2] ** 2).sum(-1) ** 0.5 - RING
    tube = (across**2 + x[:, 2] ** 2) ** 0.5
    # 1 / tube around the tube, and cos / (distance to the axis) around the ring
    reference = (1 / tube + across / tube / (across + RING)) / 2
    assert torch.allclose(operators.mean_curvature(jet)[:, 0], reference)
    with pytest.raises(sf.InputError, match="two coordinates or more"):
        operators.mean_curvature(sf.propagate(sf.Siren(1, 1, width=8), torch.rand(3, 1), 2, hessian=True))


def test_each_term_is_its_formula():
    field = sf.Siren(3, 1, width=16, depth=1, generator=torch.Generator().manual_seed(0)).double()
    x = torch.rand(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    n = nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))
    n[0] = 0
    away = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    batch, jet = Batch(x, target=away, normal=n), sf.propagate(field, x, 1)
    value, slope = (t.detach().numpy() for t in (jet.value, jet.gradient[:, 0]))
    length = np.linalg.norm(slope, axis=1)
    sampler = lambda step: batch  # noqa: E731
    cosine = 1 - (slope * n.numpy()).sum(1) / length
    cosine[0] = 0
    off = np.where(away.numpy() > 0.3, np.abs(np.abs(value) - away.numpy()), 0)
    for constraint, reference in {
        zero_on(sampler, 2.0): 2 * np.abs(value).mean(),
        normals_align(sampler, 3.0): 3 * np.abs(cosine).mean(),
        unit_slope("slope", sampler, 0.5, 4.0): 4 * np.abs(0.5 * length - 1).mean(),
        away_from_zero(sampler, 5.0): 5 * np.exp(-100 * np.abs(value)).mean(),
        distance_matches(sampler, 0.3, 6.0): 6 * off.mean(),
    }.items():
        assert constraint.term(jet, batch).item() == pytest.approx(reference, rel=1e-9), constraint.name


def test_a_field_fitted_to_distances_is_a_signed_distance(ring):
    _, field = ring
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 3)) * INSIDE
    reference = torus(x)
    assert np.abs(field.at(x)[:, 0] - reference).mean() < 3e-3
    away = np.abs(reference) > 0.01
    assert ((field.at(x)[:, 0] < 0) == (reference < 0))[away].all()
    on = trimesh.sample.sample_surface(trimesh.creation.torus(RING, TUBE, 256, 128), 500, seed=1)[0]
    axis = np.linalg.norm(on[:, :2], axis=1)
    outwards = np.stack([on[:, 0] * (1 - RING / axis), on[:, 1] * (1 - RING / axis), on[:, 2]], axis=1) / TUBE
    assert (field.at(on, "normal")[:, 0] * outwards).sum(1).mean() > 0.999
    curvature = (1 / TUBE + (axis - RING) / TUBE / axis) / 2
    assert np.median(np.abs(field.at(on, "curvature")[:, 0] / curvature - 1)) < 0.1
    found = sf.closest_points(field, x)
    across = np.linalg.norm(x[:, :2], axis=1)
    center = np.stack([x[:, 0] * RING / across, x[:, 1] * RING / across, np.zeros(len(x))], axis=1)
    truly = center + TUBE * (x - center) / np.linalg.norm(x - center, axis=1, keepdims=True)
    steady = (np.abs(reference) < 0.2) & (across > 0.1)
    assert np.linalg.norm(found - truly, axis=1)[steady].max() < 0.03
    with pytest.raises(sf.InputError, match=r"\(n, 3\)"):
        sf.closest_points(field, [1.0, 2.0, 3.0])


def test_a_mesh_is_that_of_dense_evaluation(ring):
    from skimage.measure import marching_cubes

    _, field = ring
    domain, resolution = field.header.domain, 256
    mesh = sf.contour(field, resolution=resolution)
    assert watertight(mesh)
    assert count_components(mesh) == 1
    cells = np.array([round(resolution * s) for s in np.subtract(domain.upper, domain.lower) / 2 / domain.half_extent])
    size = np.subtract(domain.upper, domain.lower) / cells
    axes = [low + h * np.arange(n + 1) for low, h, n in zip(domain.lower, size, cells, strict=True)]
    dense = field.at(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)).reshape(cells + 1)
    vertices, faces, _, _ = marching_cubes(dense.astype(np.float32), 0.0)
    assert len(mesh.faces) == pytest.approx(len(faces), rel=1e-4)
    diagonal = 2 * np.linalg.norm([RING + TUBE, RING + TUBE, TUBE])
    beside = distances_to_mesh(mesh.vertices, Mesh(domain.lower + vertices * size, faces.astype(np.int64)))[0]
    assert beside.max() < 1e-4 * diagonal
    assert np.abs(field.at(mesh.vertices)).max() < 1e-5
    assert np.allclose(mesh.normals, field.at(mesh.vertices, "normal")[:, 0], atol=1e-6)
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert made.volume == pytest.approx(2 * np.pi**2 * RING * TUBE**2, rel=0.02)
    assert (made.vertex_normals * mesh.normals).sum(1).mean() > 0.99
    # and few of all cells were looked at
    lattice = _Lattice(field, 0, 0.0, np.asarray(domain.lower), size, cells)
    assert 8 * len(_crossed_blocks(lattice, ignore)) < 0.1 * cells.prod()


def test_blocks_of_a_mesh_share_their_vertices(ring, monkeypatch):
    _, field = ring
    whole = sf.contour(field, resolution=64)
    monkeypatch.setattr(sys.modules["sinefield.field.contour"], "BRICK", 16)
    parts = sf.contour(field, resolution=64)
    # a value that is zero but for rounding may go either way; seams that are not welded would be hundreds
    assert len(parts.vertices) == pytest.approx(len(whole.vertices), abs=8)
    assert len(parts.faces) == pytest.approx(len(whole.faces), abs=16)
    assert watertight(parts)
    assert distances_to_mesh(parts.vertices, whole)[0].max() < 1e-4


def test_fields_without_a_level_set_are_refused(ring, monkeypatch):
    _, field = ring
    with pytest.raises(sf.InputError, match=r"does not reach the level 7; its values are from about -0\.\d+ to"):
        sf.contour(field, 7.0, 32)
    with pytest.raises(sf.InputError, match="no channel 1"):
        sf.contour(field, channel=1)
    with pytest.raises(sf.InputError, match=r"needs about \d+ GB, and this machine has"):
        sf.contour(field, resolution=200_000)
    flat = sf.fit(np.eye(8), width=8, depth=0, steps=1)
    with pytest.raises(sf.InputError, match="three coordinates; this one has 2"):
        sf.contour(flat)
    with pytest.raises(sf.InputError, match="kind array"):
        sphere_trace(flat)
    with pytest.raises(sf.InputError, match="up is one of x, y, z"):
        sphere_trace(field, up="w")


def test_the_level_set_of_a_volume_encloses_the_dense_part():
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, 24)] * 3, indexing="ij"), -1)
    field = sf.fit(np.exp(-4 * (x**2).sum(-1)), width=32, depth=1, steps=300)
    mesh = sf.contour(field, 0.5, 48)
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    radius = np.sqrt(np.log(2) / 4) * 11.5  # in samples
    assert made.volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.05)
    assert ((made.vertices - 11.5) * mesh.normals).sum(1).min() > 0


@pytest.mark.parametrize("normals", [True, False])
def test_points_become_a_closed_surface_with_outward_normals(normals):
    made = trimesh.creation.torus(RING, TUBE, 128, 64)
    points, on = trimesh.sample.sample_surface(made, 5000, seed=0)
    cloud = sf.from_point_cloud(3 * points + 10, made.face_normals[on] if normals else None)
    field = sf.fit_shape(cloud, width=64, depth=1, steps=150)
    assert field.info.quality["watertight"]
    assert field.info.quality["components"] == 1
    assert field.info.quality["completeness"] < 0.005
    x = np.random.default_rng(0).uniform(-1, 1, (2000, 3)) * INSIDE
    reference = 3 * torus(x)
    assert ((field.at(3 * x + 10)[:, 0] < 0) == (reference < 0))[np.abs(reference) > 0.1].mean() > 0.995
    assert np.abs(field.at(3 * x + 10)[:, 0] - reference).mean() < 0.05


def test_the_official_loss_and_other_activations_fit_a_shape():
    surface = sampled(trimesh.creation.icosphere(3), 3000)
    for options in ({"recipe": "paper", "steps": 3}, {"activation": "softplus", "width": 32, "depth": 1, "steps": 5}):
        try:
            field = sf.fit_shape(surface, **options)
        except UserWarning as warning:
            assert "no surface" in str(warning)
        else:
            assert field.info.steps == options["steps"]


def test_a_resumed_shape_has_the_same_weights(tmp_path):
    surface = sampled(trimesh.creation.icosphere(2), 2000)
    options = {"width": 16, "depth": 1}
    whole = sf.fit_shape(surface, steps=20, **options)
    sf.fit_shape(surface, steps=10, checkpoint=tmp_path, **options)
    parts = sf.fit_shape(surface, steps=20, checkpoint=tmp_path, resume=True, **options)
    x = np.random.default_rng(0).random((10, 3))
    assert (whole.at(x) == parts.at(x)).all()
    other = replace(surface, normals=-surface.normals)
    with pytest.raises(sf.InputError, match="checksum"):
        sf.fit_shape(other, steps=20, checkpoint=tmp_path, resume=True, **options)


def test_options_that_do_not_apply_to_shapes_are_refused():
    cloud = sf.from_point_cloud(trimesh.creation.icosphere(2).vertices)
    with pytest.raises(sf.InputError, match="points with normals"):
        sf.fit_shape(cloud, recipe="paper")
    with pytest.raises(sf.InputError, match="not for shapes"):
        sf.fit_shape(cloud, recipe="natural")
    with pytest.raises(sf.InputError, match="surface or distance; it is 'volume'"):
        sf.fit_shape(cloud, supervise="volume")
    with pytest.raises(sf.InputError, match="point cloud"):
        sf.fit_shape(cloud, supervise="distance")
    with pytest.raises(sf.InputError, match="fit_shape"):
        sf.fit(cloud)
    with pytest.raises(sf.InputError, match="fitted whole"):
        sf.crop(cloud, [(0, 1)] * 3)


def test_a_rendered_ball_is_a_disc_from_every_direction():
    surface = sampled(trimesh.creation.icosphere(4))
    field = sf.fit_shape(surface, supervise="distance", width=32, depth=1, steps=200, omega=4)
    seen = sphere_trace(field, 64)
    assert seen.shape == (64, 256, 3)
    for part in np.split(seen, 4, axis=1):
        body = (part != 255).any(-1)
        rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
        assert abs(len(rows) - len(columns)) <= 1
        assert body.sum() == pytest.approx(np.pi / 4 * len(rows) ** 2, rel=0.04)
        assert part[rows[2], 32].mean() > part[rows[-3], 32].mean()  # the light comes from above
    for up in range(3):
        view = view_axes(up, 40.0, 20.0)
        assert np.allclose(view @ view.T, np.eye(3))
        assert np.linalg.det(view) == pytest.approx(1)
        assert view[1, up] > 0.9


def test_the_commands_make_a_mesh_from_a_scan(tmp_path):
    trimesh.creation.torus(RING, TUBE, 64, 32).export(tmp_path / "torus.ply")
    small = ("--width", "32", "--depth", "1", "--steps", "60")
    said = report("fit", "torus.ply", "--report", "out", "--points", "5000", *small, cwd=tmp_path)
    assert {"chamfer", "f_score", "normal_consistency", "iou", "eikonal_near", "eikonal"} <= set(said)
    assert (tmp_path / "out" / "mesh.ply").stat().st_size > 1000
    assert Image.open(tmp_path / "out" / "sheet.png").size[0] > 1000
    said = report("render", "torus.safetensors", "-o", "again.glb", "--resolution", "48", cwd=tmp_path)
    again = trimesh.load_mesh(tmp_path / "again.glb")
    assert said["shape"] == [len(again.vertices), len(again.faces)]
    assert again.is_watertight
    report("render", "torus.safetensors", "-o", "seen.png", "--size", "48", "--up", "z", cwd=tmp_path)
    assert Image.open(tmp_path / "seen.png").size == (192, 48)
    (tmp_path / "at.csv").write_text("x,y,z\n1.2,0,0\n0.7,0,0\n")
    report("render", "torus.safetensors", "-o", "found.csv", "--at", "at.csv", cwd=tmp_path)
    outside, inside = [float(row.split(",")[-1]) for row in (tmp_path / "found.csv").read_text().split()[1:]]
    assert outside > 0 > inside
    report("render", "torus.safetensors", "-o", "n.csv", "--at", "at.csv", "--quantity", "normal", cwd=tmp_path)
    assert (tmp_path / "n.csv").read_text().replace('"', "").split("\n")[0].endswith("normal x,normal y,normal z")
    for arguments, match in {
        ("fit", "torus.ply", "--psnr", "40"): "--psnr applies only to signals other than shapes",
        ("fit", "torus.ply", "--crop", "0:1,0:1,0:1"): "fitted whole",
        ("fit", "camera", "--supervise", "distance"): "--supervise applies only to scans and meshes",
        ("fit", "camera", "--points", "10"): "points applies to shape",
        (
            "render",
            "torus.safetensors",
            "-o",
            "a.ply",
            "--size",
            "9",
        ): "--size applies only to grids; a mesh has a --resolution",
        ("render", "torus.safetensors", "-o", "a.ply", "--quantity", "normal"): "--quantity applies only to grids",
        (
            "render",
            "torus.safetensors",
            "-o",
            "a.png",
            "--quantity",
            "gradient",
        ): "--quantity applies only to grids",
        ("render", "torus.safetensors", "-o", "a.npy", "--level", "1"): "--level applies only to meshes",
        ("render", "torus.safetensors", "-o", "a.ply", "--level", "9"): "does not reach the level 9",
    }.items():
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert match in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
