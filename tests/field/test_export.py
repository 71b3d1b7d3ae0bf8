"""Fields written to files, compared with `Field.render` and `Field.at`."""

import numpy as np
import pytest
import soundfile
import trimesh
from PIL import Image

import sinefield as sf
from sinefield.domain import Domain, box
from sinefield.field.export import render_at, render_mesh, render_to, render_views
from sinefield.field.grayscale import gradient_magnitude, robust_limit, to_grayscale
from sinefield.signals import Header
from tests.closed_form import ball, closed_form

# closed forms have no derivative rules
pytestmark = pytest.mark.filterwarnings("ignore:ClosedForm has layers without a derivative rule")


def field_over(header):
    """An untrained field."""
    return sf.Field(sf.Siren(header.domain.dim, header.out_dim, width=16), header)


@pytest.fixture
def picture():
    domain = box((0, 0), (12, 20), ("y", "x"), ("px", "px"))
    return field_over(Header("image", domain, (12, 20), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3))


@pytest.fixture
def sound():
    return field_over(Header("audio", box((0.0,), (0.5,), ("t",), ("s",)), (1000,), (), "float32", (-1.0,), (1.0,)))


@pytest.fixture
def stations():
    domain = Domain((0.0, 0.0), (1.0, 2.0), ("lon", "lat"), ("", ""), (0.5, 1.0))
    return field_over(Header("points", domain, (10, 20), ("u", "v"), "float64", (-1.0,) * 2, (1.0,) * 2))


def read_png(path):
    with Image.open(path) as file:
        return np.asarray(file)


def test_picture(picture, tmp_path):
    reports = []
    shape = render_to(tmp_path / "a.png", picture, scale=2, progress=lambda progress: reports.append(progress.done))
    assert shape == (24, 40)
    assert reports[-1] == 1.0
    assert np.array_equal(read_png(tmp_path / "a.png"), picture.render(scale=2))
    render_to(tmp_path / "part.png", picture, crop=[(2, 5), (None, 7)])
    assert np.array_equal(read_png(tmp_path / "part.png"), picture.render()[2:5, :7])


def test_derivatives_are_gray_levels_in_pictures_and_numbers_in_arrays(picture, tmp_path):
    gradient = picture.render(quantity="gradient")
    render_to(tmp_path / "gradient.png", picture, "gradient")
    levels = read_png(tmp_path / "gradient.png")
    assert np.array_equal(levels, to_grayscale(gradient, "gradient"))
    slope = gradient_magnitude(gradient)
    assert np.array_equal(levels, np.rint(255 * np.clip(slope / robust_limit(slope), 0, 1)))
    render_to(tmp_path / "laplacian.png", picture, "laplacian")
    laplacian = picture.render(quantity="laplacian")
    levels = read_png(tmp_path / "laplacian.png")
    assert np.array_equal(levels >= 128, laplacian.mean(-1) >= 0)
    render_to(tmp_path / "gradient.npy", picture, "gradient")
    assert np.array_equal(np.load(tmp_path / "gradient.npy"), gradient)


def test_sound(sound, tmp_path):
    assert render_to(tmp_path / "a.wav", sound, rate=4000) == (2000,)
    samples, rate = soundfile.read(tmp_path / "a.wav")
    assert rate == 4000
    assert np.allclose(samples, sound.render(rate=4000), atol=1e-4)
    render_to(tmp_path / "slow.wav", sound, slow=2)
    assert soundfile.info(tmp_path / "slow.wav").samplerate == 1000


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.wav", {"quantity": "dt"}, "a derivative cannot be written as sound; write its numbers to .npy"),
        ("a.wav", {"slow": 0.0}, "slow must be positive; it is 0"),
        ("a.png", {}, "a.png"),
        ("a.csv", {}, "--at"),
    ],
)
def test_errors_of_sounds(sound, tmp_path, name, options, message):
    with pytest.raises(sf.InputError, match=message):
        render_to(tmp_path / name, sound, **options)
    assert not list(tmp_path.iterdir())


def test_errors_of_pictures(picture, tmp_path):
    with pytest.raises(sf.InputError, match="slow applies to sounds and videos; the first axis here is 'y'"):
        render_to(tmp_path / "a.png", picture, slow=2)
    with pytest.raises(sf.InputError, match="normals are vectors"):
        render_to(tmp_path / "a.png", picture, "normal")
    with pytest.raises(sf.InputError, match="each view of a shape is square"):
        render_views(tmp_path / "a.png", closed_form(ball), (3, 4))


@pytest.mark.parametrize(
    ("quantity", "names"),
    [
        ("value", "u,v"),
        ("gradient", "du/dlon,du/dlat,dv/dlon,dv/dlat"),
        ("laplacian", "laplacian u,laplacian v"),
        ("dlat", "du/dlat,dv/dlat"),
    ],
)
def test_table(stations, tmp_path, quantity, names):
    (tmp_path / "points.csv").write_text("lat,name,lon\n0.5,1,0.4\n1.5,2,0.9\n")
    assert render_at(tmp_path / "out.csv", stations, tmp_path / "points.csv", quantity) == (2,)
    head, *rows = (tmp_path / "out.csv").read_text().replace('"', "").splitlines()
    assert head == f"lon,lat,{names}"
    table = np.array([row.split(",") for row in rows], dtype=float)
    coords = np.array([[0.4, 0.5], [0.9, 1.5]])
    assert np.array_equal(table[:, :2], coords)
    assert np.allclose(table[:, 2:], stations.at(coords, quantity).reshape(2, -1), rtol=1e-6)
    render_at(tmp_path / "out.npy", stations, tmp_path / "points.csv", quantity)
    assert np.allclose(np.load(tmp_path / "out.npy"), stations.at(coords, quantity), rtol=1e-6)


@pytest.mark.parametrize(("quantity", "names"), [("normal", "normal x,normal y,normal z"), ("curvature", "curvature")])
def test_table_of_a_level_set(tmp_path, quantity, names):
    (tmp_path / "points.csv").write_text("x,y,z\n0.9,-0.2,0.3\n")
    render_at(tmp_path / "out.csv", closed_form(ball), tmp_path / "points.csv", quantity)
    head, row = (tmp_path / "out.csv").read_text().replace('"', "").splitlines()
    assert head == f"x,y,z,{names}"
    expected = [1.0, 0.0, 0.0] if quantity == "normal" else [1 / 0.8]
    assert np.allclose(np.array(row.split(",")[3:], dtype=float), expected)


def test_points_outside_the_domain(stations, tmp_path):
    (tmp_path / "points.csv").write_text("lon,lat\n0.5,0.5\n3,0\n")
    with pytest.warns(UserWarning, match="1 of 2 points lie outside the domain of the fit"):
        render_at(tmp_path / "out.csv", stations, tmp_path / "points.csv")
    with pytest.raises(sf.InputError, match=r"values at points are written to .csv, .parquet or .npy"):
        render_at(tmp_path / "out.png", stations, tmp_path / "points.csv")


def test_mesh_and_views(tmp_path):
    vertices, faces = render_mesh(tmp_path / "ball.ply", closed_form(ball), resolution=24)
    mesh = trimesh.load_mesh(tmp_path / "ball.ply", process=False)
    assert (len(mesh.vertices), len(mesh.faces)) == (vertices, faces)
    assert render_views(tmp_path / "ball.png", closed_form(ball), 32) == (32, 128)
    assert read_png(tmp_path / "ball.png").shape == (32, 128, 3)
