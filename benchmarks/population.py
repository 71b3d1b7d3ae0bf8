"""Many small pictures at once beside one after another, with the same recipe.

    python -m benchmarks.population FOLDER --count 256 --size 32 --steps 80

One after another `--few` of them are fitted, and their time is multiplied.
Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import sinefield as sf
from sinefield.experiments.bench import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--few", type=int, default=32)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=80)
    options = parser.parse_args()
    dataset = sf.read_image_dataset(options.folder, options.size)
    signals = [dataset.signal(k) for k in range(options.count)]
    few = signals[:: max(len(signals) // options.few, 1)]

    runs = {
        "at once, `fit_many`": lambda: sf.fit_many(signals, steps=options.steps),
        "one after another, `fit`, the same recipe": lambda: (
            sf.fit(signal, recipe="small", steps=options.steps) for signal in few
        ),
        "one after another, `fit`, the default recipe to 35 dB": lambda: (
            sf.fit(signal, psnr=35.0, steps=1000) for signal in few
        ),
    }
    list(sf.fit_many(signals[:64], steps=3))  # what is loaded once
    print(f"{machine()}\n")
    print("| | pictures | ms a picture | mean PSNR | least PSNR |\n| --- | ---: | ---: | ---: | ---: |")
    for name, run in runs.items():
        began = time.perf_counter()
        quality = [field.info.quality["psnr_db"] for field in run()]
        each = 1e3 * (time.perf_counter() - began) / len(quality)
        print(
            f"| {name} | {len(quality)} | {each:.1f} | {np.mean(quality):.2f} dB | {min(quality):.1f} dB |", flush=True
        )


if __name__ == "__main__":
    main()
