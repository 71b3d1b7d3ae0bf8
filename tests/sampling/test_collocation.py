"""Points in regions and on their borders, in windows that grow, held, and where a residual is large."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

import sinefield as sf
from sinefield.constraints.adaptive import residual_adaptive
from sinefield.constraints.constraint import Constraint
from sinefield.domain import Region, ball, box
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import boundary, sobol, uniform
from sinefield.sampling.schedules import repeat_batch, time_marching

CENTRE, RADIUS = (3.0, -1.0), 0.5
DISC = ball(CENTRE, RADIUS)


def polar(x, center=CENTRE):
    """Distances from a center, and angles as shares of a turn."""
    y, z = (x - torch.tensor(center, dtype=torch.float64)).unbind(1)
    return torch.hypot(y, z).numpy(), (torch.atan2(z, y) / (2 * math.pi) % 1).numpy()


def even(shares, cells=40):
    """The probability of so uneven a histogram of evenly distributed shares."""
    return chisquare(np.histogram(shares, bins=cells, range=(0, 1))[0]).pvalue


@pytest.mark.parametrize("sampler", [uniform, sobol])
def test_points_fill_a_disc_evenly_and_depend_on_the_step_alone(sampler):
    draw = sampler(DISC, 4096, seed=3)
    x = draw(5).x
    assert x.shape == (4096, 2)
    assert x.dtype == torch.float64
    r, turn = polar(x)
    assert r.max() < RADIUS
    # r² is uniform on [0, R²], of a deviation R²/√12
    assert np.mean(r**2) == pytest.approx(RADIUS**2 / 2, abs=4 * RADIUS**2 / math.sqrt(12 * 4096))
    assert kstest(r**2 / RADIUS**2, "uniform").pvalue > 1e-3
    assert kstest(turn, "uniform").pvalue > 1e-3
    assert len(x.unique(dim=0)) == 4096
    assert torch.equal(sampler(DISC, 4096, seed=3)(5).x, x)
    assert not torch.isin(draw(6).x, x).any()
    assert not torch.isin(sampler(DISC, 4096, seed=4)(5).x, x).any()


def test_sobol_points_fill_a_disc_more_evenly_than_uniform_ones():
    """The number within half the radius is one in four."""
    off = {
        sampler: np.std([(polar(sampler(DISC, 256)(step).x)[0] < RADIUS / 2).mean() - 0.25 for step in range(40)])
        for sampler in (uniform, sobol)
    }
    assert off[uniform] == pytest.approx(math.sqrt(0.25 * 0.75 / 256), rel=0.4)
    assert off[sobol] < 0.6 * off[uniform]


def test_a_ball_of_three_dimensions_has_its_box_axes_and_units():
    region = ball((1, 2, 3), 2, axes=("z", "y", "x"), units=("m", "m", "m"))
    assert (region.box.lower, region.box.upper) == ((-1.0, 0.0, 1.0), (3.0, 4.0, 5.0))
    assert (region.box.axes, region.box.units) == (("z", "y", "x"), ("m", "m", "m"))
    x = uniform(region, 2000)(0).x - torch.tensor([1.0, 2.0, 3.0])
    assert kstest((x.norm(dim=1) / 2) ** 3, "uniform").pvalue > 1e-3
    for radius in (0, -1.0, math.nan):
        with pytest.raises(sf.InputError, match="radius of a ball must be positive"):
            ball((0.0, 0.0), radius)


def test_a_distance_may_have_a_channel_and_be_a_network():
    siren = sf.Siren(2, 1, width=8, depth=0, omega_first=4, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        siren.biases[-1] -= siren(torch.zeros(1, 2, dtype=torch.float64))[0]  # the border goes through the origin
    region = Region(box((-1, -1), (1, 1)), siren)
    x = uniform(region, 300)(0).x
    assert (siren(x) < 0).all()
    batch = boundary(region, 100)(0)
    assert siren(batch.x).abs().max() < 1e-5
    slope = sf.propagate(siren, batch.x, 1).gradient[:, 0]
    assert torch.allclose(batch.normal, slope / slope.norm(dim=1, keepdim=True))
    assert all(parameter.grad is None for parameter in siren.parameters())


ROOM = Region(box((2, -2), (4, 0)), DISC.distance)
"""The disc in a box that leaves room around it."""


def test_points_on_a_circle_are_even_with_outward_normals():
    draw = boundary(ROOM, 4000, seed=1)
    batch = draw(2)
    assert batch.x.shape == batch.normal.shape == (4000, 2)
    r, turn = polar(batch.x)
    assert np.abs(r - RADIUS).max() < 1e-6
    assert torch.allclose(batch.normal, (batch.x - torch.tensor(CENTRE)) / RADIUS, atol=1e-6)
    assert kstest(turn, "uniform").pvalue > 1e-3
    assert even(turn) > 1e-3
    assert torch.equal(boundary(ROOM, 4000, seed=1)(2).x, batch.x)
    assert not torch.isin(draw(3).x, batch.x).any()


def test_points_are_even_on_a_circle_that_touches_its_box():
    assert even(polar(boundary(DISC, 4000, seed=1)(0).x)[1]) > 1e-3


def test_points_on_a_circle_far_from_the_origin_are_as_even():
    center = (4_000_000.1, 500_000.1)
    around = box([c - 0.5 for c in center], [c + 0.5 for c in center])
    region = Region(around, ball(center, 0.45).distance)
    assert even(polar(boundary(region, 4000)(0).x, center)[1]) > 1e-3


def test_each_of_two_discs_has_its_share_of_the_border():
    """Radii of 0.3 and 0.6, and only half of the second in the box."""

    def apart(x):
        return torch.stack([(x - x.new_tensor(c)).norm(dim=1) - r for c, r in (((-1, 0), 0.3), ((1, 0), 0.6))]).amin(0)

    batch = boundary(Region(box((-2, -2), (1, 2)), apart), 4000)(0)
    left = batch.x[:, 0] < 0
    assert left.double().mean().item() == pytest.approx(0.3 * 2 / (0.3 * 2 + 0.6), abs=0.03)
    assert batch.x[:, 0].max() <= 1 + 1e-5
    for side, center, radius in ((left, (-1.0, 0.0), 0.3), (~left, (1.0, 0.0), 0.6)):
        r, turn = polar(batch.x[side], center)
        assert np.abs(r - radius).max() < 1e-5
        share = turn if radius == 0.3 else 2 * (turn - 0.25)
        assert kstest(share, "uniform").pvalue > 1e-3
        outward = (batch.x[side] - torch.tensor(center)) / radius
        assert torch.allclose(batch.normal[side], outward, atol=1e-5)


def test_normals_are_outward_and_of_unit_length_on_an_ellipse():
    """Of a function that is no distance: its slope is not 1, and it is bent."""
    region = Region(box((-3, -2), (3, 2)), lambda x: x[:, :1] ** 2 / 4 + x[:, 1:] ** 2 - 1)
    batch = boundary(region, 500)(0)
    x, y = batch.x.unbind(1)
    assert (x**2 / 4 + y**2 - 1).abs().max() < 1e-5
    assert torch.allclose(batch.normal.norm(dim=1), torch.ones(500, dtype=torch.float64))
    outward = torch.stack([x / 4, y], dim=1)
    assert torch.allclose(batch.normal, outward / outward.norm(dim=1, keepdim=True), atol=1e-12)


def test_a_region_that_is_nearly_empty_is_refused():
    nothing = Region(box((-1, -1), (1, 1)), lambda x: x.norm(dim=1) + 1)
    for sampler in (uniform, sobol, boundary):
        with pytest.raises(sf.InputError, match=r"points of the region or its boundary.*use a box that") as found:
            sampler(nothing, 8)(0)
        assert "\n" not in str(found.value)
    small = Region(box((-1, -1), (1, 1)), lambda x: x.norm(dim=1) - 0.1)
    assert uniform(small, 200)(0).x.norm(dim=1).max() < 0.1


@pytest.mark.parametrize("faces", [[], [(0, 0)]])
def test_faces_are_of_a_box(faces):
    with pytest.raises(sf.InputError, match="faces is only for a box"):
        boundary(DISC, 8, faces=faces)


def test_a_window_grows_to_the_whole_and_never_beyond():
    domain = box((2, -1), (6, 1))
    whole = uniform(domain, 500)
    draw = time_marching(whole, 0, 2.0, 200, least=0.25)
    for step, share in ((0, 0.25), (50, 0.25), (51, 0.255), (100, 0.5), (199, 0.995), (200, 1.0), (5000, 1.0)):
        x, drawn = draw(step).x, whole(step).x
        assert torch.allclose(x[:, 0], 2 + share * (drawn[:, 0] - 2), rtol=1e-14)
        assert torch.equal(x[:, 1], drawn[:, 1])
        assert kstest((x[:, 0] - 2) / (4 * share), "uniform").pvalue > 1e-4
    assert time_marching(whole, 0, 2.0, 200)(0).x[:, 0].max() <= 2.4
    late = time_marching(whole, 1, 1.0, 10)(5).x[:, 1]  # backwards from where it ends
    assert 0 <= late.min() < 0.05
    assert 0.95 < late.max() <= 1


def test_time_marching_changes_only_the_time_of_its_own_batch():
    batch = Batch(torch.rand(4, 2), torch.rand(4, 1), torch.rand(4, 1), torch.rand(4, 2))
    before = batch.x.clone()
    grown = time_marching(lambda step: batch, 0, 0.0, 10)(3)
    assert all(one is other for one, other in zip(grown[1:], batch[1:], strict=True))
    assert torch.equal(batch.x, before)


def test_repeat_batch_repeats_a_batch_for_a_number_of_steps():
    seen = [repeat_batch(uniform(DISC, 16), 5)(step).x for step in range(15)]
    kept = [uniform(DISC, 16)(k).x for k in range(3)]
    assert all(torch.equal(x, kept[step // 5]) for step, x in enumerate(seen))
    assert not torch.equal(kept[0], kept[1])


UNIT = box((0, 0), (1, 1))
CORNER = 0.2
"""The side of the square at the origin where a residual is large."""


def corner(height, sampler, calls):
    """A residual of some height in the corner and 1 elsewhere, of two channels; it notes each look at it."""

    def residual(jet, batch):
        calls.append(len(batch.x))
        inside = (batch.x < CORNER).all(dim=1, keepdim=True)
        return torch.where(inside, float(height), 1.0) * torch.tensor([0.6, -0.8]) + 0 * jet.laplacian

    return Constraint("corner", sampler, residual, order=2)


def test_more_points_are_drawn_where_a_residual_is_large():
    siren, calls = sf.Siren(2, 2, width=4, depth=0).double(), []
    constraint = corner(1000, uniform(UNIT, 500, seed=1), calls)
    draw = residual_adaptive(siren, constraint, 400, share=0.5, every=20, seed=2)
    batches = [draw(step) for step in range(20)]
    # of the area a = 0.04 the mean is 1 + 999 a, and so many in n are drawn there; without replacement they run out
    # slowly: 200 of 10 000
    area = CORNER**2
    mean = 1 + 999 * area
    wanted = area * (1000 / mean + 1) / 2
    share = np.mean([(batch.x[:200] < CORNER).all(dim=1).double().mean().item() for batch in batches])
    assert share == pytest.approx(wanted, abs=0.04)
    others = torch.cat([batch.x[200:] for batch in batches])
    for step, batch in enumerate(batches):
        assert torch.equal(batch.x[200:], constraint.sampler(step).x[:200])
    assert (others < CORNER).all(dim=1).double().mean().item() == pytest.approx(area, abs=0.015)
    candidates = torch.cat([constraint.sampler(step).x for step in range(20)])
    for batch in batches:
        assert batch.x.shape == (400, 2)
        assert len(batch.x[:200].unique(dim=0)) == 200
        assert torch.isin(batch.x, candidates).all()
    assert not torch.equal(batches[0].x[:200], batches[1].x[:200])
    assert calls == [500] * 20


def test_points_are_uniform_where_a_residual_is_constant_or_zero():
    siren = sf.Siren(2, 2, width=4, depth=0).double()
    for height in (1.0, 0.0):
        constraint = Constraint("even", uniform(UNIT, 500), lambda jet, batch, h=height: 0 * jet.value + h)
        x = torch.cat([residual_adaptive(siren, constraint, 500, share=1.0, every=10)(step).x for step in (0, 10, 20)])
        assert all(kstest(x[:, axis], "uniform").pvalue > 1e-3 for axis in (0, 1))


def test_a_residual_may_have_one_value_per_point():
    siren, sampler = sf.Siren(2, 1, width=4, depth=0).double(), uniform(UNIT, 50)
    column = Constraint("column", sampler, lambda jet, batch: batch.x[:, :1])
    flat = Constraint("flat", sampler, lambda jet, batch: batch.x[:, 0])
    drawn = [residual_adaptive(siren, each, 20)(0).x for each in (column, flat)]
    assert torch.equal(*drawn)


def test_residuals_are_evaluated_periodically_with_the_current_function():
    siren = sf.Siren(2, 1, width=4, depth=0).double()
    calls = []

    def residual(jet, batch):
        calls.append(siren.biases[-1].item())
        return torch.where(batch.x[:, :1] < 0.5, jet.value, torch.ones_like(jet.value))

    def level(value):
        with torch.no_grad():
            for parameter in siren.parameters():
                parameter.zero_()
            siren.biases[-1].fill_(value)

    draw = residual_adaptive(siren, Constraint("half", uniform(UNIT, 300), residual), 300, share=1.0, every=7)
    level(0.0)
    low = [draw(step).x for step in range(6)]
    level(1e4)
    last = draw(6).x
    anew = draw(7).x
    assert calls == [0.0] * 7 + [1e4] * 7
    # |C| / mean |C| is 0 on one half and 2 on the other; then the other way round
    shares = [(x[:, 0] < 0.5).double().mean().item() for x in (*low, last, anew)]
    assert np.mean(shares[:7]) == pytest.approx(0.25, abs=0.04)
    assert shares[7] == pytest.approx(0.75, abs=0.08)
    assert torch.isin(anew, torch.cat([uniform(UNIT, 300)(step).x for step in range(7, 14)])).all()
    again = residual_adaptive(siren, Constraint("half", uniform(UNIT, 300), residual), 300, share=1.0, every=7)
    assert torch.equal(again(7).x, anew)
    assert torch.equal(draw(7).x, anew)
    assert not torch.equal(again(8).x, anew)


def test_lbfgs_gets_far_where_adam_has_only_begun():
    """u' = u on [0, 1] with u(0) = 1, with the same number of evaluations for both."""
    domain, x = box((0,), (1,)), torch.linspace(0, 1, 11, dtype=torch.float64)[:, None]

    def solved(optimizer, steps):
        """The loss, the largest error and the number of evaluations, one of which is the final evaluation."""
        calls = []

        def equation(jet, batch):
            calls.append(len(batch.x))
            return jet.gradient[:, :, 0] - jet.value

        constraints = [
            Constraint("equation", repeat_batch(sobol(domain, 32), 10**6), equation, order=1),
            Constraint("begins", boundary(domain, 1, faces=[(0, 0)]), lambda jet, batch: jet.value - 1),
        ]
        generator = torch.Generator().manual_seed(0)
        siren = sf.Siren(1, 1, width=16, depth=1, omega_first=2, omega_hidden=2, generator=generator).double()
        state = sf.minimize(siren, constraints, optimizer(siren.parameters()), steps=steps)
        assert state.stopped == "steps"
        assert state.terms.keys() == {"equation", "begins"}
        return state.best_error, (siren(x) - x.exp()).abs().max().item(), len(calls)

    loss, error, calls = solved(lambda p: torch.optim.LBFGS(p, line_search_fn="strong_wolfe", max_iter=20), 8)
    assert 8 < calls < 250
    assert loss < 1e-5
    assert error < 1e-2
    slow, _, as_many = solved(lambda p: torch.optim.Adam(p, lr=1e-3), calls - 1)
    assert calls <= as_many <= calls + 1  # a look at each hundredth step is one more
    assert loss < 1e-2 * slow
