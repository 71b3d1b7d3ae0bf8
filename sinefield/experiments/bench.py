"""How fast the parts are on this machine: ours and a rival's, each after the other in one run."""

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
from sinefield.field.evaluate import on_grid
from sinefield.jets import Jet, Workspace, autograd
from sinefield.networks import Siren
from sinefield.networks.on_domain import OnDomain
from sinefield.parallel import WorkerPool
from sinefield.sampling.batch import Batch
from sinefield.signals import read_image, resize
from sinefield.tasks.fit import fit
from sinefield.training.loss import add_gradient
from sinefield.training.optimizers.soap import Soap

WIDTH, DEPTH = 256, 3
"""Of the networks that are timed."""

Work = Callable[[], object]
Row = dict[str, str]


def machine() -> str:
    """The processor, its cores as PyTorch uses them, and the versions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{name}, {threads}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def interleaved(ways: dict[str, Work], repeat: int) -> dict[str, list[float]]:
    """The seconds that each way takes, `repeat` times in turns after a first turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeat + 1):
        for name, work in ways.items():
            start = time.perf_counter()
            work()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return times


def said(times: list[float]) -> str:
    """The median in ms, and how far the others lie from it."""
    middle = statistics.median(times)
    return f"{1e3 * middle:.0f} ± {1e3 * max(abs(each - middle) for each in times):.0f} ms"


def steps(points: int = 65_536, repeat: int = 5) -> Iterator[Row]:
    """A training step on all points at once of a SIREN of two coordinates and one channel.

    Ours with SOAP; beside it the products alone, and with Adam the official code and the package siren-pytorch, where
    it is installed.
    """
    generator = torch.Generator().manual_seed(0)
    x, target = torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 1, generator=generator)
    siren = Siren(2, 1, width=WIDTH, depth=DEPTH, generator=generator)
    optimizer, batch = Soap(siren.parameters(), lr=1e-4), Batch(x, target)
    constraints = regression(lambda step: batch)
    with WorkerPool(x.device) as pool:

        def ours() -> None:
            optimizer.zero_grad()
            add_gradient(siren, constraints, 0, pool)
            optimizer.step()

        ways: dict[str, Work] = {"ours": ours, "the matrix products alone": lambda: products(points, 3, pool)}
        for name, module in rivals().items():
            ways[name] = with_all_threads(_plain_step(module, x, target), pool)
        times = interleaved(ways, repeat)
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    for name, taken in times.items():
        share, faster = middle["the matrix products alone"] / middle[name], middle[name] / middle["ours"]
        yield {
            "training step": name,
            "points": f"{points:,}",
            "a step": said(taken),
            "of the products' speed": f"{100 * share:.0f}%",
            "ours is faster by": f"{faster:.2f} ×",
        }


def derivatives(points: int = 8192, repeat: int = 5) -> Iterator[Row]:
    """A training step on the gradient and on the Laplacian: ours beside nested automatic differentiation."""
    generator = torch.Generator().manual_seed(0)
    siren = Siren(2, 1, width=WIDTH, depth=DEPTH, generator=generator)
    x, target = torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 2, generator=generator)
    with WorkerPool(x.device) as pool:
        for what in ORDERS:
            nested = with_all_threads(partial(nested_step, siren, x, target, what), pool)
            times = interleaved({"ours": partial(our_step, siren, x, target, what, pool), "nested": nested}, repeat)
            fast, slow = (statistics.median(taken) for taken in times.values())
            yield {
                "step on": what,
                "points": f"{points:,}",
                "ours": said(times["ours"]),
                "nested autograd": said(times["nested"]),
                "ours is faster by": f"{slow / fast:.2f} ×",
            }


def rendering(side: int = 2048, repeat: int = 3) -> Iterator[Row]:
    """The values of a grey picture of side × side pixels, beside the matrix products alone."""
    domain = from_samples((side, side))
    field = OnDomain(Siren(2, 1, width=WIDTH, depth=DEPTH, generator=torch.Generator().manual_seed(0)), domain)
    with WorkerPool(torch.device("cpu")) as pool:
        ways: dict[str, Work] = {
            "ours": with_all_threads(lambda: on_grid(field, domain, (side, side)), pool),
            "products": lambda: products(side * side, 1, pool),
        }
        times = interleaved(ways, repeat)
    ours, alone = (statistics.median(taken) for taken in times.values())
    yield {
        "rendering": f"{side**2 / 1e6:.1f} megapixels",
        "ours": said(times["ours"]),
        "the matrix products alone": said(times["products"]),
        "of the products' speed": f"{100 * alone / ours:.0f}%",
    }


