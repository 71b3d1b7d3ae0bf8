"""Conditions that hold exactly, and networks beside one another, against nested autograd of u written out."""

import math

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield import serialization
from sinefield.domain import box
from sinefield.field.field import Field
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
from sinefield.sampling.batch import Batch
from sinefield.signals import Header
from sinefield.training.optimizers.jacobian import linearize
from tests.test_taylor import nested

DOMAIN = box((0.0, -1.0), (2.0, 3.0))
SOURCES = GaussianSources(((0.5, 0.5), (1.2, 2.0)), variance=0.6, reach=1.5, strength=(2.0, -0.5))


class Own(HardConstraint):
    """Another condition for each of two channels."""

    def lift(self, x):
        return torch.stack([x[:, 0].cos() * x[:, 1], x[:, 1] ** 3], dim=-1)

    def factor(self, x):
        return torch.stack([x[:, 0].sin(), (x[:, 0] * x[:, 1]).exp()], dim=-1)


def own_oracle(x, value):
    a, b = x.split(1, dim=-1)
    return torch.cat([a.cos() * b + a.sin() * value[:, :1], b**3 + (a * b).exp() * value[:, 1:]], dim=-1)


def walls_oracle(x, value):
    a, b = x.split(1, dim=-1)
    return a * (2 - a) * (b + 1) * (3 - b) / 4 * value


def apart_oracle(x, value):
    return ((x[:, :1] - 1) ** 2 + (x[:, 1:] + 2) ** 2) ** 0.5 * (0.7 + value)


def window_oracle(x, value):
    a, b = (x / 1.7).unbind(-1)
    bump = torch.where((a.abs() < 1) & (b.abs() < 1), (1 - a**2) ** 2 * (1 - b**2) ** 2, 0)
    return 0.4 + bump[:, None] * value


def sources_oracle(x, value):
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
    "walls": (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), walls_oracle, 1),
    "walls of two channels": (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), walls_oracle, 2),
    "apart": (DistanceFactor((1.0, -2.0), 0.7), apart_oracle, 1),
    "window": (CompactSupport(1.7, 0.4), window_oracle, 2),
    "sources": (SOURCES, sources_oracle, 4),
    "own": (Own(), own_oracle, 2),
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
    """u as the package has it, u written out, and the network in both."""
    hard_constraint, oracle, channels = CASES[name]
    network = siren(channels)
    center, half_extent = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 2.0])
    return OnDomain(network, DOMAIN, hard_constraint), lambda x: oracle(x, network((x - center) / half)), network


TOLERANCE = {"sources": 1e-11}
"""The second derivatives of ln r² and E₁ near their poles take each other away; else 1e-12."""


def assert_same(ours, reference, tolerance=1e-12):
    for mine, true in zip(ours, reference, strict=True):
        assert (mine is None) == (true is None)
        if mine is not None:
            assert mine.shape == true.shape
            assert (mine - true).abs().max() <= tolerance * true.abs().max()


def whole(jet):
    return jet if jet.hessian is None else jet._replace(laplacian=jet.hessian.diagonal(dim1=-2, dim2=-1).sum(-1))


@pytest.mark.parametrize(("order", "hessian"), PARTS)
@pytest.mark.parametrize("name", CASES)
def test_jets_and_their_gradients_by_parameters_are_those_of_nested_autograd(name, order, hessian):
    function, written, network = case(name)
    x, generator = points(), torch.Generator().manual_seed(2)
    assert_same([function(x)], [written(x)])
    ours = propagate(function, x, order, hessian=hessian)
    reference = whole(autograd.propagate(written, x, order, hessian=hessian))
    assert_same(ours, reference, TOLERANCE.get(name, 1e-12))
    bars = [None if part is None else torch.randn(part.shape, generator=generator) for part in reference]
    gradients = []
    for jet in (ours, reference):
        loss = sum((part * bar).sum() for part, bar in zip(jet, bars, strict=True) if part is not None)
        gradients.append(torch.autograd.grad(loss, list(network.parameters())[:-1]))
    assert_same(*gradients, 1e-11)


def test_a_jet_is_differentiated_by_the_points_too():
    function, written, _ = case("walls")
    x = points().requires_grad_()
    (slope,) = torch.autograd.grad(propagate(function, x, 1).value.sum(), x)
    assert_same([slope], [autograd.propagate(written, points(), 1).gradient[:, 0]])


def test_the_jet_of_a_frozen_field_has_no_graph():
    field = sf.solve(sf.problems.square(size=32), width=8, depth=1, steps=1)
    assert not field.gradient([0.3, 0.4]).requires_grad
    assert not field.laplacian([0.3, 0.4]).requires_grad
    assert field.at([[0.3, 0.4]]).shape == (1,)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_along_a_line_are_those_of_nested_autograd(name):
    function, written, _ = case(name)
    x, direction = points(6), torch.tensor([0.8, -0.5])
    assert_same(taylor(function, x, direction, 3), nested(written, x, direction, 3), 1e-10)


