"""Error by time of a sound, a video or a picture with SIREN, ReLU on a positional encoding, and plain ReLU.

    python -m benchmarks.activations SOURCE [--crop A:B,…] [--seconds 300] [--trial 30] [--activation sine …]
                                     [--width 256] [--seed 0]

Of three learning rates around that of the activation, the one with the smallest error after a short trial is used for
each network. Prints one Markdown table: the smallest mean squared error on [-1, 1] up to each time, over the samples
that are evaluated during the training; the final error over all samples; and the PSNR, for a video the mean and the
standard deviation over the frames.
"""

from __future__ import annotations

import argparse

from benchmarks.learning_rates import with_learning_rate
from sinefield.cli.options import parse_crop
from sinefield.field.field import Field
from sinefield.networks import ACTIVATIONS
from sinefield.signals import Signal
from sinefield.signals.formats import read
from sinefield.tasks.fit import fit
from sinefield.training.recipes import DEFAULT, RECIPES

FACTORS = (0.3, 1.0, 3.0)
"""Learning rates of the trials, relative to that of the activation."""

TIMES = (10, 30, 60, 120, 300, 600, 1200)
"""Times of the columns, in seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="sound, video or picture file, or the name of a sample picture")
    parser.add_argument("--crop", help="part to use: a range in coordinates for each axis, such as 10:60,20:80")
    parser.add_argument("--seconds", type=float, default=300, help="time of each fit in seconds")
    parser.add_argument(
        "--trial",
        type=float,
        default=30,
        help="time of each trial in seconds; 0 for the learning rate of the activation without a trial",
    )
    parser.add_argument("--activation", nargs="*", default=["sine", "relu-pe", "relu"], help="activations to compare")
    parser.add_argument("--width", type=int, help="units in a hidden layer (default: set by the recipe)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and batches")
    options = parser.parse_args()
    signal = read(options.source, crop=parse_crop(options.crop))
    times = [time for time in TIMES if time < options.seconds] + [options.seconds]
    size = " × ".join(f"{n:,}" for n in signal.header.shape)
    headings = [f"{signal.name}, {size}", "learning rate", "steps", *(f"{time:g} s" for time in times)]
    print("| " + " | ".join([*headings, "final MSE", "PSNR"]) + " |")
    print("| --- |" + " ---: |" * (len(times) + 4))
    for activation in options.activation:
        print(f"| {activation} | " + " | ".join(_cells(signal, activation, times, options)) + " |", flush=True)


def _cells(signal: Signal, activation: str, times: list[float], options: argparse.Namespace) -> list[str]:
    """Fit a signal with one activation and return the cells of its row."""

    def fit_for(seconds: float, learning_rate: float) -> Field:
        RECIPES["default"] = with_learning_rate(DEFAULT, learning_rate)
        return fit(signal, activation=activation, width=options.width, seconds=seconds, seed=options.seed)

    learning_rate = ACTIVATIONS.find(activation).learning_rate
    if options.trial:
        rates = [learning_rate * factor for factor in FACTORS]
        trials = {rate: fit_for(options.trial, rate).info.quality["mse"] for rate in rates}
        learning_rate = min(trials, key=trials.__getitem__)
    info = fit_for(options.seconds, learning_rate).info
    errors = [min((mse for _, when, mse in info.history if when <= time), default=1.0) for time in times]
    psnr = f"{info.quality['psnr_db']:.2f} dB"
    if "psnr_mean_db" in info.quality:
        psnr = f"{info.quality['psnr_mean_db']:.2f} ± {info.quality['psnr_std_db']:.2f} dB"
    mse = f"{info.quality['mse']:.4g}"
    return [f"{learning_rate:.1g}", f"{info.steps:,}", *(f"{error:.3g}" for error in errors), mse, psnr]


if __name__ == "__main__":
    main()
