"""Rendering: its speed beside that of the matrix products alone, and the memory that it takes over its output.

python -m benchmarks.rendering [--side 4096] [--repeat 3]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.derivatives import resident
from sinefield.experiments.bench import machine, markdown, rendering


def print_peak(side: int) -> None:
    """MiB that rendering adds to this process, without what it returns."""
    from sinefield.domain import from_samples
    from sinefield.field.evaluate import on_grid
    from sinefield.networks import Siren
    from sinefield.networks.on_domain import OnDomain

    domain = from_samples((side, side))
    field = OnDomain(Siren(2, 1), domain)
    on_grid(field, domain, (64, 64))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
    before = resident("VmRSS")
    out = on_grid(field, domain, (side, side))
    print(resident("VmHWM") - before - out.nbytes / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak)
        return
    command = [sys.executable, "-m", "benchmarks.rendering", "--peak", str(options.side)]
    memory = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    rows = [row | {"memory over the output": f"{memory:.0f} MiB"} for row in rendering(options.side, options.repeat)]
    print(f"{machine()}\n\n{markdown(rows)}")


if __name__ == "__main__":
    main()
