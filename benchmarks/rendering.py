"""Speed of rendering relative to that of the matrix products alone, and its memory besides the output.

python -m benchmarks.rendering [--side 4096] [--repeat 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.derivatives import reset_peak, resident
from sinefield.experiments.bench import machine, markdown, rendering


def print_peak(side: int) -> None:
    """Print the memory in MiB that rendering adds to this process, besides the array that it returns."""
    from sinefield.domain import from_samples
    from sinefield.field.evaluate import evaluate_grid
    from sinefield.networks import OnDomain, Siren

    domain = from_samples((side, side))
    field = OnDomain(Siren(2, 1), domain)
    evaluate_grid(field, domain, (64, 64))
    reset_peak()
    before = resident("VmRSS")
    out = evaluate_grid(field, domain, (side, side))
    print(resident("VmHWM") - before - out.nbytes / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096, help="rows and columns of the picture")
    parser.add_argument("--repeat", type=int, default=3, help="number of timed runs")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak)
        return
    command = [sys.executable, "-m", "benchmarks.rendering", "--peak", str(options.side)]
    memory = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rows = [row | {"memory besides the output": f"{memory:.0f} MiB"} for row in rendering(options.side, options.repeat)]
    print(f"{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
