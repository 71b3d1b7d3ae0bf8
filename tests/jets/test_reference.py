"""Derivatives, compared with nested autograd in float64 and closed forms; invariance under rotations."""

import math
import warnings

import pytest
import torch
from torch import nn

from sinefield.errors import InputError
from sinefield.jets import autograd, propagate, reference
from sinefield.jets import propagate as propagate_function
from sinefield.networks import ACTIVATIONS, Siren
from sinefield.networks.layers import Affine, Sine


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def network(name, in_dim, out_dim, seed=0):
    return ACTIVATIONS[name](in_dim, out_dim, width=24, depth=2, generator=torch.Generator().manual_seed(seed))


def points(n, d, seed=1):
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def assert_close(ours, truth, tolerance=1e-10):
    scale = truth.abs().max().clamp(min=1e-12)
    assert ((ours - truth).abs().max() / scale).item() < tolerance


@pytest.mark.parametrize("in_dim", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_reference_agrees_with_autograd(name, in_dim):
    field, x = network(name, in_dim, 3), points(17, in_dim)
    truth = autograd.propagate(field, x, 2, hessian=True)
    laplacian = truth.hessian.diagonal(dim1=-2, dim2=-1).sum(-1)
    full = reference.propagate(field.layers(), x, 2, hessian=True)
    assert_close(full.value, truth.value)
    assert_close(full.gradient, truth.gradient)
    assert_close(full.hessian, truth.hessian)
    second = reference.propagate(field.layers(), x, 2)
    assert second.hessian is None
    assert_close(second.laplacian, laplacian)
    first = reference.propagate(field.layers(), x, 1)
    assert first.laplacian is None
    assert_close(first.gradient, truth.gradient)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_train_through_the_jet_as_through_autograd(name):
    x = points(9, 2)
    gradients = []
    for propagate_by in (lambda f: reference.propagate(f.layers(), x, 2), lambda f: autograd.propagate(f, x, 2)):
        field = network(name, 2, 1)
        jet = propagate_by(field)
        (jet.value.square().sum() + jet.gradient.square().sum() + 1e-3 * jet.laplacian.square().sum()).backward()
        gradients.append([p.grad if p.grad is not None else torch.zeros_like(p) for p in field.parameters()])
    for ours, truth in zip(*gradients, strict=True):
        assert_close(ours, truth)


def test_a_single_sine_gives_its_closed_form():
    weight, bias, omega = torch.tensor([[0.3, -0.7]]), torch.tensor([0.2]), 30.0
    x = points(50, 2)
    phase = omega * (x @ weight.T + bias)
    jet = reference.propagate([Affine(weight, bias), Sine(omega)], x, 2, hessian=True)
    k = omega * weight[0]
    assert_close(jet.value, torch.sin(phase), 1e-14)
    assert_close(jet.gradient[:, 0], torch.cos(phase) * k, 1e-14)
    assert_close(jet.hessian[:, 0], -torch.sin(phase)[..., None] * torch.outer(k, k), 1e-14)
    laplacian = reference.propagate([Affine(weight, bias), Sine(omega)], x, 2).laplacian
    assert_close(laplacian, -torch.sin(phase) * k.square().sum(), 1e-13)


@pytest.mark.parametrize("name", ["sine", "tanh", "gaussian", "wire"])
def test_the_laplacian_does_not_change_under_a_rotation(name):
    field, x, angle = network(name, 2, 2), points(30, 2), 0.7
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    layers = field.layers()
    turned = reference.propagate([Affine(turn, torch.zeros(2)), *layers], x @ turn, 2)
    straight = reference.propagate(layers, x, 2)
    assert_close(turned.value, straight.value)
    assert_close(turned.laplacian, straight.laplacian)
    assert_close(turned.gradient @ turn.T, straight.gradient)


def test_finite_differences_agree():
    field, x, h = network("sine", 2, 1), points(20, 2), 1e-4
    jet = propagate(field, x, 2)
    step = h * torch.eye(2)
    with torch.no_grad():
        ahead, behind = (torch.stack([field(x + s * e) for e in step], -1) for s in (1, -1))
        first = (ahead - behind) / (2 * h)
        second = ((ahead + behind - 2 * field(x)[..., None]) / h**2).sum(-1)
    assert_close(jet.gradient.detach(), first, 1e-4)
    assert_close(jet.laplacian.detach(), second, 1e-4)


def test_relu_has_no_laplacian():
    assert propagate(network("relu", 2, 1), points(10, 2), 2).laplacian.abs().max() == 0


def test_propagate_returns_the_requested_order():
    field, x = network("sine", 3, 2), points(5, 3)
    assert propagate(field, x, 0)[1:] == (None, None, None)
    assert propagate(field, x, 1).laplacian is None
    jet = propagate(field, x, 2, hessian=True)
    assert jet.hessian.shape == (5, 2, 3, 3)
    assert_close(jet.laplacian, propagate(field, x, 2).laplacian)


@pytest.mark.parametrize(("order", "hessian"), [(3, False), (-1, False), (1, True)])
def test_an_unsupported_order_is_refused(order, hessian):
    with pytest.raises(InputError, match="order"):
        propagate(network("sine", 2, 1), points(3, 2), order, hessian=hessian)


def test_whole_numbers_are_refused_rather_than_truncated():
    with pytest.raises(InputError, match="floating-point"):
        propagate(network("sine", 2, 1), torch.ones(3, 2, dtype=torch.int64), 1)


def test_a_module_without_rules_falls_back_with_one_warning():
    class Mine(nn.Sequential):
        pass

    siren = network("sine", 2, 1)
    mine = Mine(siren)
    with pytest.warns(UserWarning, match="Mine"):
        jet = propagate_function(mine, points(4, 2), 2)
    assert_close(jet.laplacian, propagate(siren, points(4, 2), 2).laplacian)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        propagate_function(mine, points(4, 2), 1)


def test_without_gradients_nothing_is_kept_for_backward():
    with torch.no_grad():
        assert not propagate(Siren(2, 1, width=8), points(3, 2), 2).laplacian.requires_grad
        assert not autograd.propagate(Siren(2, 1, width=8), points(3, 2), 2).laplacian.requires_grad


def test_float32_is_close_to_float64():
    field, x = network("sine", 2, 1), points(100, 2)
    exact = propagate(field, x, 2)
    single = propagate(field.float(), x.float(), 2)
    assert single.laplacian.dtype == torch.float32
    for ours, truth in zip(single[:3], exact[:3], strict=True):
        assert_close(ours.double(), truth, 1e-4)
