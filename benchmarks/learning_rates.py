"""PSNR of every activation by learning rate: what the default recipe's rates are chosen from.

    python -m benchmarks.learning_rates PICTURE … [--size 256] [--steps 400] [--activation relu …] [--rate 1e-3 …]

Pictures are paths or names of samples. Prints one Markdown table: the mean over the pictures, and the smallest.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from sinefield.networks import ACTIVATIONS
from sinefield.signals import read_image, resize
from sinefield.tasks.fit import fit
from sinefield.training.recipes import RECIPES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--activation", nargs="+", default=list(ACTIVATIONS))
    parser.add_argument("--rate", nargs="+", type=float, default=[2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2])
    options = parser.parse_args()
    signals = [resize(read_image(picture), options.size) for picture in options.pictures]
    print(f"PSNR in dB after {options.steps} steps, mean (smallest) over {', '.join(s.name for s in signals)}\n")
    print("| activation | " + " | ".join(f"{rate:g}" for rate in options.rate) + " |")
    print("| --- |" + " ---: |" * len(options.rate))
    for activation in options.activation:
        cells = []
        for rate in options.rate:
            RECIPES["trial"] = replace(RECIPES["default"], rate={activation: rate})
            qualities = [
                fit(signal, recipe="trial", activation=activation, steps=options.steps).info.quality["psnr_db"]
                for signal in signals
            ]
            cells.append(f"{sum(qualities) / len(qualities):.1f} ({min(qualities):.1f})")
        print(f"| {activation} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
