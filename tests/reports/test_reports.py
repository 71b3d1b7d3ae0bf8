"""Reports of small fields: which files they write, and what the files hold."""

import math

import numpy as np
import pytest
import soundfile
import trimesh
from PIL import Image

import sinefield as sf
from sinefield.constraints.constraint import Constraint
from sinefield.domain import box
from sinefield.field.info import FitInfo
from sinefield.problems.helmholtz import helmholtz
from sinefield.problems.inversion import simulated
from sinefield.problems.poisson import poisson
from sinefield.reports import REPORTS, blend_report, medium_report, poisson_report, report, solution_report
from sinefield.reports.figures import as_colors, comparison, decibels
from sinefield.reports.gallery import MISSING_COLOR, masked, tiles
from sinefield.reports.picture import steepest_window
from sinefield.sampling import uniform
from sinefield.signals import Header, gray, read_image, resize
from sinefield.signals.image import from_pixels
from sinefield.signals.signal import KINDS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # a few steps do not improve over a constant

TINY = {"width": 8, "depth": 0, "steps": 2}


@pytest.fixture
def picture():
    return resize(read_image("astronaut"), (12, 18))


def video():
    t, _, x = np.mgrid[:5, :8, :10]
    values = np.rint(127 + 100 * np.sin(x / 3 + t)[..., None] * np.ones(3)).astype(np.uint8)
    domain = box((0.0, 0.0, 0.0), (0.2, 8.0, 10.0), ("t", "y", "x"), ("s", "px", "px"))
    header = Header("video", domain, (5, 8, 10), ("R", "G", "B"), "uint8", (0.0,) * 3, (255.0,) * 3)
    return sf.Signal(values, header, "film")


def check(files, folder, reports=None):
    """The files exist in the folder, figures are large, and the progress increases to 1."""
    for path in files.values():
        assert str(folder) in path
        if path.endswith("sheet.png"):
            with Image.open(path) as sheet:
                assert min(sheet.size) > 500
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.rsplit("/", 1)[-1] for path in files.values())
    if reports is not None:
        done = [progress.done for progress in reports]
        assert done == sorted(done)
        assert done[-1] == pytest.approx(1)


def test_every_kind_has_a_report():
    assert set(REPORTS) == set(KINDS)


def test_picture(picture, tmp_path):
    field, reports = sf.fit(picture, **TINY), []
    files = report(tmp_path, field, picture, reports.append)
    check(files, tmp_path, reports)
    assert set(files) == {"render", "enlarged", "gradient", "laplacian", "error", "training", "sheet"}
    with Image.open(files["render"]) as render, Image.open(files["enlarged"]) as enlarged:
        assert np.array_equal(np.asarray(render), field.render())
        assert (render.size, enlarged.size) == ((18, 12), (72, 48))


def test_sound(tmp_path):
    samples = 0.5 * np.sin(np.arange(3000) / 9)
    signal = sf.from_waveform(samples[:, None], 8000)
    field, reports = sf.fit(signal, **TINY), []
    files = report(tmp_path, field, signal, reports.append)
    check(files, tmp_path, reports)
    rendered, error = (soundfile.read(files[name])[0] for name in ("render", "error"))
    assert np.allclose(rendered - error, samples, atol=2e-4)


def test_video(tmp_path):
    signal = video()
    field, reports = sf.fit(signal, **TINY), []
    files = report(tmp_path, field, signal, reports.append)
    check(files, tmp_path, reports)
    assert sf.read(files["render"]).header.shape == sf.read(files["dt"]).header.shape == (5, 8, 10)


def signals():
    coords = np.random.default_rng(0).random((60, 2))
    return {
        "curve": sf.from_array(np.sin(np.arange(40) / 5), axes=("t",), units=("s",)),
        "volume": sf.from_array(np.random.default_rng(0).random((4, 5, 6)), units=("m",) * 3),
        "table": sf.from_points(coords, coords[:, :1] * coords[:, 1:], axes=("lon", "lat"), channels=("temperature",)),
    }


@pytest.mark.parametrize("name", ["curve", "volume", "table"])
def test_samples(name, tmp_path):
    signal, reports = signals()[name], []
    field = sf.fit(signal, holdout=0.2, **TINY)
    check(report(tmp_path, field, signal, reports.append), tmp_path, reports)


def test_shape(tmp_path, monkeypatch):
    monkeypatch.setattr("sinefield.tasks.shape.CELLS", 24)
    monkeypatch.setattr("sinefield.tasks.shape.EVAL_POINTS", 500)
    monkeypatch.setattr("sinefield.reports.shape.CELLS", 24)
    monkeypatch.setattr("sinefield.reports.shape.sphere_trace", lambda field, progress: np.zeros((9, 36, 3), np.uint8))
    ball = trimesh.creation.icosphere(2)
    signal = sf.from_mesh(ball.vertices, ball.faces, points=1000)
    field = sf.fit_shape(signal, supervise="distance", width=16, depth=1, steps=60, omega=4)
    files = report(tmp_path, field, signal)
    check(files, tmp_path)
    assert len(trimesh.load_mesh(files["mesh"]).faces) > 100


