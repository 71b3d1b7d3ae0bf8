"""Faces, completed from a few of their pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from sinefield.experiments.experiment import (
    Array,
    Arrays,
    Budget,
    DataFile,
    Measure,
    Options,
    Outcome,
    Setting,
    Trial,
    check_complete,
    register_experiment,
)
from sinefield.priors.data import ImageDataset, random_mask, read_image_dataset
from sinefield.priors.evaluate import inpainting_errors, interpolation_errors
from sinefield.priors.fit_prior import default_config, fit_prior, split_pictures
from sinefield.priors.inpaint import inpaint
from sinefield.priors.prior import PriorConfig, header
from sinefield.reports.gallery import gallery, masked

FACES = DataFile(
    ("img_align_celeba", "faces", "celeba"),
    "a folder of faces, such as the aligned ones of CelebA: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
)
"""Folder of the pictures."""

SIZE = 32
"""Pixels along each side of a picture."""

COUNTS = (10, 100, 1000)
"""Numbers of observed pixels."""

LONG = Budget((240, 60), 200_000, 7200)
"""Duration of a trial with the convolutional encoder."""

SHORT = Budget((60, 60), 200_000, 3600)
"""Duration of a trial with the set encoder."""

EVAL_PICTURES = 200
"""Number of held-out pictures that are completed."""

DRAWN_PICTURES = 6
"""Number of pictures in the figure."""

REFINE_STEPS = 100
"""Steps of optimization of a code after the encoder."""

RENDER_SIZE = 96
"""Pixels along each side of a completed picture in the figure."""


def draw(path: Path, arrays: Arrays) -> None:
    """Save the figure of the experiment."""
    trial = arrays.get("cnn default") or next(each for each in arrays.values() if each)
    rows = [
        {
            name.removeprefix(f"{row} "): array.astype(np.float64)
            for name, array in trial.items()
            if name.startswith(f"{row} ")
        }
        for row in range(DRAWN_PICTURES)
    ]
    gallery(path, [row for row in rows if row], header(PriorConfig(SIZE)))


@register_experiment(
    "prior",
    claim="A prior over SIRENs completes faces from a few pixels (section 4.4, table 1)",
    measures={f"{count} pixels": Measure("{:.4f}", False) for count in COUNTS},
    draw=draw,
    published={
        (f"{count} pixels", network): value
        for network, values in {"cnn": (".033", ".009", ".008"), "set": (".035", ".013", ".009")}.items()
        for count, value in zip(COUNTS, values, strict=True)
    },
    scaled_down="minutes instead of days, with a SIREN of 64 units and two hidden layers after the first; the sizes of "
    "the paper, whose steps take half a minute on two cores, are only run in the budget of the paper; the published "
    "values are for CelebA",
    data=(FACES,),
    expected_best=("cnn", "set"),
    unranked=("1000 pixels",),
)
def trials(setting: Setting) -> list[Trial]:
    """Return the trials of the experiment."""
    dataset = read_image_dataset(setting.path(FACES), SIZE, grays=True)
    holdout = 1000 / len(dataset) if len(dataset) > 2000 else 0.2
    indices = split_pictures(len(dataset), holdout, setting.seed)[1][:EVAL_PICTURES]

    def mean_errors(errors: Callable[[int], Array]) -> dict[str, float]:
        return {f"{count} pixels": float(errors(count).mean()) for count in COUNTS}

    def learn(encoder: str, recipe: str, options: Options) -> Outcome:
        config = default_config(SIZE, dataset.channels, recipe, encoder=encoder)
        prior = fit_prior(dataset, config, holdout=holdout, **options)
        check_complete(prior.info)
        settings = {"refine": REFINE_STEPS, "seed": setting.seed}
        values = mean_errors(lambda count: inpainting_errors(prior, dataset, indices, count, **settings))
        arrays = _completed(
            dataset,
            indices[:DRAWN_PICTURES],
            lambda picture, observed: inpaint(prior, picture, observed, refine=REFINE_STEPS).render(RENDER_SIZE),
        )
        return Outcome(values, prior.info.seconds, prior.info.steps, arrays)

    def interpolate(method: str, options: Options) -> Outcome:
        values = mean_errors(lambda count: interpolation_errors(method, dataset, indices, count, seed=setting.seed))
        return Outcome(values, 0.0, 0)

    trials = [
        Trial("cnn", "default", partial(learn, "cnn", "default"), LONG),
        Trial("set", "default", partial(learn, "set", "default"), SHORT),
        Trial("cnn", "paper", partial(learn, "cnn", "paper"), LONG),
        Trial("nearest", "default", partial(interpolate, "nearest")),
        Trial("thin plates", "default", partial(interpolate, "rbf")),
    ]
    return [trial for trial in trials if not (setting.small and trial.recipe == "paper")]


def _completed(dataset: ImageDataset, indices: Array, complete: Callable[..., Array]) -> dict[str, Array]:
    """Return the observed pixels, the completed pictures and the references, as colors in [0, 1].

    Names start with the row in the figure and end with the title.
    """
    arrays = {}
    for row, index in enumerate(indices):
        picture = dataset.signal(int(index))
        reference = picture.values.squeeze()
        for count in COUNTS[:2]:
            observed = random_mask(dataset.size, count, int(index))
            arrays[f"{row} {count} pixels"] = masked(reference, observed, picture.header)
            arrays[f"{row} Completed from {count}"] = complete(picture, observed) / 255
        arrays[f"{row} Reference"] = reference / 255
    return arrays
