"""Speed of sinefield on this machine, beside other implementations that are timed alternately in the same run."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from sinefield.constraints.constraint import Constraint
from sinefield.constraints.regression import regression
from sinefield.domain import from_samples
from sinefield.field.evaluate import evaluate_grid
from sinefield.jets import Jet, Workspace, autograd
from sinefield.networks import Siren
from sinefield.networks.on_domain import OnDomain
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch
from sinefield.signals import read_image, resize
from sinefield.tasks.fit import fit
from sinefield.training.loss import add_gradient
from sinefield.training.optimizers.soap import Soap

WIDTH = 256
"""Units in a hidden layer of the networks that are timed."""

DEPTH = 3
"""Hidden layers after the first of the networks that are timed."""

ORDERS = {"gradient": 1, "laplacian": 2}
"""Order of the jets for each derivative."""

PRODUCTS = "matrix products only"
"""Name of the lower bound: the matrix products of a network without anything else."""

Work = Callable[[], object]
"""Function that is timed."""

Row = dict[str, str]
"""Cells of a row of a table by the titles of the columns."""


def machine() -> str:
    """Return the processor, the number of cores that PyTorch uses, and the versions of Python and PyTorch."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{name}, {threads}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def interleaved(functions: dict[str, Work], repeat: int) -> dict[str, list[float]]:
    """Time functions alternately.

    Args:
        functions: The functions by name.
        repeat: Number of rounds, after a first one that is not timed.

    Returns:
        The times of each function in seconds, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(repeat + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return times


def format_times(times: list[float]) -> str:
    """Return the median of times in ms, and the largest deviation from it."""
    median = statistics.median(times)
    return f"{1e3 * median:.0f} ± {1e3 * max(abs(each - median) for each in times):.0f} ms"


def steps(points: int = 65_536, repeat: int = 5) -> Iterator[Row]:
    """Time a training step of a SIREN with two coordinates and one channel on all points at once.

    Sinefield uses SOAP; the official code and the package siren-pytorch, where it is installed, use Adam.
    """
    generator = torch.Generator().manual_seed(0)
    x, target = torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 1, generator=generator)
    siren = Siren(2, 1, width=WIDTH, depth=DEPTH, generator=generator)
    optimizer, batch = Soap(siren.parameters(), lr=1e-4), Batch(x, target)
    constraints = regression(lambda step: batch)
    with WorkerPool(x.device) as pool:

        def step() -> None:
            optimizer.zero_grad()
            add_gradient(siren, constraints, 0, pool)
            optimizer.step()

        functions: dict[str, Work] = {"sinefield": step, PRODUCTS: lambda: matrix_products(points, 3, pool)}
        for name, module in other_implementations().items():
            functions[name] = with_all_threads(_adam_step(module, x, target), pool)
        times = interleaved(functions, repeat)
    median = {name: statistics.median(each) for name, each in times.items()}
    for name, each in times.items():
        yield {
            "training step": name,
            "points": f"{points:,}",
            "time": format_times(each),
            "speed relative to matrix products": f"{100 * median[PRODUCTS] / median[name]:.0f}%",
            "time relative to sinefield": f"{median[name] / median['sinefield']:.2f} ×",
        }


def derivatives(points: int = 8192, repeat: int = 5) -> Iterator[Row]:
    """Time a training step on the gradient and on the Laplacian, with sinefield and with nested autograd."""
    generator = torch.Generator().manual_seed(0)
    siren = Siren(2, 1, width=WIDTH, depth=DEPTH, generator=generator)
    x, target = torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 2, generator=generator)
    with WorkerPool(x.device) as pool:
        for quantity in ORDERS:
            functions: dict[str, Work] = {
                "sinefield": partial(jet_step, siren, x, target, quantity, pool),
                "nested autograd": with_all_threads(partial(nested_step, siren, x, target, quantity), pool),
            }
            times = interleaved(functions, repeat)
            fast, slow = (statistics.median(each) for each in times.values())
            yield {
                "training step on": quantity,
                "points": f"{points:,}",
                **{name: format_times(each) for name, each in times.items()},
                "time relative to sinefield": f"{slow / fast:.2f} ×",
            }


def rendering(side: int = 2048, repeat: int = 3) -> Iterator[Row]:
    """Time the values of a grayscale picture of side × side pixels, beside the matrix products only."""
    domain = from_samples((side, side))
    field = OnDomain(Siren(2, 1, width=WIDTH, depth=DEPTH, generator=torch.Generator().manual_seed(0)), domain)
    with WorkerPool(torch.device("cpu")) as pool:
        functions: dict[str, Work] = {
            "sinefield": with_all_threads(lambda: evaluate_grid(field, domain, (side, side)), pool),
            PRODUCTS: lambda: matrix_products(side * side, 1, pool),
        }
        times = interleaved(functions, repeat)
    median = {name: statistics.median(each) for name, each in times.items()}
    yield {
        "rendering": f"{side**2 / 1e6:.1f} megapixels",
        **{name: format_times(each) for name, each in times.items()},
        "speed relative to matrix products": f"{100 * median[PRODUCTS] / median['sinefield']:.0f}%",
    }


def quality(picture: str = "camera", size: int = 256, psnr: float = 40.0) -> Iterator[Row]:
    """Time until the default recipe reaches a PSNR."""
    signal = resize(read_image(picture), size)
    info = fit(signal, psnr=psnr).info
    yield {
        "picture": f"{picture}, {' × '.join(map(str, signal.header.shape))}",
        "target PSNR": f"{psnr:g} dB",
        "time": f"{info.seconds:.1f} s",
        "steps": str(info.steps),
        "reached PSNR": f"{info.quality['psnr_db']:.1f} dB",
    }


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    "steps": steps,
    "derivatives": derivatives,
    "rendering": rendering,
    "quality": quality,
}
"""Tables of `sinefield bench`."""


def markdown(rows: list[Row]) -> str:
    """Return a table in Markdown, with the first column aligned to the left and the others to the right."""
    names = list(rows[0])
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *[list(row.values()) for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def jet_step(siren: Siren, x: Tensor, target: Tensor, quantity: str, pool: WorkerPool) -> None:
    """Compute the gradient of a loss on a derivative by the derivative rules of the layers, as `minimize` does."""

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        derivative: Tensor = getattr(jet, quantity).flatten(1)
        return derivative - batch.target[:, : derivative.shape[1]]

    siren.zero_grad()
    constraint = Constraint(quantity, lambda step: Batch(x, target), residual, ORDERS[quantity])
    add_gradient(siren, [constraint], 0, pool)


def nested_step(siren: Siren, x: Tensor, target: Tensor, quantity: str) -> None:
    """Compute the same gradient by nested automatic differentiation, on all points at once."""
    siren.zero_grad()
    derivative = getattr(autograd.propagate(siren, x, ORDERS[quantity]), quantity).flatten(1)
    (derivative - target[:, : derivative.shape[1]]).square().mean().backward()


def matrix_products(points: int, passes: int, pool: WorkerPool) -> None:
    """Compute only the matrix products of a network.

    Args:
        points: Number of points.
        passes: 1 for the forward pass, 3 for the forward and the backward pass.
        pool: Workers.
    """
    sizes = [(2, WIDTH), *[(WIDTH, WIDTH)] * DEPTH, (WIDTH, 1)]
    inputs, weight = torch.randn(pool.max_chunk, WIDTH), torch.randn(WIDTH, WIDTH)

    def empty(space: Workspace, name: str, layer: int, *shape: int) -> Tensor:
        return space.empty(name, layer, shape, weight)

    def multiply(count: int, space: Workspace) -> None:
        for layer, (n, m) in enumerate(sizes):
            x, y = inputs[:count, :n], empty(space, "forward", layer, count, m)
            torch.mm(x, weight[:n, :m], out=y)
            if passes == 3:
                torch.mm(x.T, inputs[:count, :m], out=empty(space, "weight", layer, n, m))
                if layer > 0:
                    torch.mm(inputs[:count, :m], weight[:n, :m].T, out=empty(space, "backward", layer, count, n))

    for _ in pool.map(multiply, [min(pool.max_chunk, points - start) for start in range(0, points, pool.max_chunk)]):
        pass


def other_implementations() -> dict[str, nn.Module]:
    """Return the same network in the implementations that are installed."""
    modules: dict[str, nn.Module] = {"official code": OfficialSiren()}
    if find_spec("siren_pytorch") is not None:
        package = import_module("siren_pytorch")
        modules["siren-pytorch"] = package.SirenNet(
            dim_in=2, dim_hidden=WIDTH, dim_out=1, num_layers=DEPTH + 1, w0_initial=30.0
        )
    return modules


class OfficialSiren(nn.Module):
    """SIREN as a chain of sin(30 · Linear(x)), as in the official code."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [2, *[WIDTH] * (DEPTH + 1)]
        self.hidden = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(sizes))
        self.last = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = torch.sin(30 * layer(x))
        out: Tensor = self.last(x)
        return out


def with_all_threads(function: Work, pool: WorkerPool) -> Work:
    """Return a function that runs with as many threads of PyTorch as the pool has workers, which use one each."""

    def threaded() -> object:
        torch.set_num_threads(pool.size)
        try:
            return function()
        finally:
            if pool.size > 1:
                torch.set_num_threads(1)

    return threaded


def _adam_step(module: nn.Module, x: Tensor, target: Tensor) -> Work:
    adam = torch.optim.Adam(module.parameters(), lr=1e-4)

    def step() -> None:
        adam.zero_grad()
        (module(x) - target).square().mean().backward()
        adam.step()

    return step