def test_derivatives(picture, tmp_path):
    one = gray(picture)
    files = poisson_report(tmp_path / "a", sf.reconstruct(one, **TINY), one)
    check(files, tmp_path / "a")
    other = from_pixels(np.ascontiguousarray(one.values[::-1]), "L", "flipped")
    mask = np.zeros((12, 18), bool)
    mask[3:8, 4:12] = True
    for each in (None, mask):
        field = sf.blend(one, other, mask=each, **TINY)
        check(blend_report(tmp_path / "b", field, one, other, each), tmp_path / "b")


@pytest.fixture
def small_animation(monkeypatch):
    for name, value in {"PIXELS": 12, "FRAMES": 3, "FRAME_PIXELS": 16}.items():
        monkeypatch.setattr(f"sinefield.reports.solution.{name}", value)


def test_solutions(tmp_path, small_animation):
    for name, problem in {"poisson": poisson(size=64), "helmholtz": helmholtz(size=64)}.items():
        field, reports = sf.solve(problem, width=8, depth=0, steps=2), []
        files = solution_report(tmp_path / name, field, problem, reports.append)
        assert reports[0].done == 0.3
        assert ("film" in files) == (name == "helmholtz")
        check(files, tmp_path / name)


def test_solutions_that_cannot_be_drawn(tmp_path):
    domain = box((0.0,), (1.0,))
    constraint = Constraint("slope", uniform(domain, 8), lambda jet, batch: jet.gradient[:, 0])
    problem = sf.Problem("line", domain, [constraint])
    field = sf.Field(sf.Siren(1, 1, width=4), Header("array", domain, (4,), (), "float64", (-1.0,), (1.0,)))
    with pytest.raises(sf.InputError, match="over two coordinates, or over time and two coordinates; line has 1"):
        solution_report(tmp_path, field, problem)


def test_medium(tmp_path, monkeypatch):
    monkeypatch.setattr("sinefield.reports.medium.PIXELS", 16)
    monkeypatch.setattr("sinefield.problems.inversion.finite_differences", lambda *medium: lambda x: x[:, 0] + 0j)
    survey = simulated("circle", side=3)
    field = sf.invert(survey, steps=3, size=16, optimizer="adam")
    check(medium_report(tmp_path, field, survey), tmp_path)


def test_comparison_of_exact_and_other_fits(tmp_path):
    random = np.random.default_rng(0)
    header = sf.from_array(np.zeros((8, 8))).header
    results = {}
    for name, error in {"sine": 0.0, "relu": 0.1, "new": 0.1}.items():
        info = FitInfo(history=((1, 0.1, 0.2), (2, 0.2, error)), quality={"psnr_db": sf.metrics.psnr(error)})
        shapes = {"value": (8, 8), "gradient": (8, 8, 2), "laplacian": (8, 8)}
        results[name] = {quantity: random.random(shape) for quantity, shape in shapes.items()} | {"info": info}
    comparison(tmp_path / "compare.png", header, np.zeros((8, 8)), results)
    assert (tmp_path / "compare.png").stat().st_size > 10_000


def test_tiles_and_masked(tmp_path):
    pictures = [np.full((4, 5), value, np.uint8) for value in (0, 100, 200)]
    header = from_pixels(pictures[0][..., None], "L", "a").header
    tiles(tmp_path / "tiles.png", [pictures[:2], pictures[2:]], header)
    with Image.open(tmp_path / "tiles.png") as file:
        pixels = np.asarray(file)
    assert pixels.shape == (10, 12)
    assert (pixels[:4, 7:] == 100).all()
    assert (pixels[6:, 5:] == 255).all()
    observed = np.eye(4, 5, dtype=bool)
    colors = masked(pictures[1], observed, header)
    assert np.allclose(colors[observed], 100 / 255)
    assert np.allclose(colors[~observed], MISSING_COLOR)


def test_colors():
    def header(channels):
        count = max(len(channels), 1)
        return Header("image", box((0, 0), (1, 1)), (1, 1), channels, "uint8", (0.0,) * count, (255.0,) * count)

    cmyk = as_colors(np.array([[[255, 0, 0, 0], [0, 0, 0, 255]]]), header(tuple("CMYK")))
    assert np.array_equal(cmyk, [[[0, 1, 1], [0, 0, 0]]])
    assert np.allclose(as_colors(np.array([[[51, 255]]]), header(("L", "A"))), [[[0.2, 0.2, 0.2, 1]]])
    assert as_colors(np.zeros((2, 3)), header(())).shape == (2, 3)
    assert [decibels(value) for value in (None, math.inf, 31.24)] == ["exact", "exact", "31.2 dB"]


def test_steepest_window():
    magnitude = np.zeros((20, 30))
    magnitude[12:14, 21:24] = 1
    y, x = steepest_window(magnitude)
    assert magnitude[y, x].sum() == 6
    assert (y.stop - y.start, x.stop - x.start) == (4, 4)
