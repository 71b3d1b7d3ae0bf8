"""PSNR of each activation by learning rate, from which the learning rates of the activations are chosen.

    python -m benchmarks.learning_rates PICTURE … [--size 256] [--steps 400] [--activation relu …] [--rate 1e-3 …]

Prints one Markdown table with the mean over the pictures and the lowest PSNR.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from sinefield.networks import ACTIVATIONS
from sinefield.signals import read_image, resize
from sinefield.tasks.fit import fit
from sinefield.training.recipes import DEFAULT, RECIPES, Recipe


def with_learning_rate(recipe: Recipe, learning_rate: float) -> Recipe:
    """Return a recipe with a learning rate that replaces those of the activations."""
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=learning_rate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", help="picture files or names of sample pictures")
    parser.add_argument("--size", type=int, default=256, help="longest side in pixels")
    parser.add_argument("--steps", type=int, default=400, help="steps of each fit")
    parser.add_argument("--activation", nargs="+", default=list(ACTIVATIONS), help="activations (default: all)")
    parser.add_argument(
        "--rate", nargs="+", type=float, default=[2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2], help="learning rates"
    )
    options = parser.parse_args()
    signals = [resize(read_image(picture), options.size) for picture in options.pictures]
    names = ", ".join(signal.name for signal in signals)
    print(f"PSNR in dB after {options.steps} steps by learning rate, mean (lowest) over {names}\n")
    print("| activation | " + " | ".join(f"{rate:g}" for rate in options.rate) + " |")
    print("| --- |" + " ---: |" * len(options.rate))
    for activation in options.activation:
        cells = []
        for rate in options.rate:
            RECIPES["trial"] = with_learning_rate(DEFAULT, rate)
            qualities = [
                fit(signal, recipe="trial", activation=activation, steps=options.steps).info.quality["psnr_db"]
                for signal in signals
            ]
            cells.append(f"{sum(qualities) / len(qualities):.1f} ({min(qualities):.1f})")
        print(f"| {activation} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
