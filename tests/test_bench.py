"""The tables of `sinefield bench`, on parts small enough to run here. No test asserts a time."""

import pytest
import torch

from sinefield.experiments import bench
from sinefield.networks import Siren
from sinefield.parallel import WorkerPool


def test_each_table_is_whole():
    rows = list(bench.steps(points=600, repeat=1))
    assert [row["training step"] for row in rows][:3] == ["ours", "the matrix products alone", "official code"]
    assert rows[1]["of the products' speed"] == "100%"
    assert rows[0]["ours is faster by"] == "1.00 ×"
    assert [row["step on"] for row in bench.derivatives(points=64, repeat=1)] == ["gradient", "laplacian"]
    assert [row["rendering"] for row in bench.rendering(side=40, repeat=1)] == ["0.0 megapixels"]
    table = bench.markdown(rows).splitlines()
    assert len(table) == 2 + len(rows)
    assert len({line.count("|") for line in table}) == 1


def test_the_ways_are_taken_in_turns():
    calls = []
    times = bench.interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == list("ababab")
    assert [len(each) for each in times.values()] == [2, 2]


def test_the_official_network_is_the_siren():
    siren, plain = Siren(2, 1), bench.OfficialSiren()
    layers = [*plain.hidden, plain.last]
    for layer, weight, bias in zip(layers, siren.weights, siren.biases, strict=True):
        layer.weight.data, layer.bias.data = weight.data, bias.data
    x = torch.rand(9, 2)
    assert torch.allclose(plain(x), siren(x), atol=1e-5)


@pytest.mark.parametrize("what", ["gradient", "laplacian"])
def test_both_ways_to_a_derivative_step_come_to_the_same_gradient(what):
    siren, x, target = Siren(2, 1), torch.rand(50, 2), torch.rand(50, 2)
    with WorkerPool(x.device) as pool:
        bench.our_step(siren, x, target, what, pool)
    ours = [None if p.grad is None else p.grad.clone() for p in siren.parameters()]
    bench.nested_step(siren, x, target, what)
    for a, b in zip(ours, siren.parameters(), strict=True):
        if a is None or b.grad is None:  # of the last bias, on which no derivative depends
            assert b.shape == (1,)
            continue
        assert torch.allclose(a, b.grad, rtol=1e-3, atol=1e-4 * float(b.grad.abs().max()))
