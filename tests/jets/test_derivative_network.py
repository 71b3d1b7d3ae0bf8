"""The derivative of a network as a network, against nested autograd in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from sinefield.domain import Domain
from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.jets import Derivative, autograd, derivative, propagate
from sinefield.networks import ACTIVATIONS, Siren
from sinefield.networks.layers import Affine, Sine
from sinefield.networks.on_domain import OnDomain
from sinefield.signals import from_array
from tests.jets.test_reference import assert_close, network, points
from tests.jets.test_taylor_mode import Given


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def nested(field, x, axes):
    """∂Φ along the axes, one backward pass for each."""
    x = x.detach().requires_grad_()
    value = field(x)
    for axis in axes:
        columns = []
        for channel in value.unbind(-1):
            (slope,) = torch.autograd.grad(channel.sum(), x, create_graph=True, materialize_grads=True)
            columns.append(slope[..., axis] + 0 * x[..., 0])  # a constant, too, can be differentiated on
        value = torch.stack(columns, dim=-1)
    return value


@pytest.mark.parametrize(
    "axes", [(0,), (2,), (0, 1), (1, 1), (2, 0, 2), (1, 0, 1, 2), (0, 0, 0, 0, 0), (0, 1, 0, 1, 0, 1)]
)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_it_agrees_with_nested_autograd(name, axes):
    field, x = network(name, 3, 2), points(7, 3)
    assert_close(derivative(field, *axes)(x), nested(field, x, axes))


def test_one_axis_of_a_sine_is_a_cosine():
    weight, bias, omega, x = torch.tensor([[0.3, -0.7]]), torch.tensor([0.2]), 30.0, points(50, 2)
    ours = derivative(Given(Affine(weight, bias), Sine(omega)), 1)(x)
    assert_close(ours, omega * weight[0, 1] * torch.cos(omega * (x @ weight.T + bias)), 1e-14)


def test_a_linear_network_has_a_constant_derivative_and_no_second():
    weight, x = torch.tensor([[0.3, -0.7], [1.0, 2.0]]), points(5, 2)
    linear = Given(Affine(weight, torch.zeros(2)))
    assert torch.equal(derivative(linear, 1)(x), weight[:, 1].expand(5, 2))
    assert torch.equal(derivative(linear, 0, 1)(x), torch.zeros(5, 2))


def test_finite_differences_agree():
    field, x, h = network("sine", 2, 1), points(20, 2), 1e-5
    step = torch.tensor([0.0, h])
    with torch.no_grad():
        reference = (derivative(field, 0)(x + step) - derivative(field, 0)(x - step)) / (2 * h)
        assert_close(derivative(field, 0, 1)(x), reference, 1e-5)


def test_derivatives_of_derivatives_are_one_derivative():
    siren, x = network("sine", 2, 1), points(5, 2)
    twice = derivative(derivative(siren, 1), 0, 1)
    assert twice.network is siren
    assert twice.axes == (0, 1, 1)
    assert torch.equal(twice(x), derivative(siren, 0, 1, 1)(x))


def test_it_shares_the_parameters():
    siren, x = network("sine", 2, 1), points(30, 2)
    slope = derivative(siren, 0)
    assert [id(p) for p in slope.parameters()] == [id(p) for p in siren.parameters()]
    before = siren(x).detach()
    optimizer = torch.optim.SGD(slope.parameters(), lr=1e-6)
    slope(x).square().mean().backward()
    optimizer.step()
    assert not torch.equal(siren(x), before)
    assert_close(slope(x), nested(siren, x, (0,)))


@pytest.mark.parametrize("axes", [(1,), (0, 1), (0, 0, 0)])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_train_through_it_as_through_autograd(name, axes):
    x, gradients = points(5, 2), []
    for by in (lambda f: derivative(f, *axes)(x), lambda f: nested(f, x, axes)):
        field = network(name, 2, 1)
        (by(field) * points(5, 1, seed=3)).sum().backward()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad for p in field.parameters()])
    for ours, reference in zip(*gradients, strict=True):
        assert_close(ours, reference)


def test_points_may_have_any_shape_and_a_gradient():
    field, x = derivative(network("sine", 2, 3), 0), points(12, 2)
    assert torch.equal(field(x.reshape(3, 4, 2)), field(x).reshape(3, 4, 3))
    assert_close(autograd.propagate(field, x, 1).gradient[..., 1], nested(field.network, x, (0, 1)))


@pytest.mark.parametrize("axes", [(0,), (1, 2)])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_jet_of_a_derivative(name, axes):
    field, x = network(name, 3, 2), points(7, 3)
    slope = derivative(field, *axes)
    jet, full = propagate(slope, x, 2), propagate(slope, x, 2, hessian=True)
    gradient = torch.stack([nested(field, x, (*axes, j)) for j in range(3)], -1)
    hessian = torch.stack([torch.stack([nested(field, x, (*axes, j, k)) for k in range(3)], -1) for j in range(3)], -2)
    for each in (jet, full):
        assert_close(each.value, nested(field, x, axes))
        assert_close(each.gradient, gradient)
        assert_close(each.laplacian, hessian.diagonal(dim1=-2, dim2=-1).sum(-1))
    assert jet.hessian is None
    assert_close(full.hessian, hessian)
    assert propagate(slope, x, 0)[1:] == (None, None, None)
    assert propagate(slope, x, 1).laplacian is None


def test_derivatives_of_a_domain_and_a_field_are_in_the_units_of_the_user():
    siren, x = network("sine", 2, 1), points(9, 2) * torch.tensor([3.0, 0.5]) + torch.tensor([100.0, -7.0])
    domain = Domain((97.0, -7.5), (103.0, -6.5), ("y", "x"), ("m", "m"), (3.0, 0.5))
    over = OnDomain(siren, domain)
    assert_close(derivative(over, 0, 1, 1)(x), nested(over, x, (0, 1, 1)))
    signal = from_array(10 + 4 * np.random.default_rng(0).standard_normal((20, 30)), step=(0.5, 2.0))
    field, x = Field(siren, signal.header), points(9, 2) * torch.tensor([5.0, 30.0]) + torch.tensor([5.0, 30.0])
    assert_close(derivative(field, 1)(x), field.gradient(x)[..., 1])
    assert_close(derivative(field, 0, 0)(x) + derivative(field, 1, 1)(x), field.laplacian(x))
    assert_close(propagate(derivative(field, 0), x, 1).gradient[..., 1], nested(field, x, (0, 1)))


def test_float32_over_a_domain_in_float64():
    siren, x = Siren(1, 1, width=16).float(), torch.tensor([[1.7e9], [1.7e9 + 1]])
    over = OnDomain(siren, Domain((1.7e9 - 10,), (1.7e9 + 10,), ("t",), ("s",), (10.0,)))
    ours = derivative(over, 0, 0)(x)
    assert ours.dtype == torch.float32
    assert_close(ours.double(), derivative(siren.double(), 0, 0)((x - 1.7e9) / 10) / 100, 1e-4)


def test_it_works_with_parameters_from_elsewhere():
    siren, x = network("sine", 2, 1), points(6, 2)
    others = [network("sine", 2, 1, seed=seed) for seed in (1, 2, 3)]
    slope = derivative(siren, 0, 1)

    def call(parameters):
        return torch.func.functional_call(slope, {f"network.{name}": p for name, p in parameters.items()}, (x,))

    stacked, _ = torch.func.stack_module_state(others)
    ours = torch.func.vmap(call)(stacked)
    for mine, other in zip(ours, others, strict=True):
        assert_close(call(dict(other.named_parameters())), nested(other, x, (0, 1)))
        assert_close(mine, nested(other, x, (0, 1)))


def test_generated_weights_can_be_stacked():
    x, weights = points(6, 2), torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0))

    def made(weight):
        return Given(Affine(weight, weight[:, 0]), Sine(5.0), Affine(weight.T, weight[0]))

    ours = torch.func.vmap(lambda weight: derivative(made(weight), 1, 1)(x))(weights)
    jets = torch.func.vmap(lambda weight: propagate(derivative(made(weight), 1), x, 1).gradient)(weights)
    for mine, jet, weight in zip(ours, jets, weights, strict=True):
        assert_close(mine, nested(made(weight), x, (1, 1)))
        assert_close(jet[..., 1], mine)


@pytest.mark.parametrize("axes", [(), (2,), (-1,), (0, 5)])
def test_an_axis_out_of_range_is_refused(axes):
    with pytest.raises(InputError, match="axes must be one or more of 0 … 1"):
        derivative(network("sine", 2, 1), *axes)
    with pytest.raises(InputError, match="axes"):
        derivative(derivative(network("sine", 2, 1), 0), 2)


def test_a_module_without_rules_is_refused():
    with pytest.raises(InputError, match="Sequential has layers without a derivative rule"):
        derivative(nn.Sequential(nn.Linear(2, 1)), 0)


def test_whole_numbers_are_refused():
    with pytest.raises(InputError, match="float"):
        derivative(network("sine", 2, 1), 0)(torch.zeros(3, 2, dtype=torch.int64))


def test_repr_names_the_axes():
    assert "axes=(0, 1)" in repr(derivative(network("sine", 2, 1), 1, 0))
    assert isinstance(derivative(network("sine", 2, 1), 0), Derivative)
