"""A sound, a video or a picture by SIREN, by ReLU on a positional encoding and by plain ReLU: the error against time.

    python -m benchmarks.activations SOURCE [--crop A:B,…] [--seconds 300] [--trial 30] [--activation sine …]
                                     [--width 256] [--seed 0]

Each network gets the learning rate, of three around the recipe's, that is best after a trial; then it is fitted for
so many seconds. Prints one Markdown table: the least mean squared error on [-1, 1] that was seen by each time, on the
samples by which a fit is judged; in the last columns that of all samples at the end, and the PSNR, of a video the mean
and the deviation over its frames.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from sinefield.cli.console import parse_crop
from sinefield.field.field import Field
from sinefield.signals.formats import read
from sinefield.tasks.fit import fit
from sinefield.training.recipes import RECIPES

FACTORS = (0.3, 1.0, 3.0)
TIMES = (10, 30, 60, 120, 300, 600, 1200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--crop")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--trial", type=float, default=30, help="0 takes the recipe's own rate")
    parser.add_argument("--activation", nargs="*", default=["sine", "relu-pe", "relu"])
    parser.add_argument("--width", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal, plan = read(options.source, crop=parse_crop(options.crop)), RECIPES["default"]
    times = [time for time in TIMES if time < options.seconds] + [options.seconds]

    def fitted(activation: str, rate: float, seconds: float) -> Field:
        RECIPES["default"] = replace(plan, rate={activation: rate})
        return fit(signal, activation=activation, width=options.width, seconds=seconds, seed=options.seed)

    size = " × ".join(f"{n:,}" for n in signal.header.shape)
    print(
        f"| {signal.name}, {size} | rate | steps |"
        + "".join(f" {time:g} s |" for time in times)
        + " at the end | PSNR |"
    )
    print("| --- |" + " ---: |" * (len(times) + 4))
    for activation in options.activation:
        rate = plan.rate[activation]
        if options.trial:
            trials = {rate * factor: fitted(activation, rate * factor, options.trial).info.quality["mse"] for factor in FACTORS}
            rate = min(trials, key=trials.__getitem__)
        made = fitted(activation, rate, options.seconds).made
        best = [min((mse for _, when, mse in made["history"] if when <= time), default=1.0) for time in times]
        quality = f"{made['psnr_db']:.2f} dB"
        if "psnr_mean_db" in made:
            quality = f"{made['psnr_mean_db']:.2f} ± {made['psnr_std_db']:.2f} dB"
        cells = [f"{rate:.1g}", f"{made['steps']:,}", *(f"{mse:.3g}" for mse in best), f"{made['mse']:.4g}", quality]
        print(f"| {activation} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