def test_in_single_precision_the_jet_is_that_in_double():
    function, written, network = case("sources")
    reference = autograd.propagate(written, points(), 2)
    network.float()
    jet = propagate(function, points(), 2)
    assert {part.dtype for part in jet if part is not None} == {torch.float32}
    assert_same(jet, reference, 1e-4)


def test_walls_hold_to_the_last_bit():
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


def test_a_distance_begins_at_its_point_and_grows_by_its_slope():
    function, _, network = case("apart")
    point = torch.tensor([[1.0, -2.0]])
    assert abs(function(point).item()) < 1e-14  # the distance is rounded up by as much
    jet = propagate(function, point, 2)
    assert all(part.isfinite().all() for part in jet if part is not None)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    steps = torch.tensor([[3.0, 4.0], [-5.0, 12.0]])
    jet = propagate(function, point + steps, 2)
    lengths = torch.tensor([[5.0], [13.0]])
    assert_same([jet.value, jet.gradient[:, 0], jet.laplacian], [0.7 * lengths, 0.7 * steps / lengths, 0.7 / lengths])


def test_the_laplacian_of_sources_is_their_gaussians():
    variance, strength = 0.01, (3.0, -2.0)
    sources = GaussianSources(((0.5, 0.5), (0.7, 0.6)), variance, reach=1e7, strength=strength)
    r = torch.tensor([1e-3, 0.02, 0.1, 0.15, 0.3, 1.0])[:, None]
    x = torch.tensor([0.5, 0.5]) + r * torch.tensor([0.6, -0.8])
    gaussians = [
        (-(x - torch.tensor(point)).square().sum(-1) / (2 * variance)).exp() / (2 * math.pi * variance)
        for point in sources.points
    ]
    wanted = torch.stack([s * gaussian for gaussian in gaussians for s in strength], dim=-1)
    found = propagate(OnDomain(siren(4), DOMAIN), x, 2).laplacian
    with_sources = propagate(OnDomain(siren(4), DOMAIN, sources), x, 2).laplacian - found
    assert (with_sources - wanted).abs().max() < 1e-8 * wanted.abs().max()
    [at] = propagate(OnDomain(siren(4), DOMAIN, sources), torch.tensor([[0.5, 0.5]]), 2).laplacian
    assert at[0].item() == pytest.approx(3 / (2 * math.pi * variance), rel=0.05)


def test_sources_end_at_their_reach():
    function = OnDomain(siren(), DOMAIN, GaussianSources(((0.0, 0.0),), 0.01, 0.5, (1.0,)))
    beyond, within = torch.tensor([[0.3, 0.41], [2.0, 1.0]]), torch.tensor([[0.3, 0.39]])
    plain = OnDomain(siren(), DOMAIN)
    assert_same(propagate(function, beyond, 2, hessian=True), propagate(plain, beyond, 2, hessian=True), 0)
    assert function(within) != plain(within)


def field(hard_constraint, channels=(), low=-1.0, high=1.0):
    out = max(len(channels), 1)
    header = Header("array", DOMAIN, (5, 6), channels, "float64", (low,) * out, (high,) * out)
    return Field(siren(out), header, {"source": "test"}, hard_constraint=hard_constraint)


@pytest.mark.parametrize(
    ("condition", "channels"),
    [
        (ZeroOnBox(DOMAIN.lower, DOMAIN.upper), ()),
        (DistanceFactor((1.0, -2.0), 0.7), ()),
        (CompactSupport(1.7, 0.4), ("a", "b")),
        (SOURCES, ("first", "its echo", "second", "its echo")),
        (GaussianSources(((0.5, 0.5),), 0.1, 1.5, (2.0,)), ()),
    ],
)
def test_a_field_with_a_condition_comes_back_as_it_was(hard_constraint, channels, tmp_path):
    saved, x = field(hard_constraint, channels), points()
    saved.save(path := tmp_path / "a.safetensors")
    back = sf.load(path)
    assert back.hard_constraint == hard_constraint
    plain = OnDomain(saved.network, DOMAIN)(x)
    assert torch.equal(back(x), hard_constraint.lift(x) + hard_constraint.factor(x) * plain)
    assert torch.equal(back(x), saved(x))
    assert torch.equal(back.gradient(x), saved.gradient(x))
    assert torch.equal(back.laplacian(x), saved.laplacian(x))
    assert_same([back.gradient(x)], [autograd.propagate(saved, x, 1).gradient])
    assert np.array_equal(back.render(quantity="gradient"), saved.render(quantity="gradient"))
    y, z = (torch.from_numpy(each) for each in DOMAIN.centers((5, 6)))
    shown = saved(torch.stack(torch.meshgrid(y, z, indexing="ij"), dim=-1))
    assert np.allclose(saved.render().reshape(5, 6, -1), shown.numpy(), rtol=1e-12)


