"""Meshes of level sets against closed forms."""

from importlib import import_module

import numpy as np
import pytest
import torch
import trimesh

import sinefield as sf
from sinefield.field.contour import _crossed_blocks, _Lattice
from sinefield.progress import ignore
from sinefield.signals.mesh import count_components, distances_to_mesh, watertight
from tests.closed_form import ball, closed_form, torus

# closed forms have no derivative rules
pytestmark = pytest.mark.filterwarnings("ignore:ClosedForm has layers without a derivative rule")

RADIUS, CENTER = 0.8, np.array([0.1, -0.2, 0.3])


def euler_characteristic(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).euler_number


def test_ball():
    mesh = sf.contour(closed_form(ball), resolution=48)
    offset = mesh.vertices - CENTER
    assert np.abs(np.linalg.norm(offset, axis=1) - RADIUS).max() < 1e-9
    assert np.abs(mesh.normals - offset / RADIUS).max() < 1e-9
    assert watertight(mesh)
    assert count_components(mesh) == 1
    assert euler_characteristic(mesh) == 2
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=5e-3)
    assert solid.area == pytest.approx(4 * np.pi * RADIUS**2, rel=5e-3)


def test_torus():
    field = closed_form(torus)
    mesh = sf.contour(field, resolution=64)
    assert torus(torch.from_numpy(mesh.vertices)).abs().max() < 1e-9
    assert watertight(mesh)
    assert euler_characteristic(mesh) == 0
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.volume == pytest.approx(2 * np.pi**2 * 0.8 * 0.3**2, rel=1e-2)
    x, y, z = mesh.vertices.T
    to_axis = 1 - 0.8 / np.hypot(x, y)
    assert np.abs(mesh.normals - np.stack([x * to_axis, y * to_axis, z], axis=1) / 0.3).max() < 1e-9


def test_level_and_channel():
    field = closed_form(lambda x: torch.cat([x[:, :1], ball(x)], dim=1), kind="array", channels=("u", "v"))
    mesh = sf.contour(field, 0.1, 32, channel=1)
    assert np.abs(np.linalg.norm(mesh.vertices - CENTER, axis=1) - RADIUS - 0.1).max() < 1e-9
    # fields that are not shapes are larger inside, so normals point to smaller values
    assert ((mesh.vertices - CENTER) * mesh.normals).sum(1).max() < 0
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume < 0


def test_two_components():
    pair = closed_form(lambda x: torch.minimum(ball(x, 0.4, (-0.6, 0, 0)), ball(x, 0.3, (0.7, 0, 0))))
    mesh = sf.contour(pair, resolution=32)
    assert count_components(mesh) == 2
    assert watertight(mesh)


def test_bricks_have_no_seams(monkeypatch):
    field = closed_form(torus)
    whole = sf.contour(field, resolution=50)
    monkeypatch.setattr(import_module("sinefield.field.contour"), "BRICK", 16)
    parts = sf.contour(field, resolution=50)
    assert (len(parts.vertices), len(parts.faces)) == (len(whole.vertices), len(whole.faces))
    assert watertight(parts)
    assert distances_to_mesh(parts.vertices, whole)[0].max() < 1e-7


def test_few_cells_are_evaluated():
    field, cells = closed_form(ball), np.full(3, 128)
    lattice = _Lattice(field, 0, 0.0, np.full(3, -1.5), np.full(3, 3.0) / cells, cells)
    assert 8 * len(_crossed_blocks(lattice, ignore)) < 0.1 * cells.prod()


def test_progress_increases_to_one():
    reports = []
    sf.contour(closed_form(ball), resolution=64, progress=lambda progress: reports.append(progress.done))
    assert reports == sorted(reports)
    assert len(reports) > 3
    assert reports[-1] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7.0, 32), r"does not reach the level 7; its values are from about -0\.\d+ to 1\.\d+, choose"),
        ((0.0, 200_000), r"200000 × 200000 × 200000 cells needs about \d+ GB, and this machine has \d+ GB"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(sf.InputError, match=message):
        sf.contour(closed_form(ball), *arguments)


def test_errors_of_fields():
    with pytest.raises(sf.InputError, match="there is no channel 1; the field has 1"):
        sf.contour(closed_form(ball), channel=1)
    plane = closed_form(lambda x: x[:, :1], sf.domain.box((0, 0), (1, 1)), kind="array")
    with pytest.raises(sf.InputError, match="three coordinates; this one has 2"):
        sf.contour(plane)
