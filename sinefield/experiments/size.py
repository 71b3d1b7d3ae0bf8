"""How large a function is beside the samples that it stands for."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import numpy as np
from PIL import Image

from sinefield.experiments.experiment import (
    Array,
    Budget,
    Experiment,
    Measure,
    Options,
    Outcome,
    Setting,
    Shown,
    Trial,
    outcome,
)
from sinefield.field.field import Field
from sinefield.metrics import psnr
from sinefield.reports.figures import figure_at, picture_at
from sinefield.signals import read_image
from sinefield.tasks.fit import fit

BUDGET = Budget(small=(30, 0), steps=0, seconds=600)

WIDTH, DEPTH = 64, 3
"""Of the network."""

JPEG = "as JPEG of no more bytes"

BYTES, QUALITY = Measure("{:,.0f} bytes", None), Measure("{:.1f} dB", None)


def trials(setting: Setting) -> list[Trial]:
    reference = read_image("camera").samples

    def learned(options: Options) -> Outcome:
        field = fit(read_image("camera"), width=WIDTH, depth=DEPTH, **options)
        found = {"float32": field.render(), "float16": halved(field).render()}
        count = field.made["parameters"]
        figures = {"in float32": 4.0 * count, "in float16": 2.0 * count}
        found[JPEG] = jpeg(reference, 2 * count)
        figures |= {f"quality {name}": quality(array, reference) for name, array in found.items()}
        return outcome(field, figures, **found, reference=reference, bytes=np.array(2 * count))

    def stored(options: Options) -> Outcome:
        return Outcome({"raw": float(reference.nbytes), "as PNG": float(len(encoded(reference, "PNG")))}, 0.0, 0)

    return [Trial(f"sine {WIDTH} × {DEPTH}", "default", learned, BUDGET), Trial("the samples", "default", stored)]


def halved(field: Field) -> Field:
    """A field whose weights were rounded to float16."""
    rounded = copy.deepcopy(field)
    for parameter in rounded.network.parameters():
        parameter.data = parameter.data.half().to(parameter.dtype)
    return rounded


def quality(found: Array, reference: Array) -> float:
    """PSNR in dB of 8 bits."""
    return psnr(float(np.square(found.astype(np.float64) - reference).mean()), 255.0)


def encoded(samples: Array, form: str, grade: int = 75) -> bytes:
    """A grey picture as a file."""
    file = io.BytesIO()
    Image.fromarray(samples).save(file, form, quality=grade, optimize=True)
    return file.getvalue()


def jpeg(samples: Array, most: int) -> Array:
    """A grey picture as it comes back from the best JPEG of so many bytes at most."""
    files = (encoded(samples, "JPEG", grade) for grade in range(95, 0, -1))
    best = next((file for file in files if len(file) <= most), encoded(samples, "JPEG", 1))
    return np.asarray(Image.open(io.BytesIO(best)))


def draw(path: Path, shown: Shown) -> None:
    arrays = next(each for each in shown.values() if each)
    titles = {
        "truth": f"the samples, {arrays['reference'].nbytes:,} bytes",
        "float16": f"the function, {arrays['bytes']:,} bytes: {quality(arrays['float16'], arrays['reference']):.1f} dB",
        JPEG: f"a JPEG of no more, {quality(arrays[JPEG], arrays['reference']):.1f} dB",
    }
    with figure_at(path, (12, 4.4)) as figure:
        for axes, (name, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
            picture_at(axes, arrays[name] / 255, title)


SIZE = Experiment(
    claim="The weights are fewer bytes than the samples (supplement, section 8)",
    measures={"raw": BYTES, "as PNG": BYTES, "in float32": BYTES, "in float16": BYTES}
    | {f"quality {name}": QUALITY for name in ("float32", "float16", JPEG)},
    trials=trials,
    draw=draw,
)
