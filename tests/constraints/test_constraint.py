"""Where constraints are evaluated, and what they add up to."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

import sinefield as sf
from sinefield.constraints.constraint import Constraint
from sinefield.domain import box
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, grid, sobol, surface, uniform
from sinefield.training.loss import add_gradient
from sinefield.training.minimize import minimize

BOX = box((0, -1, 10), (2, 3, 11))


@pytest.mark.parametrize("sampler", [uniform, sobol])
def test_points_fill_the_domain_evenly_and_depend_on_the_step_alone(sampler):
    draw = sampler(BOX, 1024, seed=3)
    x = draw(5).x.numpy()
    assert x.shape == (1024, 3)
    for axis, (low, high) in enumerate(zip(BOX.lower, BOX.upper, strict=True)):
        assert kstest(x[:, axis], "uniform", args=(low, high - low)).pvalue > 1e-3
    assert np.array_equal(sampler(BOX, 1024, seed=3)(5).x, x)
    assert not np.array_equal(draw(6).x, x)


def test_sobol_points_are_more_even_than_uniform_ones():
    halves = [
        np.histogramdd(s(BOX, 256)(0).x.numpy(), bins=4, range=list(zip(BOX.lower, BOX.upper, strict=True)))[0]
        for s in (sobol, uniform)
    ]
    assert halves[0].std() < 0.5 * halves[1].std()


def test_boundary_points_lie_on_the_faces_by_area_with_outward_normals():
    batch = boundary(BOX, 20_000)(0)
    x, normal = batch.x.numpy(), batch.normal.numpy()
    assert np.allclose(np.linalg.norm(normal, axis=1), 1)
    beyond = x + 1e-6 * normal
    inside = ((beyond > BOX.lower) & (beyond < BOX.upper)).all(axis=1)
    assert not inside.any()
    areas = np.array([4 * 1, 2 * 1, 2 * 4])
    shares = np.abs(normal).mean(axis=0)
    assert np.allclose(shares, areas / areas.sum(), atol=0.02)


def test_grid_and_surface_return_the_given_points():
    assert grid(box((0,), (4,)), (4,))(9).x[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]
    points = np.random.default_rng(0).normal(size=(50, 3))
    batch = surface(points, 2 * points, 20, seed=1)(4)
    assert torch.equal(2 * batch.x, batch.normal)
    assert {tuple(p) for p in batch.x.tolist()} <= {tuple(p) for p in points.tolist()}


def test_a_constraint_is_its_weighted_mean_norm():
    x, target = torch.zeros(3, 1), torch.tensor([[1.0], [2.0], [-4.0]])
    siren = sf.Siren(1, 1, width=4, depth=0)
    for parameter in siren.parameters():
        torch.nn.init.zeros_(parameter)
    residual = lambda jet, batch: jet.value - batch.target  # noqa: E731
    jet = sf.propagate(siren, x, 0)
    two = Constraint("a", lambda step: None, residual, weight=3.0)
    one = Constraint("b", lambda step: None, residual, norm=torch.abs)
    assert two.term(jet, Batch(x, target)).item() == pytest.approx(3 * 21 / 3)
    assert one.term(jet, Batch(x, target)).item() == pytest.approx(7 / 3)
    weighed = Batch(x, target, weight=torch.tensor([[1.0], [0.0], [2.0]]))
    assert one.term(jet, weighed).item() == pytest.approx(9 / 3)


def test_several_constraints_solve_a_boundary_value_problem_and_are_reported_by_name():
    """u'' = -π² sin(πx) on [0, 1] with u = 0 at both ends, whose solution is sin(πx)."""
    domain = box((0,), (1,))
    siren = sf.Siren(1, 1, width=32, depth=1, omega_first=5, omega_hidden=5, generator=torch.Generator().manual_seed(0))

    def equation(jet, batch):
        return (jet.laplacian + np.pi**2 * torch.sin(np.pi * batch.x)) / np.pi**2

    single = lambda sampler: lambda step: Batch(sampler(step).x.float())  # noqa: E731
    constraints = [
        Constraint("equation", single(sobol(domain, 64)), equation, order=2),
        Constraint("ends", single(boundary(domain, 16)), lambda jet, batch: jet.value, weight=10.0),
    ]
    x = torch.linspace(0, 1, 101)[:, None]

    def evaluate():
        with torch.no_grad():
            return float((siren(x) - torch.sin(np.pi * x)).square().mean())

    adam = torch.optim.Adam(siren.parameters(), lr=1e-3)
    state = minimize(siren, constraints, adam, steps=600, evaluate=evaluate, evaluate_every=50)
    assert state.terms.keys() == {"equation", "ends"}
    assert evaluate() < 1e-4


def test_constraints_with_one_sampler_share_its_batch_and_add_up_to_the_same():
    siren = sf.Siren(2, 1, width=8, depth=1, generator=torch.Generator().manual_seed(0)).double()
    called = []

    def sampler(step):
        called.append(step)
        return uniform(box((0, 0), (1, 1)), 3000, seed=3)(step)

    def apart(step):
        return uniform(box((0, 0), (1, 1)), 3000, seed=3)(step)

    def terms(first, second):
        return [
            Constraint("same name", first, lambda jet, batch: jet.laplacian - 1, order=2, weight=0.1),
            Constraint("same name", second, lambda jet, batch: jet.value, weight=2.0, norm=torch.abs),
        ]

    found = []
    for samplers in ((sampler, sampler), (sampler, apart)):
        siren.zero_grad()
        with WorkerPool(torch.device("cpu")) as pool:
            losses = add_gradient(siren, terms(*samplers), 7, pool)
        found.append((losses["same name"], torch.cat([p.grad.flatten() for p in siren.parameters()])))
    assert called == [7, 7]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-10)


def test_some_faces_of_a_box():
    domain = box((0, -1, 2), (3, 1, 4))
    batch = boundary(domain, 500, faces=[(0, 0), (2, 1)], seed=1)(0)
    begins, top = batch.x[:, 0] == 0, batch.x[:, 2] == 4
    assert bool((begins | top).all())
    # by area: 2 x 2 where the first begins, 3 x 2 on top
    assert begins.double().mean().item() == pytest.approx(0.4, abs=0.06)
    assert torch.equal(batch.normal[begins & ~top].unique(dim=0), torch.tensor([[-1.0, 0, 0]], dtype=torch.float64))
    for faces in ([], [(3, 0)], [(0, 2)]):
        with pytest.raises(sf.InputError, match="faces of a box of 3 axes"):
            boundary(domain, 5, faces=faces)
