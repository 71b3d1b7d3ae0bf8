"""Two sounds, fitted by each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import draw_loss_curves, network_of, trials_of
from sinefield.experiments.experiment import (
    MSE,
    RECIPES,
    Array,
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
from sinefield.reports.figures import network_style, saved_figure
from sinefield.signals import Signal, crop, read
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe")
"""Networks of the experiment."""

BUDGET = Budget(small=(12, 18), steps=9000, seconds=1200)
"""Duration of each trial."""

SOURCE = "the official data, linked at https://github.com/vsitzmann/siren"
"""Where the sounds can be downloaded."""

SOUNDS = {
    "bach": DataFile(("bach.wav", "gt_bach.wav"), SOURCE),
    "counting": DataFile(("counting.wav", "gt_counting.wav"), SOURCE),
}
"""The sounds by name."""

PARTS = {"bach": (0.0, 1.0), "counting": (0.0, 2.0)}
"""Part of each sound that is fitted in the small budget, in seconds."""

DETAIL_SAMPLES = 400
"""Number of samples of the detail, around the loudest sample."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    with saved_figure(path, (11, 6.4)) as figure:
        for row, name in zip(figure.subplots(2, 3, width_ratios=[1.6, 1, 1]), SOUNDS, strict=True):
            for index, trial in enumerate(trials_of(arrays, "default", name)):
                each, network = arrays[trial], network_of(trial, name)
                if index == 0:
                    row[0].plot(each["t"], each["reference"], "-", color="0.75", linewidth=4, label="Reference")
                row[0].plot(each["t"], each["field"], **network_style(network), linewidth=1, label=network)
            row[0].set(xlabel="Time (s)", ylabel="Amplitude", title=f"Loudest part of {name}, default recipe")
            row[0].margins(y=0.25)  # room for the legend
            row[0].legend(frameon=False, ncols=4, loc="lower center", fontsize=8)
            for axes, recipe in zip(row[1:], RECIPES, strict=True):
                draw_loss_curves(axes, arrays, recipe, name, "Mean squared error")


@register_experiment(
    "audio",
    claim="Of the networks, only SIREN reproduces sounds (table 3)",
    measures=dict.fromkeys(SOUNDS, MSE),
    draw=draw,
    published={
        ("bach", "sine"): "1.101e-05",
        ("bach", "relu"): "2.504e-02",
        ("bach", "relu-pe"): "2.380e-02",
        ("counting", "sine"): "3.816e-04",
        ("counting", "relu"): "7.466e-03",
        ("counting", "relu-pe"): "9.078e-03",
    },
    scaled_down="the first second of Bach and the first two of counting instead of 7 and 12 seconds, which the recipe "
    "of the paper maps to [-100, 100]",
    data=tuple(SOUNDS.values()),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    return [trial for name in SOUNDS for trial in _trials(name, setting)]


def _trials(name: str, setting: Setting) -> list[Trial]:
    signal = read(str(setting.path(SOUNDS[name])))
    if setting.small:
        signal = crop(signal, [PARTS[name]])

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        return fit_outcome(field, {name: field.info.quality["mse"]}, **_detail(field.render(), signal))

    return trial_grid(NETWORKS, run, BUDGET, name)


def _detail(rendered: Array, signal: Signal) -> dict[str, Array]:
    """Return the loudest part of a sound and of its field, relative to the largest amplitude."""
    reference, rate = signal.samples.reshape(signal.size, -1)[:, 0], 1 / signal.header.step[0]
    peak = max(float(np.abs(reference).max()), 1e-12)
    loudest = np.abs(reference.astype(np.float64)).argmax()
    first = int(np.clip(loudest - DETAIL_SAMPLES // 2, 0, max(len(reference) - DETAIL_SAMPLES, 0)))
    part = slice(first, first + DETAIL_SAMPLES)
    return {
        "t": np.arange(len(reference))[part] / rate,
        "reference": (reference[part] / peak).astype(np.float32),
        "field": (rendered.reshape(signal.size, -1)[part, 0] / peak).astype(np.float32),
    }
