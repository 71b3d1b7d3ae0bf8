"""Operators against closed forms, nested autograd, and the identities of vector calculus."""

import pytest
import torch

from sinefield.errors import InputError
from sinefield.jets import Jet, autograd, derivative, propagate
from sinefield.jets.operators import biharmonic, curl, divergence, gradient, hessian, jacobian, laplacian
from sinefield.networks.layers import Affine, Sine
from tests.jets.test_derivative_network import nested
from tests.jets.test_reference import assert_close, network, points
from tests.jets.test_taylor_mode import Given


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_operators_of_a_flow_with_known_derivatives():
    x = points(9, 3)
    a, b, c = x.unbind(-1)
    flow = autograd.propagate(lambda x: torch.stack([x[:, 1] ** 2, x[:, 0] * x[:, 2], x[:, 0] ** 3], -1), x, 2)
    zero = torch.zeros_like(a)
    assert_close(divergence(flow), torch.zeros(9, 1))
    assert_close(curl(flow), torch.stack([-a, -3 * a**2, c - 2 * b], -1))
    assert_close(laplacian(flow), torch.stack([zero + 2, zero, 6 * a], -1))
    plane = autograd.propagate(lambda x: torch.stack([x[:, 1] ** 2, x[:, 0] ** 3], -1), x[:, :2], 1)
    assert_close(curl(plane), (3 * a**2 - 2 * b)[:, None])
    assert_close(jacobian(plane)[:, 0, 1], 2 * b)


def test_they_read_the_jet():
    field, x = network("sine", 2, 1), points(7, 2)
    jet = propagate(field, x, 2, hessian=True)
    assert_close(gradient(jet), torch.cat([nested(field, x, (0,)), nested(field, x, (1,))], -1))
    assert_close(hessian(jet)[..., 0, 1], nested(field, x, (0, 1)))
    assert_close(laplacian(jet), nested(field, x, (0, 0)) + nested(field, x, (1, 1)))


@pytest.mark.parametrize("name", ["sine", "finer", "wire"])
def test_the_curl_of_a_gradient_is_zero(name):
    for d in (2, 3):
        potential, x = network(name, d, 1), points(7, d)
        rows = [propagate(derivative(potential, i), x, 1) for i in range(d)]
        flow = Jet(torch.cat([row.value for row in rows], 1), torch.cat([row.gradient for row in rows], 1))
        assert curl(flow).abs().max() < 1e-12 * flow.gradient.abs().max()
        assert_close(divergence(flow), laplacian(propagate(potential, x, 2)))


@pytest.mark.parametrize("name", ["sine", "finer", "wire"])
def test_the_divergence_of_a_curl_is_zero(name):
    potential, x = network(name, 3, 3), points(7, 3)
    d = [propagate(derivative(potential, j), x, 1) for j in range(3)]
    turns = [(1, 2), (2, 0), (0, 1)]
    value, first = (torch.stack([d[j][part][:, k] - d[k][part][:, j] for j, k in turns], 1) for part in (0, 1))
    flow = Jet(value, first)
    assert_close(value, curl(propagate(potential, x, 1)))
    assert divergence(flow).abs().max() < 1e-12 * first.abs().max()
    # ∇×∇×A = ∇(∇·A) - ΔA
    grad_div = sum(propagate(derivative(potential, j), x, 1).gradient[:, j] for j in range(3))
    assert_close(curl(flow), grad_div - laplacian(propagate(potential, x, 2)))


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_the_biharmonic_of_a_plane_wave(d):
    weight, x = points(1, d, seed=4), points(20, d)
    wave = Given(Affine(weight, torch.tensor([0.3])), Sine(7.0))
    assert_close(biharmonic(wave, x), (7 * weight.norm()) ** 4 * wave(x))


@pytest.mark.parametrize("name", ["sine", "tanh", "softplus", "gaussian", "finer", "wire"])
def test_the_biharmonic_agrees_with_nested_autograd(name):
    field, x = network(name, 2, 2), points(7, 2)
    reference = sum(nested(field, x, (i, i, j, j)) for i in range(2) for j in range(2))
    assert_close(biharmonic(field, x), reference)


def test_the_biharmonic_of_a_polynomial_by_the_fallback():
    class Polynomial(torch.nn.Module):
        def forward(self, x):
            return x[:, :1] ** 4 + 3 * (x[:, :1] * x[:, 1:2]) ** 2 + x[:, 2:] ** 5

    x = points(9, 3)
    with pytest.warns(UserWarning, match="Polynomial"):
        ours = biharmonic(Polynomial(), x)
    assert_close(ours, 24 + 24 + 120 * x[:, 2:])


def test_the_biharmonic_trains():
    field, x = network("sine", 2, 1), points(5, 2)
    biharmonic(field, x).square().mean().backward()
    assert all(p.grad is not None for p in list(field.parameters())[:-1])


@pytest.mark.parametrize("operator", [gradient, jacobian, divergence, curl, laplacian, hessian])
def test_a_jet_of_a_lower_order_is_refused(operator):
    with pytest.raises(InputError, match=f"{operator.__name__} needs .* propagate with order"):
        operator(propagate(network("sine", 2, 2), points(3, 2), 0))


def test_a_laplacian_alone_is_no_hessian():
    with pytest.raises(InputError, match="hessian=True"):
        hessian(propagate(network("sine", 2, 1), points(3, 2), 2))


@pytest.mark.parametrize(
    ("operator", "d", "c"), [(gradient, 2, 2), (divergence, 2, 3), (curl, 3, 2), (curl, 4, 4), (curl, 1, 1)]
)
def test_incompatible_dimensions_are_refused(operator, d, c):
    with pytest.raises(InputError, match=f"{operator.__name__} needs"):
        operator(propagate(network("sine", d, c), points(3, d), 1))
