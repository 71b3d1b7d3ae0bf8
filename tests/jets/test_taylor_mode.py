"""Derivatives of any order along a line, against nested autograd in float64, closed forms and finite differences."""

import warnings

import pytest
import torch
from torch import nn

from sinefield.errors import InputError
from sinefield.jets import derivative, taylor
from sinefield.networks import ACTIVATIONS, Network, Siren
from sinefield.networks.baselines import Gaussian, Relu, Softplus, Tanh, VariableSine
from sinefield.networks.layers import Affine, Sine
from tests.jets.test_reference import assert_close, network, points

FUNCTIONS = [Sine(30.0), Relu(), Tanh(), Softplus(), Gaussian(10.0), VariableSine(30.0)]


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def nested(field, x, direction, order):
    """The derivatives of t ↦ field(x + t v), one backward pass through the last for each."""
    t = torch.zeros(len(x), 1, requires_grad=True)
    derivatives = [field(x + t * direction)]
    for _ in range(order):
        columns = []
        for channel in derivatives[-1].unbind(-1):
            (slope,) = torch.autograd.grad(channel.sum(), t, create_graph=True, materialize_grads=True)
            columns.append(slope + 0 * t)  # a constant, too, can be differentiated on
        derivatives.append(torch.cat(columns, dim=-1))
    return torch.stack(derivatives)


@pytest.mark.parametrize("activation", FUNCTIONS, ids=lambda activation: type(activation).__name__)
def test_activations_have_derivatives_of_any_order(activation):
    v = points(50, 1).requires_grad_()
    reference = nested(activation, v, torch.ones(1), 7)
    for order in range(8):
        ours = activation.derivatives(v, order)
        assert len(ours) == order + 1
        for mine, true in zip(ours, reference, strict=False):
            assert_close(mine, true)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_taylor_agrees_with_nested_autograd(name):
    field, x, direction = network(name, 2, 2), points(7, 2), points(7, 2, seed=2)
    ours, reference = taylor(field, x, direction, 6), nested(field, x, direction, 6)
    assert ours.shape == (7, 7, 2)
    for mine, true in zip(ours, reference, strict=True):
        assert_close(mine, true)
    assert (ours[2:] == 0).all() == (name == "relu")


def test_a_single_sine_gives_its_closed_form():
    weight, bias, omega, direction = torch.tensor([[0.3, -0.7]]), torch.tensor([0.2]), 30.0, torch.tensor([2.0, 1.0])
    x = points(50, 2)
    phase, slope = omega * (x @ weight.T + bias), omega * (weight @ direction)
    ours = taylor(Given(Affine(weight, bias), Sine(omega)), x, direction, 9)
    for k in range(10):
        assert_close(ours[k], slope**k * torch.sin(phase + k * torch.pi / 2), 1e-12)


def test_finite_differences_agree():
    field, x, direction, h = (
        Siren(2, 1, width=24, depth=1, omega_hidden=5.0),
        points(20, 2),
        torch.tensor([1.0, -0.5]),
        1e-3,
    )
    ours = taylor(field, x, direction, 4).detach()
    with torch.no_grad():
        below, here, above = (taylor(field, x + s * h * direction, direction, 2) for s in (-1, 0, 1))
    assert_close(ours[1:4], (above - below) / (2 * h), 1e-3)
    assert_close(ours[2:5], (above - 2 * here + below) / h**2, 1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_train_through_it_as_through_autograd(name):
    x, direction = points(5, 2), torch.tensor([0.6, -0.8])
    gradients = []
    for by in (taylor, nested):
        field = network(name, 2, 1)
        (by(field, x, direction, 4)[4] * points(5, 1, seed=3)).sum().backward()
        gradients.append([torch.zeros_like(p) if p.grad is None else p.grad for p in field.parameters()])
    for ours, reference in zip(*gradients, strict=True):
        assert_close(ours, reference)


def test_the_value_alone_and_the_first_derivative():
    field, x, direction = network("sine", 3, 2), points(5, 3), torch.tensor([1, 0, 2])
    assert torch.equal(taylor(field, x, direction, 0)[0], field(x))
    assert_close(taylor(field, x, direction, 1), nested(field, x, direction, 1))


def test_taylor_of_a_derivative_goes_by_the_rules():
    field, x, direction = network("sine", 2, 1), points(5, 2), torch.tensor([0.3, 0.4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = taylor(derivative(field, 1), x, direction, 3)
    assert_close(ours, nested(derivative(field, 1), x, direction, 3))


def test_a_module_without_rules_falls_back_with_one_warning():
    class Unruled(nn.Sequential):
        pass

    siren, x, direction = network("sine", 2, 2), points(4, 2), torch.tensor([0.5, 1.0])
    with pytest.warns(UserWarning, match="Unruled"):
        ours = taylor(Unruled(siren), x, direction, 4)
    assert_close(ours, taylor(siren, x, direction, 4))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        assert not taylor(Unruled(siren), x, direction, 1).requires_grad


def test_float32_is_close_to_float64():
    field, x, direction = network("sine", 2, 1), points(50, 2), torch.tensor([0.6, 0.8])
    exact = taylor(field, x, direction, 4)
    single = taylor(field.float(), x.float(), direction, 4)
    assert single.dtype == torch.float32
    for mine, true in zip(single, exact, strict=True):
        assert_close(mine.double(), true, 1e-3)


def test_generated_weights_can_be_stacked():
    def made(weights, x):
        first, second = weights
        return taylor(Given(Affine(*first), Sine(5.0), Affine(*second)), x, torch.tensor([1.0, 2.0]), 4)

    generator = torch.Generator().manual_seed(0)
    shapes = (((8, 2), (8,)), ((1, 8), (1,)))
    stacked = tuple(tuple(torch.randn(3, *shape, generator=generator) for shape in pair) for pair in shapes)
    x = points(6, 2)
    ours = torch.func.vmap(made, in_dims=(0, None))(stacked, x)
    for i in range(3):
        weights = tuple(tuple(t[i] for t in pair) for pair in stacked)
        assert_close(
            ours[i], nested(Given(Affine(*weights[0]), Sine(5.0), Affine(*weights[1])), x, torch.tensor([1.0, 2.0]), 4)
        )


@pytest.mark.parametrize(
    ("direction", "order", "message"),
    [(torch.ones(2), -1, "order"), (torch.ones(3), 2, "direction"), (torch.ones(1, 2), 2, "direction")],
)
def test_invalid_arguments_are_refused(direction, order, message):
    with pytest.raises(InputError, match=message):
        taylor(network("sine", 2, 1), points(3, 2), direction, order)


class Given(Network):
    """A network of given layers."""

    def __init__(self, *layers):
        super().__init__()
        self.given = layers

    def layers(self):
        return self.given
