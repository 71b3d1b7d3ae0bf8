"""The tables of `sinefield bench`, with few points. No test asserts a time."""

import pytest
import torch

from sinefield.experiments import bench
from sinefield.networks import Siren
from sinefield.parallel import WorkerPool


def test_tables():
    rows = list(bench.steps(points=600, repeat=1))
    assert [row["training step"] for row in rows][:3] == ["sinefield", "matrix products only", "official code"]
    assert rows[1]["speed relative to matrix products"] == "100%"
    assert rows[0]["time relative to sinefield"] == "1.00 ×"
    derivatives = list(bench.derivatives(points=64, repeat=1))
    assert [row["training step on"] for row in derivatives] == ["gradient", "laplacian"]
    assert {"sinefield", "nested autograd"} < set(derivatives[0])
    assert [row["rendering"] for row in bench.rendering(side=40, repeat=1)] == ["0.0 megapixels"]
    table = bench.markdown(rows).splitlines()
    assert len(table) == 2 + len(rows)
    assert len({line.count("|") for line in table}) == 1


def test_time_to_a_psnr():
    (row,) = bench.quality(size=32, psnr=15.0)
    assert row["target PSNR"] == "15 dB"
    assert float(row["reached PSNR"].removesuffix(" dB")) > 14


def test_functions_are_timed_alternately():
    calls = []
    times = bench.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == list("ababab")
    assert [len(each) for each in times.values()] == [2, 2]


def test_official_network_is_a_siren():
    siren, official = Siren(2, 1), bench.OfficialSiren()
    layers = [*official.hidden, official.last]
    for layer, weight, bias in zip(layers, siren.weights, siren.biases, strict=True):
        layer.weight.data, layer.bias.data = weight.data, bias.data
    x = torch.rand(9, 2)
    assert torch.allclose(official(x), siren(x), atol=1e-5)


@pytest.mark.parametrize("quantity", ["gradient", "laplacian"])
def test_derivative_steps_have_equal_gradients(quantity):
    siren, x, target = Siren(2, 1), torch.rand(50, 2), torch.rand(50, 2)
    with WorkerPool(x.device) as pool:
        bench.jet_step(siren, x, target, quantity, pool)
    expected = [None if p.grad is None else p.grad.clone() for p in siren.parameters()]
    bench.nested_step(siren, x, target, quantity)
    for a, b in zip(expected, siren.parameters(), strict=True):
        if a is None or b.grad is None:  # no derivative depends on the last bias
            assert b.shape == (1,)
            continue
        assert torch.allclose(a, b.grad, rtol=1e-3, atol=1e-4 * float(b.grad.abs().max()))
