"""Faces from a few of their pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from sinefield.experiments.experiment import (
    Array,
    Budget,
    Experiment,
    Measure,
    Options,
    Outcome,
    Sample,
    Setting,
    Shown,
    Trial,
)
from sinefield.priors.data import ImageDataset, random_mask, read_image_dataset
from sinefield.priors.evaluate import errors, interpolation_errors
from sinefield.priors.fit_prior import default_config, fit_prior, parted
from sinefield.priors.inpaint import inpaint
from sinefield.priors.prior import PriorConfig, header
from sinefield.reports.gallery import gallery, masked

FACES = Sample(
    ("img_align_celeba", "faces", "celeba"),
    "a folder of faces: CelebA's aligned ones, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, or any other",
)

SIZE, COUNTS = 32, (10, 100, 1000)
"""Pixels along each side, and how many of them are seen."""

LONG, SHORT = Budget((240, 60), 200_000, 7200), Budget((60, 60), 200_000, 3600)

JUDGED, SHOWN, REFINE = 200, 6, 100
"""Pictures by which all are judged, and that are drawn; steps by which a code is refined."""


def trials(setting: Setting) -> list[Trial]:
    dataset = read_image_dataset(setting.given(FACES), SIZE, grays=True)
    share = 1000 / len(dataset) if len(dataset) > 2000 else 0.2
    held = parted(len(dataset), share, setting.seed)[1][:JUDGED]

    def of(evaluate: Callable[[int], Array]) -> dict[str, float]:
        return {f"{count} pixels": float(evaluate(count).mean()) for count in COUNTS}

    def learned(encoder: str, recipe: str, options: Options) -> Outcome:
        prior = fit_prior(
            dataset, default_config(SIZE, dataset.channels, recipe, encoder=encoder), holdout=share, **options
        )
        made = prior.made
        if made["stopped"] == "interrupted":
            raise KeyboardInterrupt
        figures = of(lambda count: errors(prior, dataset, held, count, refine=REFINE, seed=setting.seed))
        shown = _rows(
            dataset, held[:SHOWN], lambda picture, seen: inpaint(prior, picture, seen, refine=REFINE).render(96)
        )
        return Outcome(figures, made["seconds"], made["steps"], shown)

    def interpolated(method: str, options: Options) -> Outcome:
        figures = of(lambda count: interpolation_errors(method, dataset, held, count, seed=setting.seed))
        return Outcome(figures, 0.0, 0)

    trials = [
        Trial("cnn", "default", partial(learned, "cnn", "default"), LONG),
        Trial("set", "default", partial(learned, "set", "default"), SHORT),
        Trial("cnn", "paper", partial(learned, "cnn", "paper"), LONG),
        Trial("nearest", "default", partial(interpolated, "nearest")),
        Trial("thin plates", "default", partial(interpolated, "rbf")),
    ]
    return [trial for trial in trials if not (setting.small and trial.recipe == "paper")]


def _rows(dataset: ImageDataset, indices: Array, complete: Callable[..., Array]) -> dict[str, Array]:
    """What is seen of some pictures, what was made of it, and these: as colours in [0, 1]."""
    shown = {}
    for row, index in enumerate(indices):
        picture = dataset.signal(int(index))
        reference = picture.values.squeeze()
        for count in COUNTS[:2]:
            seen = random_mask(dataset.size, count, int(index))
            shown[f"{row} {count} pixels"] = masked(reference, seen, picture.header)
            shown[f"{row} of {count}"] = complete(picture, seen) / 255
        shown[f"{row} the face"] = reference / 255
    return shown


def draw(path: Path, shown: Shown) -> None:
    arrays = shown.get("cnn default") or next(each for each in shown.values() if each)
    rows = [
        {
            name.split(" ", 1)[1]: array.astype(np.float64)
            for name, array in arrays.items()
            if name.startswith(f"{row} ")
        }
        for row in range(SHOWN)
    ]
    gallery(path, [row for row in rows if row], header(PriorConfig(SIZE)))


PRIOR = Experiment(
    claim="A space of SIRENs completes faces from a few pixels (section 4.4, table 1)",
    measures={f"{count} pixels": Measure("{:.4f}", False) for count in COUNTS},
    trials=trials,
    draw=draw,
    published={
        (f"{count} pixels", network): figure
        for network, figures in {"cnn": (".033", ".009", ".008"), "set": (".035", ".013", ".009")}.items()
        for count, figure in zip(COUNTS, figures, strict=True)
    },
    scaled="minutes instead of days, with a SIREN of 64 × 2; the paper's sizes, of which a step takes half a minute on "
    "two cores, are left to the other budget; the paper's figures are of CelebA",
    needs=(FACES,),
    ours=("cnn", "set"),
    unclaimed=("1000 pixels",),
)
