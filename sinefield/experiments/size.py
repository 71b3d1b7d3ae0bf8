"""The size of a network beside that of the samples that it was fitted to."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import numpy as np
from PIL import Image

from sinefield.experiments.experiment import (
    Array,
    Arrays,
    Budget,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
)
from sinefield.field.field import Field
from sinefield.metrics import psnr
from sinefield.reports.figures import decibels, draw_picture, saved_figure
from sinefield.signals import read_image
from sinefield.tasks.fit import fit

BUDGET = Budget(small=(30, 0), steps=0, seconds=600)
"""Duration of the trial."""

WIDTH = 64
"""Units in a hidden layer."""

DEPTH = 3
"""Hidden layers after the first."""

SIZE = Measure("{:,.0f} bytes", None)
"""Size of the data."""

QUALITY = Measure("{:.1f} dB", None)
"""PSNR, which is not ranked."""

STORED = ("float32", "float16", "JPEG")
"""Representations whose PSNR is measured: the network in two precisions, and a JPEG that is not larger than float16."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    each = next(each for each in arrays.values() if each)
    reference = each["reference"]
    titles = {
        "reference": f"Reference, {reference.nbytes:,} bytes",
        "float16": f"Field in float16, {each['bytes']:,} bytes, {decibels(psnr_8_bit(each['float16'], reference))}",
        "JPEG": f"JPEG, at most as large, {decibels(psnr_8_bit(each['JPEG'], reference))}",
    }
    with saved_figure(path, (12, 4.4)) as figure:
        for axes, (name, title) in zip(figure.subplots(1, 3), titles.items(), strict=True):
            draw_picture(axes, each[name] / 255, title)


@register_experiment(
    "size",
    claim="The weights of a field take fewer bytes than the samples (supplement, section 8)",
    measures=dict.fromkeys(("samples", "PNG", "float32", "float16"), SIZE)
    | {f"PSNR of {name}": QUALITY for name in STORED},
    draw=draw,
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    reference = read_image("camera").samples

    def compress(options: Options) -> Outcome:
        field = fit(read_image("camera"), width=WIDTH, depth=DEPTH, **options)
        parameters = field.info.parameters
        pictures = {"float32": field.render(), "float16": in_half_precision(field).render()}
        pictures["JPEG"] = best_jpeg(reference, 2 * parameters)
        values = {"float32": 4.0 * parameters, "float16": 2.0 * parameters}
        values |= {f"PSNR of {name}": psnr_8_bit(pictures[name], reference) for name in STORED}
        return fit_outcome(field, values, **pictures, reference=reference, bytes=np.array(2 * parameters))

    def store(options: Options) -> Outcome:
        sizes = {"samples": float(reference.nbytes), "PNG": float(len(encode(reference, "PNG")))}
        return Outcome(sizes, 0.0, 0)

    return [Trial(f"sine {WIDTH} × {DEPTH}", "default", compress, BUDGET), Trial("samples", "default", store)]


def in_half_precision(field: Field) -> Field:
    """Return a copy of a field whose weights are rounded to float16."""
    rounded = copy.deepcopy(field)
    for parameter in rounded.network.parameters():
        parameter.data = parameter.data.half().to(parameter.dtype)
    return rounded


def psnr_8_bit(picture: Array, reference: Array) -> float:
    """Return the PSNR of an 8-bit picture in dB."""
    return psnr(float(np.square(picture.astype(np.float64) - reference).mean()), 255.0)


def encode(samples: Array, file_format: str, quality: int = 75) -> bytes:
    """Return the file of a grayscale picture."""
    file = io.BytesIO()
    Image.fromarray(samples).save(file, file_format, quality=quality, optimize=True)
    return file.getvalue()


def best_jpeg(samples: Array, max_bytes: int) -> Array:
    """Return a grayscale picture after compression to the best JPEG of at most `max_bytes`."""
    files = (encode(samples, "JPEG", quality) for quality in range(95, 0, -1))
    best = next((file for file in files if len(file) <= max_bytes), encode(samples, "JPEG", 1))
    return np.asarray(Image.open(io.BytesIO(best)))
