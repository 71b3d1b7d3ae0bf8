"""Two sounds by each network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sinefield.experiments.drawing import color, error_curves, named, network_of
from sinefield.experiments.experiment import (
    ERROR,
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
from sinefield.reports.figures import figure_at
from sinefield.signals import Signal, crop
from sinefield.signals.formats import read
from sinefield.tasks.fit import fit

NETWORKS = ("sine", "relu", "relu-pe")

BUDGET = Budget(small=(12, 18), steps=9000, seconds=1200)

OFFICIAL = "the official data, which https://github.com/vsitzmann/siren links to"

SOUNDS = {
    "bach": Sample(("bach.wav", "gt_bach.wav"), OFFICIAL),
    "counting": Sample(("counting.wav", "gt_counting.wav"), OFFICIAL),
}

PART = {"bach": (0.0, 1.0), "counting": (0.0, 2.0)}
"""Seconds of each in the small budget."""

DETAIL = 400
"""Samples that are drawn, from the loudest part."""


def trials(setting: Setting) -> list[Trial]:
    return [trial for name in SOUNDS for trial in _of(name, setting)]


def _of(name: str, setting: Setting) -> list[Trial]:
    signal = read(str(setting.given(SOUNDS[name])))
    if setting.small:
        signal = crop(signal, [PART[name]])

    def run(network: str, recipe: str, options: Options) -> Outcome:
        field = fit(signal, activation=network, recipe=recipe, **options)
        return outcome(field, {name: field.made["mse"]}, **_detail(field.render(), signal))

    return of_each(NETWORKS, run, BUDGET, name)


def _detail(found: np.ndarray, signal: Signal) -> dict[str, np.ndarray]:
    reference, rate = signal.samples.reshape(signal.size, -1)[:, 0], 1 / signal.header.step[0]
    span = max(float(np.abs(reference).max()), 1e-12)
    begin = int(
        np.clip(np.abs(reference.astype(np.float64)).argmax() - DETAIL // 2, 0, max(len(reference) - DETAIL, 0))
    )
    part = slice(begin, begin + DETAIL)
    fitted = found.reshape(signal.size, -1)[:, 0]
    return {
        "t": np.arange(len(reference))[part] / rate,
        "truth": (reference[part] / span).astype(np.float32),
        "fitted": (fitted[part] / span).astype(np.float32),
    }


def draw(path: Path, shown: Shown) -> None:
    with figure_at(path, (11, 6.4)) as figure:
        for row, name in zip(figure.subplots(2, 3, width_ratios=[1.6, 1, 1]), SOUNDS, strict=True):
            for trial in named(shown, "default", name):
                arrays, network = shown[trial], network_of(trial, name)
                if not row[0].lines:
                    row[0].plot(arrays["t"], arrays["truth"], color="black", linewidth=3, alpha=0.3, label="the sound")
                row[0].plot(arrays["t"], arrays["fitted"], color=color(network), linewidth=1, label=network)
            row[0].set(xlabel="seconds", title=f"{name}, where it is loudest, by our recipe")
            row[0].legend(frameon=False, ncols=2, loc="lower right")
            for axes, recipe in zip(row[1:], RECIPES, strict=True):
                error_curves(axes, shown, recipe, name, "mean squared error")


AUDIO = Experiment(
    claim="Of the networks only a SIREN reproduces sounds (table 3)",
    measures=dict.fromkeys(SOUNDS, ERROR),
    trials=trials,
    draw=draw,
    published={
        ("bach", "sine"): "1.101e-05",
        ("bach", "relu"): "2.504e-02",
        ("bach", "relu-pe"): "2.380e-02",
        ("counting", "sine"): "3.816e-04",
        ("counting", "relu"): "7.466e-03",
        ("counting", "relu-pe"): "9.078e-03",
    },
    scaled="the first second of Bach and the first two of counting, instead of 7 and 12; the paper's domain of "
    "[-100, 100] for these",
    needs=tuple(SOUNDS.values()),
)
