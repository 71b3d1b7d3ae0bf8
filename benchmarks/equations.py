"""Accuracy of equations after a given time, by optimizer, by network, by problem, and compared with DeepXDE.

python -m benchmarks.equations optimizers --seconds 60
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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinefield.experiments.bench import Row, machine, markdown
from sinefield.field.field import Field
from sinefield.problems.eikonal import eikonal
from sinefield.problems.helmholtz import helmholtz, slowness
from sinefield.problems.inversion import read_survey, simulated
from sinefield.problems.poisson import poisson
from sinefield.problems.wave import wave
from sinefield.tasks.invert import invert
from sinefield.tasks.solve import solve
from sinefield.training.optimizers.choices import OPTIMIZERS


def optimizers(seconds: float) -> list[Row]:
    """Compare the optimizers, and L-BFGS after SOAP, on Poisson's equation on the square."""
    fields = {name: solve(poisson(), optimizer=name, seconds=seconds) for name in OPTIMIZERS}
    half = solve(poisson(), optimizer="soap", seconds=seconds / 2)
    fields["soap, then lbfgs"] = solve(poisson(), optimizer="lbfgs", seconds=seconds / 2, like=half)
    return [
        {"optimizer": name, "steps": str(field.info.steps), "relative L2": f"{field.info.quality['relative_l2']:.1e}"}
        for name, field in fields.items()
    ]


def problems(seconds: float) -> list[Row]:
    """Solve each problem in the same time and compare it with a reference."""
    rows = []
    for name, problem in {
        "eikonal, gradient": eikonal("gradient"),
        **{f"helmholtz, {velocity}": helmholtz(velocity) for velocity in ("uniform", "square", "circle")},
        **{f"wave, {velocity}": wave(velocity) for velocity in ("uniform", "square")},
    }.items():
        field = solve(problem, seconds=seconds)
        rows.append({"problem": name, "steps": str(field.info.steps), **_errors(field)})
    return rows


def inversion(seconds: float, survey: Path | None) -> list[Row]:
    """Find the velocity for the official survey, if it is given, and for one source whose wave is known on a grid."""
    surveys = {"one source, wave known on a grid": simulated("circle")}
    if survey is not None:
        surveys[survey.name] = replace(read_survey(survey), slowness=slowness("circle"))
    rows = []
    for name, each in surveys.items():
        quality = invert(each, seconds=seconds).info.quality
        center = ", ".join(f"{coordinate:.3f}" for coordinate in quality["center"])
        error = f"{quality['relative_l2']:.3f}"
        rows.append({"survey": name, "relative L2 of the velocity": error, "center (y, x) in m": center})
    return rows


def networks(seconds: float) -> list[Row]:
    """Compare the networks of the paper on its Helmholtz equation."""
    return [
        {"network": name, **_errors(solve(helmholtz(), activation=name, seconds=seconds))}
        for name in ("sine", "tanh", "relu")
    ]


def deepxde(seconds: float) -> list[Row]:
    """Compare with DeepXDE, trained with Adam and then L-BFGS as its guide recommends, on Poisson's equation."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde

    dde.config.set_default_float("float64")
    problem = poisson()
    assert problem.eval_points is not None
    x, rows = problem.eval_points, []
    for activation in ("tanh", "sin"):
        u, gradient, spent = _deepxde_solution(dde, activation, x, seconds)
        rows.append(_row(f"DeepXDE {dde.__version__}, {activation}, Adam then L-BFGS", u, gradient, x, spent))
    start = time.perf_counter()
    field = solve(problem, seconds=seconds)
    gradient = field.gradient(x)[:, 0]
    rows.append(_row("sinefield, sine, natural gradients", field(x), gradient, x, time.perf_counter() - start))
    return rows


def _deepxde_solution(
    dde: Any, activation: str, x: NDArray[Any], seconds: float
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return values (n, 1) and gradients (n, 2) of a solution by DeepXDE at points x, and the time in seconds."""
    import torch

    def residual(x: Any, u: Any) -> Any:
        second = [dde.grad.hessian(u, x, i=k, j=k) for k in (0, 1)]
        return sum(second) + 2 * np.pi**2 * torch.sin(np.pi * x[:, :1]) * torch.sin(np.pi * x[:, 1:])

    class TimeLimit(dde.callbacks.Callback):
        def on_epoch_end(self) -> None:
            if time.perf_counter() - start > seconds:
                self.model.stop_training = True

    dde.config.set_random_seed(0)
    geometry = dde.geometry.Rectangle([0, 0], [1, 1])
    walls = dde.icbc.DirichletBC(geometry, lambda x: 0, lambda x, on: on)
    data = dde.data.PDE(geometry, residual, walls, num_domain=1024, num_boundary=256, train_distribution="Sobol")
    model = dde.Model(data, dde.nn.FNN([2, 64, 64, 64, 1], activation, "Glorot uniform"))
    start = time.perf_counter()
    model.compile("adam", lr=1e-3)
    model.train(iterations=5000, callbacks=[TimeLimit()], display_every=10**6, verbose=0)
    dde.optimizers.set_LBFGS_options(maxiter=10**6, ftol=0, gtol=0)
    model.compile("L-BFGS")
    model.train(callbacks=[TimeLimit()], display_every=10**6, verbose=0)
    points = torch.from_numpy(x).requires_grad_()
    u = model.net(points)
    (gradient,) = torch.autograd.grad(u.sum(), points)
    return u.detach().numpy(), gradient.numpy(), time.perf_counter() - start


def _row(name: str, u: NDArray[Any], gradient: NDArray[Any], x: NDArray[Any], seconds: float) -> Row:
    """Return the errors of a solution of Poisson's equation, u = sin(πy) sin(πx)."""
    sines, cosines = np.sin(np.pi * x), np.cos(np.pi * x)
    slope = np.pi * cosines * sines[:, ::-1]
    return {
        "method": name,
        "value, relative L2": _relative_error(u, sines.prod(axis=1, keepdims=True)),
        "gradient, relative L2": _relative_error(gradient, slope),
        "seconds": f"{seconds:.0f}",
    }


def _relative_error(values: NDArray[Any], reference: NDArray[Any]) -> str:
    return f"{np.linalg.norm(values - reference) / np.linalg.norm(reference):.1e}"


def _errors(field: Field) -> Row:
    quality = field.info.quality
    return {"relative L2": f"{quality['relative_l2']:.2g}", "MSE": f"{quality['mse']:.1e}"}


TABLES: dict[str, Callable[[float], list[Row]]] = {
    "optimizers": optimizers,
    "networks": networks,
    "problems": problems,
    "deepxde": deepxde,
}
"""Tables by name, besides that of the inversion, which takes a survey."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=[*TABLES, "inversion"], help="table to print")
    parser.add_argument("--seconds", type=float, default=60, help="time of each training in seconds")
    parser.add_argument("--survey", type=Path, help="official survey fwi_cylinder_5.mat, for the table inversion")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    is_inversion = options.table == "inversion"
    rows = inversion(options.seconds, options.survey) if is_inversion else TABLES[options.table](options.seconds)
    print(markdown(rows))


if __name__ == "__main__":
    main()
