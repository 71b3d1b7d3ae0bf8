"""Hard constraints and concatenated networks, against nested autograd of explicit formulas."""

import math

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield import serialization
from sinefield.domain import box
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.jets import autograd, derivative, propagate, taylor
from sinefield.networks import Siren
from sinefield.networks.concat import Concat
from sinefield.networks.hard_constraint import (
    CompactSupport,
    DistanceFactor,
    GaussianSources,
    HardConstraint,
    ZeroOnBox,
)
from sinefield.networks.on_domain import OnDomain
from sinefield.problems.poisson import poisson
from sinefield.sampling.batch import Batch
from sinefield.signals import Header
from sinefield.training.optimizers.jacobian import linearize
from tests.jets.test_taylor_mode import nested

DOMAIN = box((0.0, -1.0), (2.0, 3.0))
SOURCES = GaussianSources(((0.5, 0.5), (1.2, 2.0)), variance=0.6, reach=1.5, strength=(2.0, -0.5))


class Custom(HardConstraint):
    """A different constraint for each of two channels."""

    def lift(self, x):
        return torch.stack([x[:, 0].cos() * x[:, 1], x[:, 1] ** 3], dim=-1)

    def factor(self, x):
        return torch.stack([x[:, 0].sin(), (x[:, 0] * x[:, 1]).exp()], dim=-1)


def custom_reference(x, value):
    a, b = x.split(1, dim=-1)
    return torch.cat([a.cos() * b + a.sin() * value[:, :1], b**3 + (a * b).exp() * value[:, 1:]], dim=-1)


def box_reference(x, value):
    a, b = x.split(1, dim=-1)
    return a * (2 - a) * (b + 1) * (3 - b) / 4 * value


def distance_reference(x, value):
    return ((x[:, :1] - 1) ** 2 + (x[:, 1:] + 2) ** 2) ** 0.5 * (0.7 + value)


def support_reference(x, value):
    a, b = (x / 1.7).unbind(-1)
    bump = torch.where((a.abs() < 1) & (b.abs() < 1), (1 - a**2) ** 2 * (1 - b**2) ** 2, 0)
    return 0.4 + bump[:, None] * value


def sources_reference(x, value):
    """ln r² + E₁(z) = ln 2σ² - γ + z - z²/(2 · 2!) + z³/(3 · 3!) - …, z = r²/2σ²."""
    columns = []
    for point in SOURCES.points:
        square = (x - torch.tensor(point)).square().sum(-1)
        z = square / (2 * 0.6)
        entire = sum((-1) ** (k + 1) * z**k / (k * float(math.factorial(k))) for k in range(1, 40))
        cut = torch.where(square < 1.5**2, 1 - square / 1.5**2, 0)
        potential = (math.log(1.2) - np.euler_gamma + entire) / (4 * math.pi) * cut**4
        columns += [2.0 * potential, -0.5 * potential]
    return torch.stack(columns, dim=-1) + value


CASES = {
    "box": (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), box_reference, 1),
    "box, two channels": (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), box_reference, 2),
    "distance": (DistanceFactor((1.0, -2.0), 0.7), distance_reference, 1),
    "support": (CompactSupport(1.7, 0.4), support_reference, 2),
    "sources": (SOURCES, sources_reference, 4),
    "custom": (Custom(), custom_reference, 2),
}
PARTS = [(0, False), (1, False), (2, False), (2, True)]


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def siren(channels=1, seed=0, dim=2):
    generator = torch.Generator().manual_seed(seed)
    return Siren(dim, channels, width=12, depth=1, omega_first=3, omega_hidden=3, generator=generator)


def points(count=20):
    unit = torch.rand(count, 2, generator=torch.Generator().manual_seed(1))
    return torch.tensor(DOMAIN.lower) + unit * torch.tensor([2.0, 4.0])


def case(name):
    """u of the package, u of the formula, and the network of both."""
    hard_constraint, formula, channels = CASES[name]
    network = siren(channels)
    center, half_extent = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])
    return (
        OnDomain(network, DOMAIN, hard_constraint),
        lambda x: formula(x, network((x - center) / half_extent)),
        network,
    )


TOLERANCE = {"sources": 1e-11}
"""Relative tolerances other than 1e-12: the second derivatives of ln r² and E₁ cancel near their poles."""


