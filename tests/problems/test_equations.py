"""Equations against their reference solutions, and the solutions of `solve` and `invert`."""

import inspect
import json
import re
from functools import partial
from typing import get_type_hints

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.io import savemat
from scipy.special import j0

import sinefield as sf
from sinefield.cli.commands.solve import equation_command
from sinefield.jets import autograd
from sinefield.problems import EQUATIONS
from sinefield.problems.eikonal import eikonal
from sinefield.problems.helmholtz import finite_differences, hankel, helmholtz, layers, slowness, source_terms
from sinefield.problems.inversion import Survey, inversion, read_survey, simulated
from sinefield.problems.poisson import poisson
from sinefield.problems.wave import _finite_differences, _fourier_series, _shortest_paths, wave
from sinefield.sampling.batch import Batch
from sinefield.sampling.collocation import sobol
from sinefield.tasks.invert import invert, medium_quality, velocity
from sinefield.tasks.solve import display_header, solve
from tests.command_line import run


@pytest.fixture
def coarse(monkeypatch):
    """Coarse finite differences in simulated surveys, for speed."""
    monkeypatch.setattr("sinefield.problems.inversion.finite_differences", partial(finite_differences, cells=201))


def relative_error(values, reference):
    return np.linalg.norm(values - reference) / np.linalg.norm(reference)


def points(problem, count=200):
    return problem.constraints[0].sampler(0).x[:count]


def residual_of(problem, function, count=200, constraint=0):
    """Residual of an analytic function, by nested autograd."""
    term = problem.constraints[constraint]
    batch = Batch(*(part if part is None else part[:count] for part in term.sampler(0)))
    jet = autograd.propagate(function, batch.x, term.order, hessian=term.hessian)
    return term.residual(jet, batch).detach().numpy()


def test_options_come_from_the_signature():
    assert sorted(EQUATIONS) == EQUATIONS.declared("register_equation") == ["eikonal", "helmholtz", "poisson", "wave"]
    allowed = {str, int, float, bool, tuple[float, float]}
    for name, equation in EQUATIONS.items():
        assert equation().name == name
        help_text = dict(re.findall(r"^    (\w+): (.+\.)$", inspect.getdoc(equation), re.MULTILINE))
        types = get_type_hints(equation)
        for option, parameter in inspect.signature(equation).parameters.items():
            assert parameter.default is not inspect.Parameter.empty
            assert option in help_text, f"{name} has no one-line help text for {option}"
            assert {types[option]} <= allowed | {kind | None for kind in allowed}


def test_a_parameter_of_an_equation_cannot_have_the_name_of_a_common_option():
    with pytest.raises(sf.InputError, match="'heat' has a parameter 'width'"):
        equation_command("heat", lambda width=1.0: None)


def test_options_have_the_same_defaults_as_before():
    signatures = {name: str(inspect.signature(equation, eval_str=True)) for name, equation in EQUATIONS.items()}
    common = "*, size: int = 1024, seed: int = 0) -> sinefield.problems.problem.Problem"
    source = "source: tuple[float, float] | None = None"
    assert signatures == {
        "poisson": f"(waves: int = 1, {common}",
        "helmholtz": f"(velocity: str = 'uniform', wavenumber: float = 20.0, {source}, {common}",
        "wave": f"(velocity: str = 'uniform', boundary: str = 'dirichlet', duration: float = 0.4, {source}, {common}",
        "eikonal": f"(velocity: str = 'uniform', source: tuple[float, float] = (0.0, 0.0), {common}",
    }


def test_poisson_is_satisfied_by_its_reference():
    problem = poisson(2, size=256)
    residual = residual_of(problem, lambda x: torch.sin(2 * np.pi * x).prod(1, keepdim=True))
    assert np.abs(residual).max() < 1e-12
    assert np.abs(residual_of(problem, lambda x: torch.sin(2.1 * np.pi * x).prod(1, keepdim=True))).max() > 0.01
    x = problem.eval_points[:50]
    assert np.allclose(problem.reference(x)[:, 0], np.sin(2 * np.pi * x).prod(1))


@pytest.mark.parametrize("velocity", ["uniform", "gradient"])
def test_the_eikonal_reference_satisfies_the_equation(velocity):
    problem = eikonal(velocity, (0.3, -0.2), size=256)

    def time(x):
        distance = (x - torch.tensor([0.3, -0.2])).norm(dim=1, keepdim=True)
        if velocity == "uniform":
            return distance
        return torch.arccosh(1 + (0.75 * distance) ** 2 / (2 * (1 + 0.75 * x[:, :1]) * (1 + 0.75 * 0.3))) / 0.75

    assert np.abs(residual_of(problem, time)).max() < 1e-6  # arccosh loses digits near the source
    assert np.allclose(problem.reference(points(problem).numpy()), time(points(problem)).numpy())


