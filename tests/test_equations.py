"""The problems and their solutions against one another, and what `solve` and `invert` make of them."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.io import savemat
from scipy.special import j0

import sinefield as sf
from sinefield.jets import autograd
from sinefield.problems.eikonal import travel_time
from sinefield.problems.helmholtz import finite_differences, hankel, helmholtz, layers, slowness, source_terms
from sinefield.problems.inversion import Survey, inversion, read_survey, simulated
from sinefield.problems.poisson import square
from sinefield.problems.wave import wave
from sinefield.sampling.batch import Batch
from sinefield.tasks.invert import invert, velocity
from sinefield.tasks.solve import shown, solve


def relative(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


def points(problem, count=200):
    return problem.constraints[0].sampler(0).x[:count]


def residual_of(problem, function, count=200, constraint=0):
    """C of a function that is written down, by nested autograd."""
    each = problem.constraints[constraint]
    batch = each.sampler(0)
    batch = Batch(*(part if part is None else part[:count] for part in batch))
    jet = autograd.propagate(function, batch.x, each.order, hessian=each.hessian)
    return each.residual(jet, batch).detach().numpy()


def test_the_square_is_solved_by_what_it_says():
    problem = square(2, size=256)
    residual = residual_of(problem, lambda x: torch.sin(2 * np.pi * x).prod(1, keepdim=True))
    assert np.abs(residual).max() < 1e-12
    assert np.abs(residual_of(problem, lambda x: torch.sin(2.1 * np.pi * x).prod(1, keepdim=True))).max() > 0.01
    x = problem.eval_points[:50]
    assert np.allclose(problem.reference(x)[:, 0], np.sin(2 * np.pi * x).prod(1))


@pytest.mark.parametrize("velocity", ["uniform", "gradient"])
def test_travel_times_satisfy_their_equation(velocity):
    problem = travel_time(velocity, (0.3, -0.2), size=256)

    def time(x):
        apart = (x - torch.tensor([0.3, -0.2])).norm(dim=1, keepdim=True)
        if velocity == "uniform":
            return apart
        return torch.arccosh(1 + (0.75 * apart) ** 2 / (2 * (1 + 0.75 * x[:, :1]) * (1 + 0.75 * 0.3))) / 0.75

    assert np.abs(residual_of(problem, time)).max() < 1e-6  # arccosh loses digits near the source
    assert np.allclose(problem.reference(points(problem).numpy()), time(points(problem)).numpy())


def test_hankels_function_and_finite_differences_agree():
    x = helmholtz().eval_points
    assert (
        relative(finite_differences(slowness("uniform"), (0.0, 0.0), 20.0, 401)(x), hankel(x, (0.0, 0.0), 20.0)) < 5e-3
    )


def test_differences_are_good_for_the_largest_wavenumber_that_they_judge():
    x, place = helmholtz().eval_points, (0.1, -0.2)
    x = x[np.hypot(*(x - place).T) > 0.1]
    assert relative(finite_differences(slowness("uniform"), place, 40.0)(x), hankel(x, place, 40.0)) < 0.01


def test_the_wave_of_a_point_satisfies_the_equation():
    """Hankel's function away from the source, and in the layers the one of stretched coordinates, where it fades."""
    problem = helmholtz(size=512)

    def plane_wave(x):
        """exp(-ik x) of the stretched x: x - i a₀ d³ / 3L²."""
        deep = (x[:, 1:].abs() - 0.5).clamp(min=0) / 0.5
        stretched = torch.complex(x[:, 1:], -5 * 0.5 / 3 * deep**3 * x[:, 1:].sign())
        return torch.view_as_real(torch.exp(-20j * stretched)).flatten(1)

    each = problem.constraints[0]
    x = 2 * torch.rand(300, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1
    x = x[x.norm(dim=1) > 0.2]
    residual = each.residual(autograd.propagate(plane_wave, x, 2, hessian=True), Batch(x))
    assert residual.abs().max() < 1e-6  # coming in from the left, the wave is 10⁷ high
    half = autograd.propagate(lambda x: 0.9 * plane_wave(1.01 * x), x, 2, hessian=True)
    assert each.residual(half, Batch(x)).abs().max() > 0.1


def test_sources_integrate_to_their_strength_and_layers_begin_smoothly():
    axis = torch.linspace(-0.06, 0.06, 241, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    total = source_terms(x, [(0.0, 0.0)]).sum() * (axis[1] - axis[0]) ** 2
    assert abs(complex(total) - (1 + 1j)) < 1e-6
    e, slope = layers(torch.tensor([[0.5, -0.5], [1.0, -0.75]], dtype=torch.float64))
    assert e[0].tolist() == [1, 1]
    assert e[1].tolist() == [1 - 5j, 1 - 1.25j]
    assert slope[1].tolist() == [-20j, 10j]


@pytest.mark.parametrize("walls", ["dirichlet", "neumann"])
def test_fouriers_series_of_a_wave(walls):
    problem = wave(walls=walls, duration=1.6)
    # before the walls are met it is Hankel's transform of the pulse
    t, r = 0.3, np.linspace(0, 0.5, 40)
    k = np.linspace(0, 400, 4000)
    free = (5e-4 * k * np.exp(-(k**2) * 5e-4 / 2) * np.cos(k * t) * j0(np.outer(r, k))).sum(1) * (k[1] - k[0])
    x = np.stack([np.full(40, t), r * 0.6, r * 0.8], axis=1)
    assert np.abs(problem.reference(x)[:, 0] - free).max() < 1e-6
    # after that it satisfies the conditions on the walls
    on = np.stack([np.full(50, 1.3), np.linspace(-1, 1, 50), np.full(50, 1.0)], axis=1)
    inside, further = on - [0, 0, 1e-3], on - [0, 0, 2e-3]
    values = [problem.reference(each)[:, 0] for each in (on, inside, further)]
    hard_constraint = values[0] if walls == "dirichlet" else (3 * values[0] - 4 * values[1] + values[2]) / 2e-3
    largest = np.abs(values[1] - values[2]).max() / 1e-3 + np.abs(values[2]).max()
    assert np.abs(hard_constraint).max() < 0.01 * largest


def test_differences_of_a_wave_agree_with_its_series():
    from sinefield.problems.wave import _differences, _series

    x = np.stack([np.repeat([0.2, 1.2], 200), *(2 * np.random.default_rng(0).random((2, 400)) - 1)], axis=1)
    for walls in ("dirichlet", "neumann"):
        fourier = _series((0.1, -0.2), walls)(x)
        assert relative(_differences(slowness("uniform"), (0.1, -0.2), walls, 301)(x), fourier) < 0.02


def test_a_wave_that_is_written_down_satisfies_the_equation():
    problem = wave("square", size=256)
    each, x = problem.constraints[0], points(problem)
    x = x[(x[:, 1:].abs().amax(1) - 0.3).abs() > 0.2]  # where the edge is not felt
    fast = (x[:, 1:].abs() < 0.3).all(1)
    speed = torch.where(fast, 2.0, 1.0).double()[:, None]

    def plane_wave(speeds):
        return lambda x: torch.cos(7 * x[:, 1:2] + 3 * x[:, 2:]) * torch.sin(58**0.5 * speeds * x[:, :1])

    def size(function):
        return each.residual(autograd.propagate(function, x, 2, hessian=True), Batch(x)).abs().max()

    assert size(plane_wave(speed)) < 1e-5 < 0.01 < size(plane_wave(1.0))
    begins, rests, walls = problem.constraints[1:]
    batch = begins.sampler(3)
    assert (batch.x[:, 0] == 0).all()
    assert (batch.x[:, 1:].abs() <= 1).all()
    bell = autograd.propagate(lambda x: torch.exp(-((x[:, 1:2]) ** 2 + (x[:, 2:] + 0.35) ** 2) / 1e-3), batch.x, 1)
    assert begins.residual(bell, batch).abs().max() < 1e-12
    assert rests.residual(bell, batch).abs().max() == 0
    assert set(walls.sampler(0).x[:, 1:].abs().amax(1).tolist()) == {1.0}


def test_rays_take_the_time_that_is_said():
    """Fermat: along a ray of the linear velocity, by an integration of the ray's own equations."""
    g, start = 0.75, np.array([0.1, -0.5])

    def ray(t, state):
        p = state[2:]
        c = 1 + g * state[0]
        return [*(c**2 * p), -g / c, 0]

    slow = np.array([np.cos(1.0), np.sin(1.0)]) / (1 + g * start[0])
    end = solve_ivp(ray, (0, 0.6), [*start, *slow], rtol=1e-10, atol=1e-12).y[:2, -1]
    assert travel_time("gradient", tuple(start)).reference(end[None])[0, 0] == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(
    ("problem", "steps", "bar", "options"),
    [
        (square(size=256), 60, 1e-4, {"width": 32, "depth": 1}),
        (travel_time("gradient", size=256), 40, 1e-2, {"width": 32, "depth": 1}),
        (helmholtz(wavenumber=6.0, size=256), 60, 0.15, {"width": 32, "depth": 1}),
    ],
    ids=["poisson", "eikonal", "helmholtz"],
)
def test_solved(problem, steps, bar, options, tmp_path):
    field = solve(problem, steps=steps, **options)
    assert field.made["relative_l2"] < bar
    field.save(tmp_path / "u.safetensors")
    again, x = sf.load(tmp_path / "u.safetensors"), problem.eval_points[:20]
    assert torch.equal(field(x), again(x))
    assert field.made["relative_l2"] == pytest.approx(
        relative(field.at(problem.eval_points).reshape(-1), problem.reference(problem.eval_points).reshape(-1))
    )


def test_the_same_for_other_optimisers_and_resumed_to_the_last_bit(tmp_path):
    problem = square(size=64)
    options = {"width": 12, "depth": 1}
    losses = {
        name: solve(problem, optimizer=name, steps=20, **options).made["loss"] for name in ("soap", "adam", "lbfgs")
    }
    assert losses["lbfgs"] < losses["soap"] < 1
    half = solve(problem, optimizer="soap", steps=20, **options)
    assert solve(problem, optimizer="lbfgs", steps=5, like=half).made["loss"] < losses["soap"] / 3
    with pytest.raises(sf.InputError, match="in_dim = 2, not 3"):
        solve(wave(), like=half, steps=1)
    whole = solve(problem, steps=24, **options)
    solve(problem, steps=13, checkpoint=tmp_path, **options)
    parts = solve(problem, steps=24, checkpoint=tmp_path, resume=True, **options)
    assert torch.equal(whole.network.weights[1], parts.network.weights[1])


def test_an_equation_of_ones_own_without_a_truth():
    domain = sf.domain.box((0.0,), (1.0,), ("t",), ("s",))
    decay = sf.Constraint(
        "decay", sf.samplers.sobol(domain, 32), lambda jet, batch: jet.gradient[:, 0] + jet.value, order=1
    )
    begins = sf.Constraint(
        "begins", lambda step: Batch(torch.zeros(1, 1, dtype=torch.float64)), lambda jet, batch: jet.value - 1
    )
    field = solve(sf.Problem("decay", domain, [decay, begins], omega=2.0), width=16, depth=1, steps=60)
    assert float(field([[1.0]])) == pytest.approx(np.exp(-1), abs=1e-4)
    assert "relative_l2" not in field.made


def test_what_cannot_be_posed_or_solved_is_said():
    for pose, message in {
        lambda: square(0): "half wave",
        lambda: travel_time("square"): "uniform or gradient",
        lambda: travel_time(source=(2.0, 0.0)): "between -1 and 1",
        lambda: helmholtz("cube"): "uniform, square or circle",
        lambda: helmholtz(wavenumber=-1): "wavenumber must be positive",
        lambda: helmholtz(source=(0.7, 0.0)): "between -0.5 and 0.5",
        lambda: helmholtz("circle", 50.0): "up to 40; 50 is more",
        lambda: wave(walls="open"): "dirichlet or neumann",
        lambda: wave(duration=0): "some time",
        lambda: wave(source=(0.0, 2.0)): "between -0.9 and 0.9",
        lambda: solve(square(), activation="cosine"): "there is no 'cosine'",
        lambda: solve(square(), optimizer="sgd"): "there is no 'sgd'; choose from natural",
        lambda: solve(square(), resume=True): "checkpoint folder",
        lambda: solve(square(), activation="tanh", omega=3.0): "tanh has none",
        lambda: Survey([(0.0, 0.0)], np.zeros((3, 2)), np.zeros((3, 4))): r"shape \(3, 2\); found \(3, 4\)",
        lambda: Survey([(0.0, 0.0)], np.zeros((3, 2)), np.full((3, 2), np.nan)): "finite",
        lambda: Survey([(0.0, 0.7)], np.zeros((3, 2)), np.zeros((3, 2))): "between -0.5 and 0.5",
        lambda: simulated("cube"): "uniform, square or circle",
    }.items():
        with pytest.raises(sf.InputError, match=message):
            pose()


def test_a_survey_of_the_official_kind_is_read(tmp_path):
    random = np.random.default_rng(0)
    values = random.random((4, 2)) + 1j * random.random((4, 2))
    savemat(
        tmp_path / "s.mat",
        {"source": [[0.1, -0.3], [0.2, -0.3]], "receivers": random.random((4, 2)) / 3, "rec_val": values},
    )
    survey = read_survey(tmp_path / "s.mat")
    assert survey.sources == [(-0.3, 0.1), (-0.3, 0.2)]
    assert np.allclose(survey.data[:, 2] + 1j * survey.data[:, 3], values[:, 1])
    savemat(tmp_path / "other.mat", {"x": 1})
    (tmp_path / "no.mat").write_text("nothing")
    for name, message in {"other.mat": "has no 'source'", "no.mat": "no MATLAB file", "gone.mat": "gone.mat"}.items():
        with pytest.raises(sf.InputError, match=message):
            read_survey(tmp_path / name)


def test_the_residuals_of_an_inversion_vanish_for_the_wave_in_the_medium():
    """Of v = w - u₀, where w is a plane wave in a faster medium and u₀ the wave of a source in the uniform one."""
    sources = [(0.45, 0.45), (-0.45, 0.45)]

    def incident(x):
        apart = (x[:, None] - torch.tensor(sources, dtype=torch.float64)).norm(dim=-1) * 20
        blunt = np.exp(-(20**2) * 1e-4 / 2) * (1 + 1j) * 0.25j
        return blunt * (torch.special.bessel_j0(apart) - 1j * torch.special.bessel_y0(apart))

    def scattered(x, m=0.5):
        w = torch.exp(-20j * m**0.5 * x[:, 1:])
        return torch.view_as_real(w - incident(x)).flatten(1)

    x = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.4 - 0.2
    data = torch.view_as_real(torch.exp(-20j * 0.5**0.5 * x[:5, 1:]).expand(-1, 2)).flatten(1).numpy()
    survey = Survey(sources, x[:5].numpy(), data)
    assert relative(hankel(x.numpy(), sources[0], 20.0), incident(x)[:, 0].numpy()) < 1e-7
    equation, _, measured = inversion(survey, size=64)
    # Bessel's functions have no derivatives in PyTorch, so these are differences
    h, shifts = 1e-3, torch.eye(2, dtype=torch.float64)
    second = [(scattered(x + h * e) - 2 * scattered(x) + scattered(x - h * e)) / h**2 for e in shifts]
    hessian = torch.diag_embed(torch.stack(second, dim=-1))

    def jet(m):
        unknown = torch.cat([scattered(x), torch.full_like(x[:, :1], -0.5 * np.log(m))], dim=1)
        more = torch.nn.functional.pad(hessian, (0, 0, 0, 0, 0, 1))
        return sf.Jet(unknown, torch.zeros(50, 5, 2).double(), None, more)

    one = torch.arange(50)[:, None] % 2
    batch = Batch(x, torch.cat([one, torch.view_as_real(incident(x).take_along_dim(one, dim=1))[:, 0]], dim=1))
    assert equation.residual(jet(0.5), batch).abs().max() < 5e-3 < 0.1 < equation.residual(jet(0.6), batch).abs().max()
    assert measured.residual(sf.Jet(jet(0.5).value[:5]), measured.sampler(0)).abs().max() < 1e-6


def test_an_inversion_finds_where_a_medium_is_faster(tmp_path):
    survey = simulated("square", [(0.0, -0.35), (0.35, 0.0)], side=8)
    field = invert(survey, steps=12, size=128)
    x = np.array([[0.6, 0.0], [0.0, 0.7]])
    assert np.allclose(velocity(field, x), 1)
    assert velocity(field, x / 10).min() > 1.02
    assert set(field.made) >= {"relative_l2", "centre", "fastest", "terms"}
    field.save(tmp_path / "m.safetensors")
    assert np.array_equal(sf.load(tmp_path / "m.safetensors").at(x), field.at(x))


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "sinefield", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


def test_the_verbs(tmp_path):
    small = ["--steps", "3", "--points", "64", "--width", "8", "--depth", "1", "--json"]
    done = run("solve", "poisson", *small, "--report", "report", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert said["relative_l2"] > 0
    assert (tmp_path / "poisson.safetensors").exists()
    assert (tmp_path / "report" / "sheet.png").stat().st_size > 10_000
    assert run("render", "poisson.safetensors", "-o", "u.npy", "--size", "32", cwd=tmp_path).returncode == 0
    assert np.load(tmp_path / "u.npy").shape == (32, 32)
    for arguments, message in {
        ("solve", "heat"): "there is no equation 'heat'",
        ("solve", "poisson", "--walls", "neumann"): "--walls is not for poisson",
        ("solve", "wave", "--source", "here"): "write y,x",
        ("solve", "eikonal", "-o", "x.png"): "a field is a .safetensors file",
        ("invert", "gone.mat"): "gone.mat",
    }.items():
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, message in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


def test_what_moves_has_a_film(tmp_path):
    import av

    from sinefield.reports.medium import medium_report
    from sinefield.reports.solution import solution_report

    problem = helmholtz(size=32)
    field = solve(problem, width=8, depth=0, steps=2)
    with av.open(solution_report(tmp_path, field, problem)["film"]) as file:
        assert sum(1 for _ in file.decode(video=0)) == 96
    assert shown(problem).shape == (256, 256)
    line = sf.Problem("line", sf.domain.box((0.0,), (1.0,)), problem.constraints)
    with pytest.raises(sf.InputError, match="line has 1"):
        solution_report(tmp_path, field, line)
    survey = simulated("square", side=4)
    assert (tmp_path / "sheet.png").exists()
    assert medium_report(tmp_path, invert(survey, steps=1, size=32), survey)
