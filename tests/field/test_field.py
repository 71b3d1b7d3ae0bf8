"""One convention for values and derivatives of a field: types, shapes, units."""

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield.errors import InputError
from sinefield.field.evaluate import cell_centers, evaluate_points, find_quantity
from sinefield.jets import autograd


@pytest.fixture(scope="module", params=[(), ("u", "v")], ids=["one channel", "two channels"])
def field(request):
    y, x = np.mgrid[:12, :20]
    values = np.stack([np.sin(x / 5) + y / 9, y * x / 200], -1)
    values = values if request.param else values[..., 0]
    signal = sf.from_array(
        values,
        channel_axis=-1 if request.param else None,
        step=(0.5, 2),
        axes=("t", "x"),
        units=("s", "m"),
        name="wave",
    )
    return sf.fit(signal, width=16, depth=1, steps=30)


@pytest.mark.parametrize("shape", [(2,), (7, 2), (3, 4, 2), (0, 2)])
@pytest.mark.parametrize(
    ("quantity", "call", "tail"),
    [
        ("value", lambda field: field, ()),
        ("gradient", lambda field: field.gradient, (2,)),
        ("laplacian", lambda field: field.laplacian, ()),
    ],
)
def test_calls_agree_on_types_and_shapes(field, quantity, call, tail, shape):
    x = np.random.default_rng(0).random(shape) * 5
    expected = (*shape[:-1], field.header.out_dim, *tail)
    array, tensor = call(field)(x), call(field)(torch.from_numpy(x))
    at, tensor_at = field.at(x, quantity), field.at(torch.from_numpy(x), quantity)
    assert isinstance(array, np.ndarray)
    assert isinstance(at, np.ndarray)
    assert isinstance(tensor, torch.Tensor)
    assert isinstance(tensor_at, torch.Tensor)
    for each in (array, tensor, at, tensor_at):
        assert tuple(each.shape) == expected
        assert np.allclose(np.asarray(each), array, rtol=1e-4, atol=1e-4)
    if x.size:
        assert call(field)(x.tolist()).shape == expected


def test_derivatives_are_those_of_float64_autograd_in_the_users_units(field):
    x = np.random.default_rng(0).random((20, 2)) * [5, 30]
    exact = autograd.propagate(sf.Field.forward.__get__(field.double()), torch.from_numpy(x), 2)
    assert np.allclose(field.gradient(x), exact.gradient.detach(), rtol=1e-9)
    assert np.allclose(field.laplacian(x), exact.laplacian.detach(), rtol=1e-9)
    assert np.allclose(field.at(x, "dx"), exact.gradient.detach()[..., 1], rtol=1e-9)
    field.float()


def test_a_tensor_keeps_its_graph(field):
    x = torch.rand(4, 2, requires_grad=True)
    field(x).sum().backward()
    assert torch.allclose(x.grad, field.gradient(x.detach()).sum(1), rtol=1e-4)


def test_results_do_not_depend_on_the_size_of_chunks(field, monkeypatch):
    from sinefield.parallel import WorkerPool

    whole = field.render(scale=2, quantity="gradient")
    begin = WorkerPool.__init__

    def small(pool, device):
        begin(pool, device)
        pool.max_chunk = 7

    monkeypatch.setattr(WorkerPool, "__init__", small)
    assert np.allclose(field.render(scale=2, quantity="gradient"), whole, atol=1e-6)
    points = cell_centers(field.header.domain, (3, 5))
    chunks = list(evaluate_points(field.function, points, 15, find_quantity("value", field.header.domain)))
    assert [len(chunk) for chunk in chunks] == [7, 7, 1]


def test_repr_describes_a_field(field):
    lines = repr(field).splitlines()
    channels = ", ".join(field.header.channels) or "value"
    assert lines[0] == f"Field(wave, array, {field.info.quality['psnr_db']:.1f} dB"
    assert lines[1] == "  axes: t from -0.25 to 5.75 s (12), x from -1 to 39 m (20)"
    assert lines[2].startswith(f"  channels: {channels}, from ")
    assert lines[3].startswith("  network: Siren(in_dim=2, out_dim=")
    assert lines[3].endswith(" parameters")


def test_progress_of_a_rendering_ends_at_one(field):
    seen = []
    field.render(scale=8, progress=seen.append)
    assert seen[-1].done == 1.0
    assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_invalid_coordinates_are_refused(field):
    with pytest.raises(InputError, match=r"coordinates have the shape \(…, 2\), in the order \(t, x\); found \(4, 3\)"):
        field.at(np.zeros((4, 3)))
    with pytest.raises(InputError, match="no quantity 'curl'; choose from value, gradient, laplacian"):
        field.at([[0.0, 0.0]], "curl")


def test_the_record_of_a_fit_is_frozen_and_flat_for_tables(field):
    with pytest.raises(AttributeError):
        field.info.steps = 3
    summary = field.info.summary()
    assert {"source", "task", "recipe", "seed", "parameters", "stopped", "steps", "psnr_db"} <= summary.keys()
    assert "history" not in summary
    assert field.info.with_quality({"x": 1}).quality["x"] == 1
    assert field.info.interrupted().stopped == "interrupted"
