"""What TensorBoard shows while a prior is learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from sinefield.errors import InputError
from sinefield.priors.data import ImageDataset, random_mask
from sinefield.priors.fit_prior import Log, unseen
from sinefield.priors.inpaint import inpaint
from sinefield.priors.prior import Prior
from sinefield.reports.folder import prepare

SHOWN, SEEN = 8, 100
"""Pictures in a grid, and pixels that are seen of each."""


@contextmanager
def board(folder: Path, dataset: ImageDataset) -> Iterator[Log]:
    """Scalars, and for some pictures that are held out three rows: what is seen, what is made of it, what they are.

    Raises:
        InputError: TensorBoard is not installed, or the folder cannot be made.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("this needs TensorBoard: pip install 'sinefield[tensorboard]'") from error
    prepare(folder)
    writer = SummaryWriter(str(folder))

    def log(prior: Prior, step: int, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name.replace(" ", "_"), value, step)
        columns = []
        for index in unseen(prior, dataset)[:SHOWN]:
            picture, seen = (
                dataset.signal(int(index)),
                random_mask(dataset.size, min(SEEN, dataset.size**2), int(index)),
            )
            made = inpaint(prior, picture, seen).render().reshape(picture.values.shape)
            columns.append(np.concatenate([picture.values * seen[..., None], made, picture.values]))
        shown = torch.from_numpy(np.concatenate(columns, axis=1)).permute(2, 0, 1)
        writer.add_image("held_out", shown.expand(3, -1, -1), step)

    try:
        yield log
    finally:
        writer.close()
