"""What is reached in how much time: optimisers beside one another, networks beside one another, and DeepXDE.

python -m benchmarks.equations optimisers --seconds 60
python -m benchmarks.equations networks --seconds 120
python -m benchmarks.equations problems --seconds 300
python -m benchmarks.equations inversion --survey fwi_cylinder_5.mat --seconds 260
python -m benchmarks.equations deepxde --seconds 300     (needs: pip install deepxde)
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sinefield.experiments.bench import machine, markdown
from sinefield.problems.eikonal import eikonal
from sinefield.problems.helmholtz import helmholtz, slowness
from sinefield.problems.inversion import read_survey, simulated
from sinefield.problems.poisson import poisson
from sinefield.problems.wave import wave
from sinefield.tasks.invert import invert
from sinefield.tasks.solve import OPTIMIZERS, solve


def optimizers(seconds: float) -> list[dict[str, str]]:
    """Poisson's equation on the square by each optimiser, and by L-BFGS after SOAP."""
    rows = []
    for name in OPTIMIZERS:
        made = solve(poisson(), optimizer=name, seconds=seconds).made
        rows.append({"optimiser": name, "steps": str(made["steps"]), "relative L2": f"{made['relative_l2']:.1e}"})
    half = solve(poisson(), optimizer="soap", seconds=seconds / 2)
    made = solve(poisson(), optimizer="lbfgs", seconds=seconds / 2, like=half).made
    error = f"{made['relative_l2']:.1e}"
    return [*rows, {"optimiser": "soap, then lbfgs", "steps": str(made["steps"]), "relative L2": error}]


def problems(seconds: float) -> list[dict[str, str]]:
    """Each problem in the same time, beside its solution by other means."""
    rows = []
    for name, problem in {
        "eikonal, gradient": eikonal("gradient"),
        **{f"helmholtz, {velocity}": helmholtz(velocity) for velocity in ("uniform", "square", "circle")},
        **{f"wave, {velocity}": wave(velocity) for velocity in ("uniform", "square")},
    }.items():
        made = solve(problem, seconds=seconds).made
        numbers = {"relative L2": f"{made['relative_l2']:.2g}", "MSE": f"{made['mse']:.1e}"}
        rows.append({"problem": name, "steps": str(made["steps"]), **numbers})
    return rows


def inversion(seconds: float, survey: Path | None) -> list[dict[str, str]]:
    """The official survey around a circle of twice the speed, and one source whose wave is known everywhere."""
    surveys = {"one source, its wave known on a grid": simulated("circle")}
    if survey is not None:
        surveys[survey.name] = replace(read_survey(survey), slowness=slowness("circle"))
    rows = []
    for name, each in surveys.items():
        made = invert(each, seconds=seconds).made
        place = ", ".join(f"{at:.3f}" for at in made["centre"])
        rows.append({"survey": name, "velocity, relative L2": f"{made['relative_l2']:.3f}", "found at (y, x)": place})
    return rows


def networks(seconds: float) -> list[dict[str, str]]:
    """The Helmholtz equation of the paper by the paper's networks."""
    rows = []
    for name in ("sine", "tanh", "relu"):
        made = solve(helmholtz(), activation=name, seconds=seconds).made
        rows.append({"network": name, "relative L2": f"{made['relative_l2']:.2g}", "MSE": f"{made['mse']:.1e}"})
    return rows


def deepxde(seconds: float) -> list[dict[str, str]]:
    """Poisson's equation on the square: DeepXDE, Adam and then L-BFGS as it recommends, and ours, in the same time."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import torch

    dde.config.set_default_float("float64")
    pi = np.pi

    def residual(x: Any, u: Any) -> Any:
        second = [dde.grad.hessian(u, x, i=k, j=k) for k in (0, 1)]
        return sum(second) + 2 * pi**2 * torch.sin(pi * x[:, :1]) * torch.sin(pi * x[:, 1:])

    class Clock(dde.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self) -> None:
            if time.perf_counter() - began > seconds:
                self.model.stop_training = True

    rows = []
    problem = poisson()
    assert problem.reference is not None
    assert problem.eval_points is not None
    x = problem.eval_points
    slope = pi * np.stack([np.cos(pi * x[:, 0]) * np.sin(pi * x[:, 1]), np.sin(pi * x[:, 0]) * np.cos(pi * x[:, 1])], 1)
    for activation in ("tanh", "sin"):
        dde.config.set_random_seed(0)
        geometry = dde.geometry.Rectangle([0, 0], [1, 1])
        walls = dde.icbc.DirichletBC(geometry, lambda x: 0, lambda x, on: on)
        data = dde.data.PDE(geometry, residual, walls, num_domain=1024, num_boundary=256, train_distribution="Sobol")
        model = dde.Model(data, dde.nn.FNN([2, 64, 64, 64, 1], activation, "Glorot uniform"))
        began = time.perf_counter()
        model.compile("adam", lr=1e-3)
        model.train(iterations=5000, callbacks=[Clock()], display_every=10**6, verbose=0)
        dde.optimizers.set_LBFGS_options(maxiter=10**6, ftol=0, gtol=0)
        model.compile("L-BFGS")
        model.train(callbacks=[Clock()], display_every=10**6, verbose=0)
        points = torch.from_numpy(x).requires_grad_()
        u = model.net(points)
        (gradient,) = torch.autograd.grad(u.sum(), points)
        spent = time.perf_counter() - began
        rows.append(
            _row(f"DeepXDE {dde.__version__}, {activation}, Adam then L-BFGS", u, gradient, problem, slope, spent)
        )
    began = time.perf_counter()
    field = solve(problem, seconds=seconds)
    gradient = field.gradient(x)[:, 0]
    rows.append(
        _row("sinefield, sine, natural gradients", field(x), gradient, problem, slope, time.perf_counter() - began)
    )
    return rows


def _row(name: str, u: Any, gradient: Any, problem: Any, slope: Any, spent: float) -> dict[str, str]:
    def off(found: Any, wanted: Any) -> str:
        return f"{np.linalg.norm(found.detach().numpy() - wanted) / np.linalg.norm(wanted):.1e}"

    return {
        "by": name,
        "value, relative L2": off(u, problem.reference(problem.eval_points)),
        "gradient, relative L2": off(gradient, slope),
        "seconds": f"{spent:.0f}",
    }


TABLES = {"optimisers": optimizers, "networks": networks, "problems": problems, "deepxde": deepxde}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=[*TABLES, "inversion"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--survey", type=Path, help="the official fwi_cylinder_5.mat")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    is_inversion = given.table == "inversion"
    print(markdown(inversion(given.seconds, given.survey) if is_inversion else TABLES[given.table](given.seconds)))


if __name__ == "__main__":
    main()
