"""A training step on derivatives: ours beside nested autograd, interleaved in one run.

    python -m benchmarks.derivatives [--points 2048 8192 65536] [--repeat 5] [--width 256] [--depth 3]

Prints one Markdown table: medians of a step (loss, backward) on the gradient and on the Laplacian of a SIREN of two
coordinates and one channel, and the peak of the memory that such a step adds to the process.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from sinefield.fields import Siren
from sinefield.fit import CHUNK
from sinefield.jets import Jet, autograd, propagate

ORDERS = {"gradient": 1, "laplacian": 2}


def step(siren: Siren, x: Tensor, target: Tensor, order: int, way: str) -> None:
    """One step's loss and backward: ours in pieces as `minimise` does it, nested autograd all at once."""
    siren.zero_grad()
    size, scheme = (CHUNK, propagate) if way == "ours" else (len(x), autograd.propagate)
    for points, truth in zip(x.split(size), target.split(size), strict=True):
        derivative = read(scheme, siren, points, order)
        ((derivative - truth[:, : derivative.shape[1]]).square().sum() / len(x)).backward()


def read(scheme: Callable[..., Jet], siren: Siren, x: Tensor, order: int) -> Tensor:
    jet = scheme(siren, x, order)
    derivative = jet.gradient if order == 1 else jet.laplacian
    assert derivative is not None
    return derivative.flatten(1)


def setting(options: argparse.Namespace, points: int) -> tuple[Siren, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    siren = Siren(2, 1, width=options.width, depth=options.depth, generator=generator)
    return siren, torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 2, generator=generator)


def peak(options: argparse.Namespace, points: int, what: str, way: str) -> float:
    """MiB that a step adds to the largest resident size of a process of its own."""
    arguments = [what, way, str(points), str(options.width), str(options.depth)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.derivatives", "--peak", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout)


def print_peak(what: str, way: str, points: str, width: str, depth: str) -> None:
    options = argparse.Namespace(width=int(width), depth=int(depth))
    small = setting(options, 64)
    step(*small, ORDERS[what], way)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
    before = resident("VmRSS")
    step(*setting(options, int(points)), ORDERS[what], way)
    print(resident("VmHWM") - before)


def resident(entry: str) -> float:
    """MiB of this process: VmRSS is what it holds now, VmHWM the most it has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(entry))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", nargs="+", type=int, default=[2048, 8192, 65_536])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--peak", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(*options.peak)
        return
    print(
        f"{options.width} × {options.depth}, float32, {torch.get_num_threads()} threads, PyTorch {torch.__version__}\n"
    )
    print("| step on | points | ours | nested autograd | faster | memory, ours | nested | share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for what, order in ORDERS.items():
        for points in options.points:
            siren, x, target = setting(options, points)
            times: dict[str, list[float]] = {"ours": [], "nested": []}
            for repeat in range(options.repeat + 1):
                for way, taken in times.items():
                    start = time.perf_counter()
                    step(siren, x, target, order, way)
                    if repeat > 0:
                        taken.append(time.perf_counter() - start)
            ours, nested = (statistics.median(taken) for taken in times.values())
            memory = [peak(options, points, what, way) for way in times]
            print(
                f"| {what} | {points:,} | {1e3 * ours:.0f} ms | {1e3 * nested:.0f} ms | {nested / ours:.2f} × "
                f"| {memory[0]:.0f} MiB | {memory[1]:.0f} MiB | 1/{memory[1] / max(memory[0], 1):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