def test_a_condition_that_a_file_cannot_describe_is_refused(tmp_path):
    own = field(Own(), ("a", "b"))
    assert_same([own(points())], [own_oracle(points(), OnDomain(own.network, DOMAIN)(points()))])
    with pytest.raises(sf.InputError, match=r"custom hard constraint \(Own\).* ZeroOnBox, .*GaussianSources"):
        own.save(tmp_path / "a.safetensors")
    assert list(tmp_path.iterdir()) == []

    class Kind(ZeroOnBox):
        """Not what a file would bring back."""

    with pytest.raises(sf.InputError, match="custom hard constraint"):
        field(Kind(DOMAIN.lower, DOMAIN.upper)).save(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"name": "walls", "lower": [0.0, 0.0]},
        {"name": "apart", "point": [0.0, 0.0], "height": 1.0},
        {},
        None,
        "walls",
    ],
)
def test_a_file_with_an_unknown_condition_is_refused(changed, tmp_path):
    field(ZeroOnBox(DOMAIN.lower, DOMAIN.upper)).save(path := tmp_path / "a.safetensors")
    tensors, header = serialization.read(path, "field")
    serialization.write(path, "field", tensors, header | {"condition": changed})
    with pytest.raises(sf.InputError, match="header that does not describe a field"):
        sf.load(path)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-2.0, 2.0), (-1.0, 3.0)])
def test_a_condition_is_on_values_as_they_are(low, high):
    with pytest.raises(sf.InputError, match="from -1 to 1"):
        field(ZeroOnBox(DOMAIN.lower, DOMAIN.upper), low=low, high=high)
    assert field(None, low=low, high=high).hard_constraint is None


def test_the_derivative_of_a_field_with_a_condition_is_refused():
    for each in (field(DistanceFactor((1.0, 1.0))), case("own")[0]):
        with pytest.raises(sf.InputError, match="does not support networks with a hard constraint"):
            derivative(each, 0)
    assert derivative(field(None), 0)(points()).shape == (20, 1)


def beside():
    """A conditioned network of two channels and a plain one of one."""
    walls = OnDomain(siren(2), DOMAIN, ZeroOnBox(DOMAIN.lower, DOMAIN.upper))
    return Concat(walls, OnDomain(siren(1, seed=5), DOMAIN))


@pytest.mark.parametrize(("order", "hessian"), PARTS)
def test_the_jet_of_networks_beside_one_another_has_the_channels_of_all(order, hessian):
    function, x = beside(), points()
    assert torch.equal(function(x), torch.cat([each(x) for each in function.networks], dim=-1))
    jet = propagate(function, x, order, hessian=hessian)
    assert_same(jet, whole(autograd.propagate(function, x, order, hessian=hessian)))
    assert jet.value.shape == (20, 3)
    last = next(part for part in reversed(jet) if part is not None)
    product = (last[:, 0] * last[:, 2]).sum()
    gradients = torch.autograd.grad(product, [each.network.weights[0] for each in function.networks])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("function", [beside(), case("own")[0]], ids=["beside", "own condition"])
def test_the_jacobian_is_that_written_out(function):
    """The residuals mix the channels, so that each of those beside one another has a part in each."""
    function = function.double()  # made before the default was double
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
        found = constraint.residual(autograd.propagate(function, batch.x, constraint.order), batch)
        each = 1.0 if batch.weight is None else batch.weight
        reference.append((found * (constraint.weight * each / found.numel()) ** 0.5).flatten())
    reference = torch.cat(reference)
    parameters = list(function.parameters())
    rows = [torch.autograd.grad(row, parameters, retain_graph=True, materialize_grads=True) for row in reference]
    written = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    assert_same([residual, jacobian.kernel()], [reference.detach(), written @ written.T], 1e-11)
    assert sum(terms.values()) == pytest.approx(reference.square().sum().item())
    step = {p: torch.randn(p.shape, generator=torch.Generator().manual_seed(k)) for k, p in enumerate(parameters)}
    flat = torch.cat([step[p].flatten() for p in parameters])
    y = torch.randn(len(reference), generator=torch.Generator().manual_seed(9))
    pulled = torch.cat([jacobian.pulled(y)[p].flatten() for p in parameters])
    assert_same([jacobian.along(step), pulled], [written @ flat, written.T @ y], 1e-11)
