"""Reports of pictures that were reconstructed or blended from derivatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.files import make_folder
from sinefield.reports import figures
from sinefield.signals import Signal, estimate_gradient, estimate_laplacian, weighted_sum, write_image


def poisson_report(folder: Path, field: Field, signal: Signal) -> dict[str, str]:
    """Write the reconstructed picture, and a figure of values, gradient and Laplacian beside those of the reference.

    Args:
        folder: Folder for the files, which is created if necessary.
        field: Field that was made by `sinefield.reconstruct`.
        signal: The picture.

    Returns:
        Paths of the files by what they show.
    """
    files = _files(folder)
    channels = signal.header.out_dim
    gradient = estimate_gradient(signal).values.reshape(*signal.header.shape, channels, -1)
    reference = [signal.samples, gradient, estimate_laplacian(signal).values]
    rendered = [field.render(quantity=quantity) for quantity in ("value", "gradient", "laplacian")]
    write_image(files["render"], rendered[0], signal.header)
    figures.reconstruction(files["sheet"], signal.header, reference, rendered, field.info)
    return {name: str(path) for name, path in files.items()}


def blend_report(
    folder: Path, field: Field, one: Signal, other: Signal, mask: NDArray[np.bool_] | None
) -> dict[str, str]:
    """Write the blend of two pictures, and a figure of it beside them, with its gradient and the target gradient.

    Args:
        folder: Folder for the files, which is created if necessary.
        field: Field that was made by `sinefield.blend`.
        one, other, mask: The pictures and the mask that it was made from.

    Returns:
        Paths of the files by what they show.
    """
    files = _files(folder)
    target = estimate_gradient(weighted_sum(one, other, field.info.settings["share"]), "central").values
    if mask is not None:
        target = np.where(mask[..., None], target, estimate_gradient(other, "central").values)
    rendered = [field.render(quantity=quantity) for quantity in ("value", "gradient")]
    write_image(files["render"], rendered[0], other.header)
    pair = (one.samples, other.samples)
    figures.blending(files["sheet"], other.header, pair, mask, target, rendered, field.info)
    return {name: str(path) for name, path in files.items()}


def _files(folder: Path) -> dict[str, Path]:
    make_folder(folder)
    return {"render": folder / "render.png", "sheet": folder / "sheet.png"}