def assert_same(ours, reference, tolerance=1e-12):
    for value, expected in zip(ours, reference, strict=True):
        assert (value is None) == (expected is None)
        if value is not None:
            assert value.shape == expected.shape
            assert (value - expected).abs().max() <= tolerance * expected.abs().max()


def with_laplacian(jet):
    return jet if jet.hessian is None else jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))


@pytest.mark.parametrize(("order", "hessian"), PARTS)
@pytest.mark.parametrize("name", CASES)
def test_jets_and_their_parameter_gradients(name, order, hessian):
    function, formula, network = case(name)
    x, generator = points(), torch.Generator().manual_seed(2)
    assert_same([function(x)], [formula(x)])
    ours = propagate(function, x, order, hessian=hessian)
    reference = with_laplacian(autograd.propagate(formula, x, order, hessian=hessian))
    assert_same(ours, reference, TOLERANCE.get(name, 1e-12))
    cotangents = [None if part is None else torch.randn(part.shape, generator=generator) for part in reference]
    gradients = []
    for jet in (ours, reference):
        loss = sum(
            (part * cotangent).sum() for part, cotangent in zip(jet, cotangents, strict=True) if part is not None
        )
        gradients.append(torch.autograd.grad(loss, list(network.parameters())[:-1]))
    assert_same(*gradients, 1e-11)


def test_a_jet_is_differentiable_with_respect_to_the_points():
    function, formula, _ = case("box")
    x = points().requires_grad_()
    (gradient,) = torch.autograd.grad(propagate(function, x, 1).value.sum(), x)
    assert_same([gradient], [autograd.propagate(formula, points(), 1).gradient[:, 0]])


def test_the_jet_of_a_frozen_field_has_no_graph():
    field = sf.solve(poisson(size=32), width=8, depth=1, steps=1)
    x = torch.tensor([0.3, 0.4])
    assert not field.gradient(x).requires_grad
    assert not field.laplacian(x).requires_grad
    assert field.at([[0.3, 0.4]]).shape == (1, 1)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_along_a_line(name):
    function, formula, _ = case(name)
    x, direction = points(6), torch.tensor([0.8, -0.5])
    assert_same(taylor(function, x, direction, 3), nested(formula, x, direction, 3), 1e-10)


def test_single_precision():
    function, formula, network = case("sources")
    reference = autograd.propagate(formula, points(), 2)
    network.float()
    jet = propagate(function, points(), 2)
    assert {part.dtype for part in jet if part is not None} == {torch.float32}
    assert_same(jet, reference, 1e-4)


def test_the_boundary_values_are_exactly_zero():
    lower, upper = (0.1, -1 / 3), (0.7, 2.9)
    function = OnDomain(siren(3), box(lower, upper), ZeroOnBox(lower, upper))
    unit = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    inside = torch.tensor(lower) + unit * (torch.tensor(upper) - torch.tensor(lower))
    for axis in (0, 1):
        for end in (lower, upper):
            x = inside.clone()
            x[:, axis] = end[axis]
            assert not function(x).any()
            jet = propagate(function, x, 2)
            assert not jet.value.any()
            assert not jet.gradient[..., 1 - axis].any()
            assert jet.gradient[..., axis].abs().min() > 0
    assert (function(inside) != 0).all()
    assert ZeroOnBox(lower, upper).factor(torch.tensor([[0.4, (2.9 - 1 / 3) / 2]])).item() == pytest.approx(1)


def test_a_distance_factor_vanishes_at_its_point_and_grows_with_its_slope():
    function, _, network = case("distance")
    point = torch.tensor([[1.0, -2.0]])
    assert abs(function(point).item()) < 1e-14  # rounding error of the distance
    jet = propagate(function, point, 2)
    assert all(part.isfinite().all() for part in jet if part is not None)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    steps = torch.tensor([[3.0, 4.0], [-5.0, 12.0]])
    jet = propagate(function, point + steps, 2)
    lengths = torch.tensor([[5.0], [13.0]])
    assert_same([jet.value, jet.gradient[:, 0], jet.laplacian], [0.7 * lengths, 0.7 * steps / lengths, 0.7 / lengths])


