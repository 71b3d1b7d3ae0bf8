"""The natural gradient, compared with damped least squares, whose Jacobian is computed by autograd."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev

import sinefield as sf
from sinefield.constraints.regression import regression
from sinefield.networks import ACTIVATIONS
from sinefield.networks.on_domain import OnDomain
from sinefield.sampling.batch import Batch
from sinefield.training.optimizers.natural import MIN_DAMPING, MOMENTUM, NOISE, WARMUP_STEPS, Natural


def problem(network="sine", channels=2, noise=1e-4):
    generator = torch.Generator().manual_seed(0)
    kind = ACTIVATIONS[network]
    function = OnDomain(kind(3, channels, width=8, depth=1, generator=generator), sf.domain.box([0, 0, 0], [2, 1, 4]))
    x = torch.rand(12, 3, dtype=torch.float64, generator=generator)
    function = function.double()
    off = noise * torch.rand(12, channels, dtype=torch.float64, generator=generator)
    return function, Batch(x, function(x).detach() + off)


def jacobian(function, x):
    """(n · c, parameters), and the parameters."""
    names = dict(function.named_parameters())
    rows = jacrev(lambda values: functional_call(function, values, (x,)).flatten())(names)
    return torch.cat([rows[name].flatten(1) for name in names], dim=1), [names[name] for name in names]


@pytest.mark.parametrize("network", ["sine", "tanh", "gaussian", "finer", "relu", "relu-pe"])
def test_two_steps_are_those_of_damped_least_squares(network):
    function, batch = problem(network)
    optimizer = Natural(function.parameters(), lr=0.5)
    last = 0.0
    for step in range(1, 3):
        before = torch.cat([p.detach().flatten() for p in function.parameters()])
        J, _ = jacobian(function, batch.x)
        r = (function(batch.x) - batch.target).detach().flatten()
        damping = max(MIN_DAMPING, NOISE * float(r.square().mean())) * (J * J).sum(1).mean()
        # φ is where |J φ - r|² + λ |φ - μ φ₋|² is least
        stacked = torch.cat([J, damping.sqrt() * torch.eye(J.shape[1])])
        wanted = torch.cat([r, damping.sqrt() * MOMENTUM * last * torch.ones(J.shape[1])])
        last = torch.linalg.lstsq(stacked, wanted[:, None], driver="gelsd").solution[:, 0]
        [loss] = optimizer.descend(function, regression(lambda step: batch), step).values()
        after = torch.cat([p.detach().flatten() for p in function.parameters()])
        assert loss == pytest.approx(float(r.square().mean()))
        assert torch.allclose(before - after, 0.5 * step / WARMUP_STEPS * last, rtol=1e-4, atol=1e-7)


def test_a_network_of_other_layers_is_refused():
    function, batch = problem("wire", 1)
    with pytest.raises(sf.InputError, match="affine and pointwise"):
        Natural(function.parameters(), lr=0.5).descend(function, regression(lambda step: batch), 0)


def hills(points):
    return np.exp(-4 * np.square(points - 0.4).sum(-1))


def test_a_smooth_function_is_accurate_between_scattered_samples():
    random = np.random.default_rng(0)
    coords, fresh = random.random((800, 2)), random.random((500, 2))
    field = sf.fit(sf.from_points(coords, hills(coords)), steps=150)
    assert (field.network.width, field.network.depth) == (128, 1)
    error = field(fresh)[:, 0] - hills(fresh)
    assert np.linalg.norm(error) < 1e-3 * np.linalg.norm(hills(fresh))
    slope = -8 * (fresh - 0.4) * hills(fresh)[:, None]
    error = field.gradient(fresh)[:, 0] - slope
    assert np.linalg.norm(error) < 1e-2 * np.linalg.norm(slope)


def test_noise_is_not_fitted():
    random = np.random.default_rng(2)
    coords, fresh = random.random((2000, 2)), random.random((500, 2))
    noise = 0.1 * hills(coords).std() * random.standard_normal(2000)
    field = sf.fit(sf.from_points(coords, hills(coords) + noise), steps=150)
    error = field(fresh)[:, 0] - hills(fresh)
    assert np.sqrt(np.mean(error**2)) < 0.4 * noise.std()


def test_a_resumed_fit_by_natural_gradients_has_the_same_weights(tmp_path):
    coords = np.random.default_rng(1).random((700, 2))
    signal = sf.from_points(coords, hills(coords))
    options = {"width": 24, "depth": 1, "omega": 6}
    whole = sf.fit(signal, steps=40, **options)
    sf.fit(signal, steps=25, checkpoint=tmp_path, **options)
    parts = sf.fit(signal, steps=40, checkpoint=tmp_path, resume=True, **options)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    elsewhere = sf.from_points(coords[::-1], signal.values[:, 0])
    with pytest.raises(sf.InputError, match="checksum"):
        sf.fit(elsewhere, steps=50, checkpoint=tmp_path, resume=True, **options)


def test_many_scattered_samples_or_wire_are_fitted_by_other_optimizers():
    coords = np.random.default_rng(1).random((30_000, 2))
    field = sf.fit(sf.from_points(coords, coords[:, 0]), steps=1)
    assert (field.network.width, field.network.depth) == (256, 3)
    field = sf.fit(sf.from_points(coords[:100], coords[:100, 0]), activation="wire", steps=1, width=16)
    assert field.network.depth == 3


def test_an_array_is_fitted_by_natural_gradients_on_request():
    t = np.linspace(0, 6, 400)
    noise = 0.1 * np.random.default_rng(0).standard_normal(400)
    signal = sf.from_array(np.sin(t) + noise, step=(t[1],), axes=("t",), units=("s",))
    slope = sf.fit(signal, recipe="natural", steps=100).gradient(t[:, None])[:, 0, 0]
    assert np.abs(slope - np.cos(t))[20:-20].max() < 0.3  # of the noise itself it is 60
    with pytest.raises(sf.InputError, match="wire, which has complex weights"):
        sf.fit(signal, recipe="natural", activation="wire")


def test_problems_unsuited_to_natural_gradients_are_refused():
    signal = sf.from_array(np.add.outer(np.arange(8.0), np.arange(8.0)))
    with pytest.raises(sf.InputError, match="not for derivatives"):
        sf.reconstruct(signal, recipe="natural", steps=1)
    function, batch = problem()
    slope = sf.Constraint("slope", lambda step: batch, lambda jet, batch: jet.gradient[:, 0], order=1, norm=torch.abs)
    with pytest.raises(sf.InputError, match="squared norm at single points; 'slope'"):
        sf.minimize(function, [slope], Natural(function.parameters(), lr=0.5), steps=1)


def test_a_step_for_several_constraints_is_damped_least_squares_over_all_of_them():
    function, batch = problem()
    weight = torch.linspace(0.5, 2, 12, dtype=torch.float64)[:, None]
    values = sf.Constraint("value", lambda step: batch, lambda jet, batch: jet.value - batch.target, weight=3.0)
    equation = sf.Constraint(
        "equation",
        lambda step: batch._replace(weight=weight),
        lambda jet, batch: jet.laplacian * jet.value + jet.gradient.sum(-1).sin() * batch.target,
        order=2,
        weight=1e-3,
    )
    names = dict(function.named_parameters())

    def residuals(parameters):
        with torch.nn.utils.stateless._reparametrize_module(function, parameters):
            jet = sf.propagate(function, batch.x, 2)
        parts = (3 / 24) ** 0.5 * values.residual(jet, batch), 1e-3**0.5 * equation.residual(jet, batch)
        return torch.cat([parts[0].flatten(), (parts[1] * (weight / 24).sqrt()).flatten()])

    J = torch.cat([each.flatten(1) for each in jacrev(residuals)(names).values()], dim=1).detach()
    r = residuals(names).detach()
    damping = max(MIN_DAMPING, NOISE * float(r.square().sum())) * (J * J).sum(1).mean()
    wanted = torch.linalg.solve(J.T @ J + damping * torch.eye(J.shape[1]), J.T @ r)
    before = torch.cat([p.detach().flatten() for p in function.parameters()])
    terms = Natural(function.parameters(), lr=0.5).descend(function, [values, equation], 0)
    after = torch.cat([p.detach().flatten() for p in function.parameters()])
    assert sum(terms.values()) == pytest.approx(float(r.square().sum()))
    assert terms["equation"] == pytest.approx(float(r[24:].square().sum()))
    assert torch.allclose(before - after, 0.5 / WARMUP_STEPS * wanted, rtol=1e-4, atol=1e-8)