@pytest.mark.parametrize(("wavenumber", "cells"), [(10.0, 201), pytest.param(20.0, 401, marks=pytest.mark.slow)])
def test_the_hankel_function_and_finite_differences_agree(wavenumber, cells):
    x = helmholtz().eval_points
    differences = finite_differences(slowness("uniform"), (0.0, 0.0), wavenumber, cells)
    assert relative_error(differences(x), hankel(x, (0.0, 0.0), wavenumber)) < 5e-3


@pytest.mark.slow
def test_finite_differences_are_accurate_at_the_largest_wavenumber():
    x, position = helmholtz().eval_points, (0.1, -0.2)
    x = x[np.hypot(*(x - position).T) > 0.1]
    assert relative_error(finite_differences(slowness("uniform"), position, 40.0)(x), hankel(x, position, 40.0)) < 0.01


def test_a_plane_wave_satisfies_the_helmholtz_equation():
    """In the interior, and with stretched coordinates in the absorbing layer."""
    problem = helmholtz(size=512)

    def plane_wave(x):
        """exp(-ik x) of the stretched coordinate x - i a₀ d³ / 3L²."""
        depth = (x[:, 1:].abs() - 0.5).clamp(min=0) / 0.5
        stretched = torch.complex(x[:, 1:], -5 * 0.5 / 3 * depth**3 * x[:, 1:].sign())
        return torch.view_as_real(torch.exp(-20j * stretched)).flatten(1)

    each = problem.constraints[0]
    x = 2 * torch.rand(300, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1
    x = x[x.norm(dim=1) > 0.2]
    residual = each.residual(autograd.propagate(plane_wave, x, 2, hessian=True), Batch(x))
    assert residual.abs().max() < 1e-6  # the wave grows to 10⁷ in the layer that it comes from
    other = autograd.propagate(lambda x: 0.9 * plane_wave(1.01 * x), x, 2, hessian=True)
    assert each.residual(other, Batch(x)).abs().max() > 0.1


def test_sources_integrate_to_their_strength_and_layers_start_smoothly():
    axis = torch.linspace(-0.06, 0.06, 241, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    total = source_terms(x, [(0.0, 0.0)]).sum() * (axis[1] - axis[0]) ** 2
    assert abs(complex(total) - (1 + 1j)) < 1e-6
    e, derivative = layers(torch.tensor([[0.5, -0.5], [1.0, -0.75]], dtype=torch.float64))
    assert e[0].tolist() == [1, 1]
    assert e[1].tolist() == [1 - 5j, 1 - 1.25j]
    assert derivative[1].tolist() == [-20j, 10j]


@pytest.mark.parametrize("boundary", ["dirichlet", "neumann"])
def test_the_fourier_series_of_a_wave(boundary):
    problem = wave(boundary=boundary, duration=1.6)
    # before the first reflection it is the Hankel transform of the pulse
    t, r = 0.3, np.linspace(0, 0.5, 40)
    k = np.linspace(0, 400, 4000)
    free = (5e-4 * k * np.exp(-(k**2) * 5e-4 / 2) * np.cos(k * t) * j0(np.outer(r, k))).sum(1) * (k[1] - k[0])
    x = np.stack([np.full(40, t), r * 0.6, r * 0.8], axis=1)
    assert np.abs(problem.reference(x)[:, 0] - free).max() < 1e-6
    # after that it satisfies the boundary condition
    edge = np.stack([np.full(50, 1.3), np.linspace(-1, 1, 50), np.full(50, 1.0)], axis=1)
    inside, further = edge - [0, 0, 1e-3], edge - [0, 0, 2e-3]
    values = [problem.reference(each)[:, 0] for each in (edge, inside, further)]
    residual = values[0] if boundary == "dirichlet" else (3 * values[0] - 4 * values[1] + values[2]) / 2e-3
    largest = np.abs(values[1] - values[2]).max() / 1e-3 + np.abs(values[2]).max()
    assert np.abs(residual).max() < 0.01 * largest


def test_finite_differences_of_a_wave_agree_with_its_series():
    x = np.stack([np.repeat([0.2, 1.2], 200), *(2 * np.random.default_rng(0).random((2, 400)) - 1)], axis=1)
    for boundary in ("dirichlet", "neumann"):
        series = _fourier_series((0.1, -0.2), boundary)(x)
        assert relative_error(_finite_differences(slowness("uniform"), (0.1, -0.2), boundary, 301)(x), series) < 0.02


@pytest.mark.parametrize("velocity", ["uniform", "square"])
def test_arrival_times_are_those_of_scikit_image(velocity):
    graph = pytest.importorskip("skimage.graph")
    axis = np.arange(-1.5, 1.5, 0.02)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    cost = np.sqrt(slowness(velocity, 0.03)(grid)).reshape(len(axis), -1)
    random = np.random.default_rng(0).uniform(0.1, 3, (40, 70))
    for cells, start in ((cost, (75, 40)), (random, (39, 0))):
        reference = graph.MCP_Geometric(cells).find_costs([start])[0].ravel()
        assert np.abs(_shortest_paths(cells, start) - reference).max() <= 1e-9 * reference.max()


def test_an_analytic_wave_satisfies_the_equation():
    problem = wave("square", size=256)
    each, x = problem.constraints[0], points(problem)
    x = x[(x[:, 1:].abs().amax(1) - 0.3).abs() > 0.2]  # where the medium is uniform
    fast = (x[:, 1:].abs() < 0.3).all(1)
    speed = torch.where(fast, 2.0, 1.0).double()[:, None]

    def plane_wave(speeds):
        return lambda x: torch.cos(7 * x[:, 1:2] + 3 * x[:, 2:]) * torch.sin(58**0.5 * speeds * x[:, :1])

    def size(function):
        return each.residual(autograd.propagate(function, x, 2, hessian=True), Batch(x)).abs().max()

    assert size(plane_wave(speed)) < 1e-5 < 0.01 < size(plane_wave(1.0))
    value, initial_velocity, boundary = problem.constraints[1:]
    assert [each.name for each in problem.constraints] == ["equation", "initial value", "initial velocity", "boundary"]
    assert value.sampler is initial_velocity.sampler
    batch = value.sampler(3)
    assert (batch.x[:, 0] == 0).all()
    assert (batch.x[:, 1:].abs() <= 1).all()
    pulse = autograd.propagate(lambda x: torch.exp(-((x[:, 1:2]) ** 2 + (x[:, 2:] + 0.35) ** 2) / 1e-3), batch.x, 1)
    assert value.residual(pulse, batch).abs().max() < 1e-12
    assert initial_velocity.residual(pulse, batch).abs().max() == 0
    assert set(boundary.sampler(0).x[:, 1:].abs().amax(1).tolist()) == {1.0}


def test_travel_times_are_those_along_rays():
    """The ray equations of the linear velocity, integrated numerically."""
    g, start = 0.75, np.array([0.1, -0.5])

    def ray(t, state):
        p = state[2:]
        c = 1 + g * state[0]
        return [*(c**2 * p), -g / c, 0]

    slowness_vector = np.array([np.cos(1.0), np.sin(1.0)]) / (1 + g * start[0])
    end = solve_ivp(ray, (0, 0.6), [*start, *slowness_vector], rtol=1e-10, atol=1e-12).y[:2, -1]
    assert eikonal("gradient", tuple(start)).reference(end[None])[0, 0] == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize(
    ("problem", "steps", "tolerance", "options"),
    [
        (poisson(size=256), 60, 1e-4, {"width": 32, "depth": 1}),
        (eikonal("gradient", size=256), 40, 1e-2, {"width": 32, "depth": 1}),
        (helmholtz(wavenumber=6.0, size=256), 60, 0.15, {"width": 32, "depth": 1}),
    ],
    ids=["poisson", "eikonal", "helmholtz"],
)
def test_solutions_are_accurate(problem, steps, tolerance, options, tmp_path):
    field = solve(problem, steps=steps, **options)
    assert field.info.quality["relative_l2"] < tolerance
    field.save(tmp_path / "u.safetensors")
    loaded, x = sf.load(tmp_path / "u.safetensors"), torch.from_numpy(problem.eval_points[:20])
    assert torch.equal(field(x), loaded(x))
    assert field.info.quality["relative_l2"] == pytest.approx(
        relative_error(field.at(problem.eval_points).reshape(-1), problem.reference(problem.eval_points).reshape(-1))
    )


def test_other_optimizers_and_exact_resumption(tmp_path):
    problem = poisson(size=64)
    options = {"width": 12, "depth": 1}
    losses = {
        name: solve(problem, optimizer=name, steps=20, **options).info.quality["loss"]
        for name in ("soap", "adam", "lbfgs")
    }
    assert losses["lbfgs"] < losses["soap"] < 1
    half = solve(problem, optimizer="soap", steps=20, **options)
    assert solve(problem, optimizer="lbfgs", steps=5, like=half).info.quality["loss"] < losses["soap"] / 3
    with pytest.raises(sf.InputError, match="2 coordinates and 1 channels; the problem has 3"):
        solve(wave(), like=half, steps=1)
    uninterrupted = solve(problem, steps=24, **options)
    solve(problem, steps=13, checkpoint=tmp_path, **options)
    resumed = solve(problem, steps=24, checkpoint=tmp_path, resume=True, **options)
    assert torch.equal(uninterrupted.network.weights[1], resumed.network.weights[1])


def test_a_custom_equation_without_a_reference():
    domain = sf.domain.box((0.0,), (1.0,), ("t",), ("s",))
    decay = sf.Constraint("decay", sobol(domain, 32), lambda jet, batch: jet.gradient[:, 0] + jet.value, order=1)
    initial = sf.Constraint(
        "initial value", lambda step: Batch(torch.zeros(1, 1, dtype=torch.float64)), lambda jet, batch: jet.value - 1
    )
    field = solve(sf.Problem("decay", domain, [decay, initial], omega=2.0), width=16, depth=1, steps=60)
    assert float(field([[1.0]])[0, 0]) == pytest.approx(np.exp(-1), abs=1e-4)
    assert "relative_l2" not in field.info.quality


def test_invalid_options_are_refused():
    for build, message in {
        lambda: poisson(0): "half wave",
        lambda: eikonal("square"): "uniform or gradient",
        lambda: eikonal(source=(2.0, 0.0)): "between -1 and 1",
        lambda: helmholtz("cube"): "uniform, square or circle",
        lambda: helmholtz(wavenumber=-1): "wavenumber must be positive",
        lambda: helmholtz(source=(0.7, 0.0)): "between -0.5 and 0.5",
        lambda: helmholtz("circle", 50.0): "at most 40 for velocity circle.*found 50",
        lambda: wave(boundary="open"): "dirichlet or neumann",
        lambda: wave(duration=0): "positive and at most 10 s",
        lambda: wave(source=(0.0, 2.0)): "between -0.9 and 0.9",
        lambda: solve(poisson(), activation="cosine"): "unknown activation 'cosine'",
        lambda: solve(poisson(), optimizer="sgd"): "'sgd'; choose from natural",
        lambda: solve(poisson(), resume=True): "checkpoint",
        lambda: solve(poisson(), activation="tanh", omega=3.0): "omega",
        lambda: Survey([(0.0, 0.0)], np.zeros((3, 2)), np.zeros((3, 4))): r"shape \(3, 2\); found \(3, 4\)",
        lambda: Survey([(0.0, 0.0)], np.zeros((3, 2)), np.full((3, 2), np.nan)): "finite",
        lambda: Survey([(0.0, 0.7)], np.zeros((3, 2)), np.zeros((3, 2))): "between -0.5 and 0.5",
        lambda: simulated("cube"): "uniform, square or circle",
    }.items():
        with pytest.raises(sf.InputError, match=message):
            build()


def test_a_survey_in_the_official_format_is_read(tmp_path):
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
    for name, message in {
        "other.mat": "has no 'source'",
        "no.mat": "not a readable MATLAB file",
        "gone.mat": "gone.mat",
    }.items():
        with pytest.raises(sf.InputError, match=message):
            read_survey(tmp_path / name)


def test_the_residuals_of_an_inversion_vanish_for_the_wave_in_the_medium():
    """v = w - u₀, where w is a plane wave in a faster medium and u₀ is the wave of a source in a uniform medium."""
    sources = [(0.45, 0.45), (-0.45, 0.45)]

    def incident(x):
        kr = (x[:, None] - torch.tensor(sources, dtype=torch.float64)).norm(dim=-1) * 20
        strength = np.exp(-(20**2) * 1e-4 / 2) * (1 + 1j) * 0.25j
        return strength * (torch.special.bessel_j0(kr) - 1j * torch.special.bessel_y0(kr))

    def scattered(x, m=0.5):
        w = torch.exp(-20j * m**0.5 * x[:, 1:])
        return torch.view_as_real(w - incident(x)).flatten(1)

    x = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 0.4 - 0.2
    data = torch.view_as_real(torch.exp(-20j * 0.5**0.5 * x[:5, 1:]).expand(-1, 2)).flatten(1).numpy()
    survey = Survey(sources, x[:5].numpy(), data)
    assert relative_error(hankel(x.numpy(), sources[0], 20.0), incident(x)[:, 0].numpy()) < 1e-7
    equation, _, measured = inversion(survey, size=64)
    # PyTorch has no derivatives of the Bessel functions, so finite differences are used
    h, shifts = 1e-3, torch.eye(2, dtype=torch.float64)
    second = [(scattered(x + h * e) - 2 * scattered(x) + scattered(x - h * e)) / h**2 for e in shifts]
    hessian = torch.diag_embed(torch.stack(second, dim=-1))

    def jet(m):
        values = torch.cat([scattered(x), torch.full_like(x[:, :1], -0.5 * np.log(m))], dim=1)
        padded = torch.nn.functional.pad(hessian, (0, 0, 0, 0, 0, 1))
        return sf.Jet(values, torch.zeros(50, 5, 2).double(), None, padded)

    index = torch.arange(50)[:, None] % 2
    batch = Batch(x, torch.cat([index, torch.view_as_real(incident(x).take_along_dim(index, dim=1))[:, 0]], dim=1))
    assert equation.residual(jet(0.5), batch).abs().max() < 5e-3 < 0.1 < equation.residual(jet(0.6), batch).abs().max()
    assert measured.residual(sf.Jet(jet(0.5).value[:5]), measured.sampler(0)).abs().max() < 1e-6


@pytest.mark.slow
def test_an_inversion_locates_the_faster_region(tmp_path, coarse):
    survey = simulated("square", [(0.0, -0.35), (0.35, 0.0)], side=8)
    field = invert(survey, steps=12, size=128)
    x = np.array([[0.6, 0.0], [0.0, 0.7]])
    assert np.allclose(velocity(field, x), 1)
    assert velocity(field, x / 10).min() > 1.02
    assert set(field.info.quality) >= {"relative_l2", "center", "fastest", "terms"}
    field.save(tmp_path / "m.safetensors")
    assert np.array_equal(sf.load(tmp_path / "m.safetensors").at(x), field.at(x))
    with torch.no_grad():
        for parameter in (field.network.weights[-1], field.network.biases[-1]):
            parameter.zero_()
    uniform = medium_quality(field, survey)
    assert (uniform["fastest"], "center" in uniform) == (1, False)


def test_the_commands(tmp_path):
    small = ["--steps", "3", "--points", "64", "--width", "8", "--depth", "1", "--json"]
    done = run("solve", "poisson", *small, "--report", "report", cwd=tmp_path)
    assert json.loads(done.stdout)["relative_l2"] > 0
    assert (tmp_path / "poisson.safetensors").exists()
    assert (tmp_path / "report" / "sheet.png").stat().st_size > 10_000
    assert run("render", "poisson.safetensors", "-o", "u.npy", "--size", "32", cwd=tmp_path).returncode == 0
    assert np.load(tmp_path / "u.npy").shape == (32, 32)
    for arguments, message in {
        ("solve", "heat"): "unknown equation 'heat'",
        ("solve", "poisson", "--boundary", "neumann"): "--boundary",
        ("solve", "wave", "--source", "here"): "write y,x",
        ("solve", "eikonal", "-o", "x.png"): "a field is a .safetensors file",
        ("invert", "gone.mat"): "gone.mat",
    }.items():
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, message in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


@pytest.mark.slow
def test_reports_of_waves_have_an_animation(tmp_path, coarse):
    import av

    from sinefield.reports.medium import medium_report
    from sinefield.reports.solution import solution_report

    problem = helmholtz(size=32)
    field = solve(problem, width=8, depth=0, steps=2)
    with av.open(solution_report(tmp_path, field, problem)["film"]) as file:
        assert sum(1 for _ in file.decode(video=0)) == 96
    assert display_header(problem).shape == (256, 256)
    line = sf.Problem("line", sf.domain.box((0.0,), (1.0,)), problem.constraints)
    with pytest.raises(sf.InputError, match="line has 1"):
        solution_report(tmp_path, field, line)
    survey = simulated("square", side=4)
    assert (tmp_path / "sheet.png").exists()
    assert medium_report(tmp_path, invert(survey, steps=1, size=32), survey)
