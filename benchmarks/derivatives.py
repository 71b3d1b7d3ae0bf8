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
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from sinefield.experiments.bench import ORDERS, interleaved, nested_step, our_step, said, with_all_threads
from sinefield.networks import Siren
from sinefield.parallel import WorkerPool


def ours(siren: Siren, x: Tensor, target: Tensor, what: str, pool: WorkerPool) -> None:
    our_step(siren, x, target, what, pool)


def nested(siren: Siren, x: Tensor, target: Tensor, what: str, pool: WorkerPool) -> None:
    with_all_threads(lambda: nested_step(siren, x, target, what), pool)()


WAYS = {"ours": ours, "nested": nested}


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
    siren, x, target = setting(options, int(points))
    with WorkerPool(x.device) as pool:
        WAYS[way](siren, x[:64], target[:64], what, pool)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
        before = resident("VmRSS")
        WAYS[way](siren, x, target, what, pool)
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
    with WorkerPool(torch.device("cpu")) as pool:
        for what, points in product(ORDERS, options.points):
            setup = setting(options, points)
            times = interleaved({way: partial(step, *setup, what, pool) for way, step in WAYS.items()}, options.repeat)
            fast, slow = (statistics.median(taken) for taken in times.values())
            memory = [peak(options, points, what, way) for way in WAYS]
            print(
                f"| {what} | {points:,} | {said(times['ours'])} | {said(times['nested'])} | {slow / fast:.2f} × "
                f"| {memory[0]:.0f} MiB | {memory[1]:.0f} MiB | 1/{memory[1] / max(memory[0], 1):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