def quality(picture: str = "camera", size: int = 256, psnr: float = 40.0) -> Iterator[Row]:
    """How long the default recipe takes to a quality."""
    signal = resize(read_image(picture), size)
    made = fit(signal, psnr=psnr).made
    yield {
        "picture": f"{picture}, {' × '.join(map(str, signal.header.shape))}",
        "to reach": f"{psnr:g} dB",
        "time": f"{made['seconds']:.1f} s",
        "steps": str(made["steps"]),
        "reached": f"{made['psnr_db']:.1f} dB",
    }


TABLES: dict[str, Callable[[], Iterator[Row]]] = {
    "steps": steps,
    "derivatives": derivatives,
    "rendering": rendering,
    "quality": quality,
}
"""What `sinefield bench` runs."""


def markdown(rows: list[Row]) -> str:
    """Rows of one table, the first column aligned to the left."""
    names = list(rows[0])
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *[list(row.values()) for row in rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


ORDERS = {"gradient": 1, "laplacian": 2}


def our_step(siren: Siren, x: Tensor, target: Tensor, what: str, pool: WorkerPool) -> None:
    """The loss on a derivative and its gradient, as `minimise` takes them."""

    def residual(jet: Jet, batch: Batch) -> Tensor:
        assert batch.target is not None
        derivative: Tensor = getattr(jet, what).flatten(1)
        return derivative - batch.target[:, : derivative.shape[1]]

    siren.zero_grad()
    add_gradient(siren, [Constraint(what, lambda step: Batch(x, target), residual, ORDERS[what])], 0, pool)


def nested_step(siren: Siren, x: Tensor, target: Tensor, what: str) -> None:
    """The same by automatic differentiation, on all points at once."""
    siren.zero_grad()
    derivative = getattr(autograd.propagate(siren, x, ORDERS[what]), what).flatten(1)
    (derivative - target[:, : derivative.shape[1]]).square().mean().backward()


def products(points: int, passes: int, pool: WorkerPool) -> None:
    """The products of a network's layers on some points and nothing else: forward, and backward with 3 passes."""
    sizes = [(2, WIDTH), *[(WIDTH, WIDTH)] * DEPTH, (WIDTH, 1)]
    given, weight = torch.randn(pool.max_chunk, WIDTH), torch.randn(WIDTH, WIDTH)

    def empty(space: Workspace, name: str, layer: int, *shape: int) -> Tensor:
        return space.empty(name, layer, shape, weight)

    def work(count: int, space: Workspace) -> None:
        for layer, (n, m) in enumerate(sizes):
            x, y = given[:count, :n], empty(space, "forward", layer, count, m)
            torch.mm(x, weight[:n, :m], out=y)
            if passes == 3:
                torch.mm(x.T, given[:count, :m], out=empty(space, "weight", layer, n, m))
                if layer > 0:
                    torch.mm(given[:count, :m], weight[:n, :m].T, out=empty(space, "backward", layer, count, n))

    for _ in pool.map(work, [min(pool.max_chunk, points - start) for start in range(0, points, pool.max_chunk)]):
        pass


def rivals() -> dict[str, nn.Module]:
    """The same network as others write it."""
    found: dict[str, nn.Module] = {"official code": OfficialSiren()}
    if find_spec("siren_pytorch") is not None:
        package = import_module("siren_pytorch")
        found["siren-pytorch"] = package.SirenNet(
            dim_in=2, dim_hidden=WIDTH, dim_out=1, num_layers=DEPTH + 1, w0_initial=30.0
        )
    return found


class OfficialSiren(nn.Module):
    """Plain modules, as the paper's own code and most after it: sin(30 · Linear(x))."""

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


def _plain_step(module: nn.Module, x: Tensor, target: Tensor) -> Work:
    adam = torch.optim.Adam(module.parameters(), lr=1e-4)

    def step() -> None:
        adam.zero_grad()
        (module(x) - target).square().mean().backward()
        adam.step()

    return step


def with_all_threads(work: Work, pool: WorkerPool) -> Work:
    """The same outside of a crew, whose workers have a thread each."""

    def threaded() -> object:
        torch.set_num_threads(pool.size)
        try:
            return work()
        finally:
            if pool.size > 1:
                torch.set_num_threads(1)

    return threaded
