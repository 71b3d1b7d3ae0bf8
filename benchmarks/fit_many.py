"""Time per picture of many small pictures, fitted all at once and one after another.

    python -m benchmarks.fit_many FOLDER [--count 256] [--few 32] [--size 32] [--steps 80]

One after another, only `--few` of the pictures are fitted. Prints one Markdown table.
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
    parser.add_argument("folder", type=Path, help="folder of pictures")
    parser.add_argument("--count", type=int, default=256, help="pictures that are fitted all at once")
    parser.add_argument("--few", type=int, default=32, help="pictures that are fitted one after another")
    parser.add_argument("--size", type=int, default=32, help="rows and columns to which the pictures are resized")
    parser.add_argument("--steps", type=int, default=80, help="steps of each fit")
    options = parser.parse_args()
    dataset = sf.read_image_dataset(options.folder, options.size)
    signals = [dataset.signal(k) for k in range(options.count)]
    few = signals[:: max(len(signals) // options.few, 1)]

    runs = {
        "all at once, `fit_many`": lambda: sf.fit_many(signals, steps=options.steps),
        "one after another, `fit`, the same recipe": lambda: (
            sf.fit(signal, recipe="small", steps=options.steps) for signal in few
        ),
        "one after another, `fit`, the default recipe to 35 dB": lambda: (
            sf.fit(signal, psnr=35.0, steps=1000) for signal in few
        ),
    }
    list(sf.fit_many(signals[:64], steps=3))  # the first call imports modules
    print(f"{machine()}\n")
    print("| method | pictures | ms per picture | mean PSNR | lowest PSNR |\n| --- | ---: | ---: | ---: | ---: |")
    for name, run in runs.items():
        start = time.perf_counter()
        quality = [field.info.quality["psnr_db"] for field in run()]
        each = 1e3 * (time.perf_counter() - start) / len(quality)
        cells = [name, f"{len(quality)}", f"{each:.1f}", f"{np.mean(quality):.2f} dB", f"{min(quality):.1f} dB"]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