def test_the_laplacian_of_sources_is_a_sum_of_gaussians():
    variance, strength = 0.01, (3.0, -2.0)
    sources = GaussianSources(((0.5, 0.5), (0.7, 0.6)), variance, reach=1e7, strength=strength)
    r = torch.tensor([1e-3, 0.02, 0.1, 0.15, 0.3, 1.0])[:, None]
    x = torch.tensor([0.5, 0.5]) + r * torch.tensor([0.6, -0.8])
    gaussians = [
        (-(x - torch.tensor(point)).square().sum(-1) / (2 * variance)).exp() / (2 * math.pi * variance)
        for point in sources.points
    ]
    expected = torch.stack([s * gaussian for gaussian in gaussians for s in strength], dim=-1)
    without = propagate(OnDomain(siren(4), DOMAIN), x, 2).laplacian
    with_sources = propagate(OnDomain(siren(4), DOMAIN, sources), x, 2).laplacian - without
    assert (with_sources - expected).abs().max() < 1e-8 * expected.abs().max()
    [at] = propagate(OnDomain(siren(4), DOMAIN, sources), torch.tensor([[0.5, 0.5]]), 2).laplacian
    assert at[0].item() == pytest.approx(3 / (2 * math.pi * variance), rel=0.05)


def test_sources_have_a_finite_reach():
    function = OnDomain(siren(), DOMAIN, GaussianSources(((0.0, 0.0),), 0.01, 0.5, (1.0,)))
    beyond, within = torch.tensor([[0.3, 0.41], [2.0, 1.0]]), torch.tensor([[0.3, 0.39]])
    plain = OnDomain(siren(), DOMAIN)
    assert_same(propagate(function, beyond, 2, hessian=True), propagate(plain, beyond, 2, hessian=True), 0)
    assert function(within) != plain(within)


def field(hard_constraint, channels=(), low=-1.0, high=1.0):
    out = max(len(channels), 1)
    header = Header("array", DOMAIN, (5, 6), channels, "float64", (low,) * out, (high,) * out)
    return Field(siren(out), header, FitInfo("test"), hard_constraint=hard_constraint)


@pytest.mark.parametrize(
    ("hard_constraint", "channels"),
    [
        (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), ()),
        (DistanceFactor((1.0, -2.0), 0.7), ()),
        (CompactSupport(1.7, 0.4), ("a", "b")),
        (SOURCES, ("re 1", "im 1", "re 2", "im 2")),
        (GaussianSources(((0.5, 0.5),), 0.1, 1.5, (2.0,)), ()),
    ],
)
def test_a_field_with_a_hard_constraint_is_saved_and_loaded(hard_constraint, channels, tmp_path):
    saved, x = field(hard_constraint, channels), points()
    saved.save(path := tmp_path / "a.safetensors")
    loaded = sf.load(path)
    assert loaded.hard_constraint == hard_constraint
    plain = OnDomain(saved.network, DOMAIN)(x)
    assert torch.equal(loaded(x), hard_constraint.lift(x) + hard_constraint.factor(x) * plain)
    assert torch.equal(loaded(x), saved(x))
    assert torch.equal(loaded.gradient(x), saved.gradient(x))
    assert torch.equal(loaded.laplacian(x), saved.laplacian(x))
    assert_same([loaded.gradient(x)], [autograd.propagate(saved, x, 1).gradient])
    assert np.array_equal(loaded.render(quantity="gradient"), saved.render(quantity="gradient"))
    y, z = (torch.from_numpy(each) for each in DOMAIN.centers((5, 6)))
    values = saved(torch.stack(torch.meshgrid(y, z, indexing="ij"), dim=-1))
    assert np.allclose(saved.render().reshape(5, 6, -1), values.numpy(), rtol=1e-12)


def test_a_custom_constraint_cannot_be_saved(tmp_path):
    custom = field(Custom(), ("a", "b"))
    assert_same([custom(points())], [custom_reference(points(), OnDomain(custom.network, DOMAIN)(points()))])
    with pytest.raises(sf.InputError, match=r"custom hard constraint \(Custom\).* ZeroOnBox, .*GaussianSources"):
        custom.save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []

    class Derived(ZeroOnBox):
        """A subclass, which a file would load as its base class."""

    with pytest.raises(sf.InputError, match="custom hard constraint"):
        field(Derived(DOMAIN.lower, DOMAIN.upper)).save(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"name": "zero_on_box", "lower": [0.0, 0.0]},
        {"name": "distance_factor", "point": [0.0, 0.0], "height": 1.0},
        {},
        None,
        "zero_on_box",
    ],
)
def test_a_file_with_an_invalid_hard_constraint_is_refused(changed, tmp_path):
    field(ZeroOnBox(DOMAIN.lower, DOMAIN.upper)).save(path := tmp_path / "a.safetensors")
    tensors, header = serialization.read(path, "field")
    serialization.write(path, "field", tensors, header | {"hard_constraint": changed})
    with pytest.raises(sf.InputError, match="header that does not describe a field"):
        sf.load(path)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-2.0, 2.0), (-1.0, 3.0)])
