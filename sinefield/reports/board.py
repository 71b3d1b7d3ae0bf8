"""The training of a prior in TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from sinefield.extras import extra
from sinefield.files import make_folder
from sinefield.priors.data import ImageDataset, random_mask
from sinefield.priors.fit_prior import Log, held_out
from sinefield.priors.inpaint import inpaint
from sinefield.priors.prior import Prior

PICTURES = 8
"""Number of held-out pictures in the grid."""

OBSERVED = 100
"""Number of random pixels from which each of them is completed."""


@contextmanager
def board(folder: Path, dataset: ImageDataset) -> Iterator[Log]:
    """Context manager for a function that logs a prior to TensorBoard.

    It logs scalars, and a grid of held-out pictures in three rows: the observed pixels, the completed picture and the
    reference.

    Args:
        folder: Folder of the log, which is created if necessary.
        dataset: Pictures that the prior is trained on, with those that are held out.

    Raises:
        InputError: TensorBoard is not installed, or the folder cannot be created.
    """
    with extra("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter
    writer = SummaryWriter(str(make_folder(folder)))

    def log(prior: Prior, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name.replace(" ", "_"), value, step)
        columns = []
        for index in held_out(prior, dataset)[:PICTURES]:
            picture = dataset.signal(int(index))
            mask = random_mask(dataset.size, min(OBSERVED, dataset.size**2), int(index))
            completed = inpaint(prior, picture, mask).render().reshape(picture.values.shape)
            columns.append(np.concatenate([picture.values * mask[..., None], completed, picture.values]))
        grid = torch.from_numpy(np.concatenate(columns, axis=1)).permute(2, 0, 1)
        writer.add_image("held_out", grid.expand(3, -1, -1), step)

    try:
        yield log
    finally:
        writer.close()
