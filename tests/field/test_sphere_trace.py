"""Pictures of shapes by sphere tracing, against closed forms."""

import numpy as np
import pytest

import sinefield as sf
from sinefield.domain import box
from sinefield.field.sphere_trace import AMBIENT, LIGHT_DIRECTION, SURFACE_COLOR, VIEW_EXTENT, sphere_trace, view_axes
from tests.closed_form import ball, closed_form

# closed forms have no derivative rules
pytestmark = pytest.mark.filterwarnings("ignore:ClosedForm has layers without a derivative rule")

SIZE, RADIUS = 96, 0.8


def centered_ball():
    return closed_form(lambda x: ball(x, RADIUS, (0.0, 0.0, 0.0)))


@pytest.fixture(scope="module")
def views():
    """The four views of a ball, and the progress that was reported."""
    reports = []
    picture = sphere_trace(centered_ball(), SIZE, progress=lambda progress: reports.append(progress.done))
    assert (picture.shape, picture.dtype) == ((SIZE, 4 * SIZE, 3), np.uint8)
    return np.split(picture, 4, axis=1), reports


def offsets():
    """Coordinates to the right and upwards of the pixels of a view, relative to the radius of the ball."""
    pixels = VIEW_EXTENT * 1.5 * np.sqrt(3) * ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1) / RADIUS
    return np.meshgrid(pixels, -pixels)


def test_ball_is_a_disc_of_its_radius(views):
    pictures, reports = views
    assert reports == [0.25, 0.5, 0.75, 1.0]
    x, y = offsets()
    distance, pixel = np.hypot(x, y), abs(x[0, 1] - x[0, 0])
    for view in pictures:
        hit = (view != 255).any(-1)
        assert hit[distance < 1 - pixel / 2].all()
        assert not hit[distance > 1 + pixel / 2].any()


def test_shading_is_that_of_the_normals(views):
    x, y = offsets()
    inside = np.hypot(x, y) < 0.95
    x, y = x[inside], y[inside]
    normals = np.stack([x, y, np.sqrt(1 - x**2 - y**2)], axis=-1)  # to the right, up, towards the viewer
    diffuse = np.clip(normals @ (LIGHT_DIRECTION / np.linalg.norm(LIGHT_DIRECTION)), 0, 1)
    expected = (AMBIENT + (1 - AMBIENT) * diffuse)[:, None] * SURFACE_COLOR
    for view in views[0]:
        assert np.abs(view[inside] - expected).max() < 2


@pytest.mark.parametrize("up", range(3))
def test_view_axes_are_a_rotation(up):
    view = view_axes(up, 40.0, 20.0)
    assert np.allclose(view @ view.T, np.eye(3))
    assert np.linalg.det(view) == pytest.approx(1)
    assert view[1, up] == pytest.approx(np.cos(np.radians(20)))
    assert view[2, up] == pytest.approx(np.sin(np.radians(20)))


def test_the_axis_that_points_up(monkeypatch):
    monkeypatch.setattr("sinefield.field.sphere_trace.AZIMUTHS", (30.0,))
    high = closed_form(lambda x: ball(x, 0.3, (0.0, 0.0, 1.0)))
    rows = {up: np.flatnonzero((sphere_trace(high, 48, up=up)[:, :48] != 255).any((1, 2))).mean() for up in ("y", "z")}
    assert rows["z"] < 16 < rows["y"]


def test_an_empty_box_is_white():
    assert (sphere_trace(closed_form(lambda x: 1 + x[:, :1] ** 2), 8) == 255).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"up": "w"}, "up is one of x, y, z; it is 'w'"), ({"size": 0}, "from 1 to 8192 pixels; it is 0")],
)
def test_errors(options, message):
    with pytest.raises(sf.InputError, match=message):
        sphere_trace(centered_ball(), **options)
    plane = closed_form(lambda x: x[:, :1], box((0, 0), (1, 1)), kind="array")
    with pytest.raises(sf.InputError, match="needs a shape; this is a field of kind array"):
        sphere_trace(plane)