def test_a_hard_constraint_needs_unscaled_values(low, high):
    with pytest.raises(sf.InputError, match="from -1 to 1"):
        field(ZeroOnBox(DOMAIN.lower, DOMAIN.upper), low=low, high=high)
    assert field(None, low=low, high=high).hard_constraint is None


def test_the_derivative_network_of_a_constrained_field_is_refused():
    for each in (field(DistanceFactor((1.0, 1.0))), case("custom")[0]):
        with pytest.raises(sf.InputError, match="does not support networks with a hard constraint"):
            derivative(each, 0)
    assert derivative(field(None), 0)(points()).shape == (20, 1)


def concatenated():
    """A constrained network of two channels and an unconstrained one of one channel."""
    constrained = OnDomain(siren(2), DOMAIN, ZeroOnBox(DOMAIN.lower, DOMAIN.upper))
    return Concat(constrained, OnDomain(siren(1, seed=5), DOMAIN))


@pytest.mark.parametrize(("order", "hessian"), PARTS)
def test_the_jet_of_concatenated_networks(order, hessian):
    function, x = concatenated(), points()
    assert torch.equal(function(x), torch.cat([each(x) for each in function.networks], dim=-1))
    jet = propagate(function, x, order, hessian=hessian)
    assert_same(jet, with_laplacian(autograd.propagate(function, x, order, hessian=hessian)))
    assert jet.value.shape == (20, 3)
    last = next(part for part in reversed(jet) if part is not None)
    product = (last[:, 0] * last[:, 2]).sum()
    gradients = torch.autograd.grad(product, [each.network.weights[0] for each in function.networks])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("function", [concatenated(), case("custom")[0]], ids=["concatenated", "custom constraint"])
def test_the_jacobian_of_the_residuals(function):
    """The residuals mix the channels, so that both networks contribute to each of them."""
    function = function.double()  # created before the default dtype was changed
    x, weight = points(), torch.linspace(0.5, 2, 20)[:, None]

    def equation(jet, batch):
        mixed = jet.gradient[:, 0] * jet.value[:, -1:] + jet.gradient[:, -1].sin()
        return torch.cat([jet.laplacian[:, :1] * jet.value[:, -1:], mixed], dim=-1)

    def values(jet, batch):
        return jet.value.square() - batch.x[:, :1]

    constraints = [
        sf.Constraint("equation", lambda step: None, equation, order=2, weight=0.3),
        sf.Constraint("values", lambda step: None, values, weight=2.0),
    ]
    batches = [Batch(x, weight=weight), Batch(x[:7])]
    residual, terms, jacobian = linearize(function, constraints, batches)
    reference = []
    for constraint, batch in zip(constraints, batches, strict=True):
        values = constraint.residual(autograd.propagate(function, batch.x, constraint.order), batch)
        weights = 1.0 if batch.weight is None else batch.weight
        reference.append((values * (constraint.weight * weights / values.numel()) ** 0.5).flatten())
    reference = torch.cat(reference)
    parameters = list(function.parameters())
    rows = [torch.autograd.grad(row, parameters, retain_graph=True, materialize_grads=True) for row in reference]
    explicit = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    assert_same([residual, jacobian.kernel()], [reference.detach(), explicit @ explicit.T], 1e-11)
    assert sum(terms.values()) == pytest.approx(reference.square().sum().item())
    step = {p: torch.randn(p.shape, generator=torch.Generator().manual_seed(k)) for k, p in enumerate(parameters)}
    flat = torch.cat([step[p].flatten() for p in parameters])
    y = torch.randn(len(reference), generator=torch.Generator().manual_seed(9))
    transposed = torch.cat([jacobian.transposed_matvec(y)[p].flatten() for p in parameters])
    assert_same([jacobian.matvec(step), transposed], [explicit @ flat, explicit.T @ y], 1e-11)
