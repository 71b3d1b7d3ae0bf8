"""Every scheme against nested float64 autograd: values and parameter gradients, at odd sizes."""

import subprocess
import sys

import pytest
import torch

from sinefield.jets import autograd, forward, propagate, reference, reverse
from sinefield.networks import ACTIVATIONS, Network
from sinefield.networks.layers import Affine, Sine

SCHEMES = {
    "reference, order 1": (1, lambda layers, x: reference.propagate(layers, x, 1)),
    "reference, order 2": (2, lambda layers, x: reference.propagate(layers, x, 2)),
    "forward, order 1": (1, lambda layers, x: forward.propagate(layers, x, 1)),
    "forward, order 2": (2, lambda layers, x: forward.propagate(layers, x, 2)),
    "reverse": (1, lambda layers, x: reverse.propagate(layers, x)),
}
SMOOTH = [name for name in ACTIVATIONS if name != "wire"]


def field_and_points(name, n, d, c, dtype):
    generator = torch.Generator().manual_seed(n + d + c)
    field = ACTIVATIONS[name](d, c, width=20, depth=2, generator=generator).to(dtype)
    return field, (torch.rand(n, d, generator=generator) * 2 - 1).to(dtype)


def gradients(field, jet, order):
    loss = jet.value.square().mean() + 1e-2 * jet.gradient.square().mean()
    if order == 2:
        loss = loss + 1e-6 * jet.laplacian.square().mean()
    field.zero_grad()
    loss.backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in field.parameters()]


def assert_close(ours, truth, tolerance):
    scale = truth.abs().max().clamp(min=1e-12)
    assert ours.shape == truth.shape
    assert ((ours - truth).abs().max() / scale).item() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize(("n", "d", "c"), [(1, 1, 1), (63, 2, 1), (63, 3, 5), (2000, 2, 3), (1, 4, 2), (63, 1, 4)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_siren(scheme, n, d, c, dtype, tolerance):
    order, propagate_by = SCHEMES[scheme]
    field, x = field_and_points("sine", n, d, c, dtype)
    jet = propagate_by(field.layers(), x)
    ours = gradients(field, jet, order)
    exact = field.double()
    truth = autograd.propagate(exact, x.double(), order)
    for part, expected in zip(jet[: order + 1], truth[: order + 1], strict=True):
        assert_close(part.detach().double(), expected.detach(), tolerance)
    for a, b in zip(ours, gradients(exact, truth, order), strict=True):
        assert_close(a.double(), b, tolerance)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_activation(scheme, name):
    order, propagate_by = SCHEMES[scheme]
    field, x = field_and_points(name, 63, 2, 2, torch.float64)
    jet, truth = propagate_by(field.layers(), x), autograd.propagate(field, x, order)
    for part, expected in zip(jet[: order + 1], truth[: order + 1], strict=True):
        assert_close(part.detach(), expected.detach(), 1e-10)
    for a, b in zip(gradients(field, jet, order), gradients(field, truth, order), strict=True):
        assert_close(a, b, 1e-10)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_propagate_chooses_an_exact_implementation(name, order):
    field, x = field_and_points(name, 17, 2, 1, torch.float64)
    jet, truth = propagate(field, x, order), autograd.propagate(field, x, order)
    for part, expected in zip(jet[: order + 1], truth[: order + 1], strict=True):
        assert_close(part.detach(), expected.detach(), 1e-10)


class Made(Network):
    """A network of given layers."""

    def __init__(self, layers):
        super().__init__()
        self.given = layers

    def layers(self):
        return self.given


@pytest.mark.parametrize("order", [0, 1, 2])
def test_generated_weights(order):
    """Layers whose tensors depend on a parameter, batched by vmap: each row equals that of a separate evaluation."""
    torch.manual_seed(0)
    weights = [torch.randn(3, *shape, dtype=torch.float64) / 5 for shape in ((8, 2), (8, 8), (1, 8))]
    biases = [torch.randn(3, shape, dtype=torch.float64) for shape in (8, 8, 1)]
    x = torch.rand(11, 2, dtype=torch.float64)

    def loss(weights, biases):
        a, b, c = (Affine(w, bias) for w, bias in zip(weights, biases, strict=True))
        return propagate(Made([a, Sine(3.0), b, Sine(3.0), c]), x, order)[order].square().sum()

    together = torch.func.vmap(torch.func.grad(loss))(weights, biases)
    for k in range(3):
        alone = torch.func.grad(loss)([w[k] for w in weights], [b[k] for b in biases])
        for a, b in zip(together, alone, strict=True):
            assert torch.allclose(a[k], b, rtol=1e-10, atol=1e-12)


COMPILED = """
import torch
from sinefield import Siren, propagate
torch.manual_seed(0)
siren, x = Siren(2, 1, width=20, depth=2).double(), torch.rand(63, 2).double()
loss = lambda x: propagate(siren, x, {order})[{order}].square().sum()
compiled = torch.compile(loss, backend="aot_eager")
pairs = [torch.autograd.grad(f(x), list(siren.parameters()), allow_unused=True) for f in (loss, compiled)]
for parameter, *found in zip(siren.parameters(), *pairs):
    a, b = (torch.zeros_like(parameter) if each is None else each for each in found)
    assert torch.allclose(a, b, rtol=1e-9), (a, b)
"""


@pytest.mark.parametrize("order", [1, 2])
def test_under_compilation(order):
    """In a separate process without checks of shapes, since these checks cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILED.format(order=order)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
