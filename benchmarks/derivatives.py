"""Time and memory of a training step on derivatives with sinefield and with nested autograd, alternately in one run.

    python -m benchmarks.derivatives [--points 2048 8192 65536] [--repeat 5] [--width 256] [--depth 3]

Prints one Markdown table: the median times of a step (loss and backward pass) on the gradient and on the Laplacian of
a SIREN with two coordinates and one channel, and the peak memory that a step adds to the process. The memory is
measured on Linux only.
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

from sinefield.experiments.bench import ORDERS, Work, format_times, interleaved, jet_step, nested_step, with_all_threads
from sinefield.networks import Siren
from sinefield.parallel import WorkerPool


def nested(siren: Siren, x: Tensor, target: Tensor, quantity: str, pool: WorkerPool) -> None:
    """Do a step by nested autograd with all threads."""
    with_all_threads(lambda: nested_step(siren, x, target, quantity), pool)()


METHODS = {"sinefield": jet_step, "nested": nested}
"""The methods that are compared, by name."""


def setup(options: argparse.Namespace, points: int) -> tuple[Siren, Tensor, Tensor]:
    """Return a network, random points and random targets."""
    generator = torch.Generator().manual_seed(0)
    siren = Siren(2, 1, width=options.width, depth=options.depth, generator=generator)
    return siren, torch.rand(points, 2, generator=generator) * 2 - 1, torch.rand(points, 2, generator=generator)


def peak(options: argparse.Namespace, points: int, quantity: str, method: str) -> float:
    """Return the memory in MiB that a step adds to the peak resident size of a new process."""
    arguments = [quantity, method, str(points), str(options.width), str(options.depth)]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.derivatives", "--peak", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout)


def print_peak(quantity: str, method: str, points: str, width: str, depth: str) -> None:
    """Print the memory in MiB that a step adds to the peak resident size of this process."""
    options = argparse.Namespace(width=int(width), depth=int(depth))
    siren, x, target = setup(options, int(points))
    with WorkerPool(x.device) as pool:
        METHODS[method](siren, x[:64], target[:64], quantity, pool)
        reset_peak()
        before = resident("VmRSS")
        METHODS[method](siren, x, target, quantity, pool)
        print(resident("VmHWM") - before)


def reset_peak() -> None:
    """Reset the peak resident size of this process to its current size (Linux only)."""
    Path("/proc/self/clear_refs").write_text("5")


def resident(entry: str) -> float:
    """Return the resident size of this process in MiB: VmRSS for the current one, VmHWM for the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(entry))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", nargs="+", type=int, default=[2048, 8192, 65_536], help="points in a step")
    parser.add_argument("--repeat", type=int, default=5, help="number of timed runs")
    parser.add_argument("--width", type=int, default=256, help="units in a hidden layer")
    parser.add_argument("--depth", type=int, default=3, help="hidden layers after the first")
    parser.add_argument("--peak", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(*options.peak)
        return
    threads, version = torch.get_num_threads(), torch.__version__
    print(f"{options.width} × {options.depth}, float32, {threads} threads, PyTorch {version}\n")
    print("| step on | points | sinefield | nested autograd | speedup | memory, sinefield | memory, nested | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with WorkerPool(torch.device("cpu")) as pool:
        for quantity, points in product(ORDERS, options.points):
            arguments = (*setup(options, points), quantity, pool)
            steps: dict[str, Work] = {method: partial(step, *arguments) for method, step in METHODS.items()}
            times = interleaved(steps, options.repeat)
            fast, slow = (statistics.median(each) for each in times.values())
            memory = [peak(options, points, quantity, method) for method in METHODS]
            cells = [f"{points:,}", *(format_times(each) for each in times.values()), f"{slow / fast:.2f} ×"]
            cells += [f"{each:.0f} MiB" for each in memory] + [f"1/{memory[1] / max(memory[0], 1):.1f}"]
            print(f"| {quantity} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
