"""A picture from derivatives: the reconstruction or the blend beside what it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinefield.field.field import Field
from sinefield.reports import figures
from sinefield.reports.folder import prepare
from sinefield.signals import Signal, estimate_gradient, estimate_laplacian, weighted_sum, write_image


def poisson_report(folder: Path, field: Field, signal: Signal) -> dict[str, str]:
    """Write the picture made from derivatives, and a sheet of picture, gradient and Laplacian beside the truth."""
    prepare(folder)
    channels = signal.header.out_dim
    slopes = estimate_gradient(signal).values.reshape(*signal.header.shape, channels, -1)
    reference = [signal.samples, slopes, estimate_laplacian(signal).values]
    found = [field.render(quantity=layer) for layer in ("value", "gradient", "laplacian")]
    files = {"render": folder / "render.png", "sheet": folder / "sheet.png"}
    write_image(files["render"], found[0], signal.header)
    figures.reconstruction(files["sheet"], signal.header, reference, found, field.made)
    return {name: str(path) for name, path in files.items()}


def blend_report(
    folder: Path, field: Field, one: Signal, other: Signal, mask: NDArray[np.bool_] | None
) -> dict[str, str]:
    """Write a blend of two pictures, and a sheet of it beside them with the gradient that it follows."""
    prepare(folder)
    wanted = estimate_gradient(weighted_sum(one, other, field.made["share"]), "central").values
    wanted = wanted if mask is None else np.where(mask[..., None], wanted, estimate_gradient(other, "central").values)
    files = {"render": folder / "render.png", "sheet": folder / "sheet.png"}
    found = [field.render(quantity=layer) for layer in ("value", "gradient")]
    write_image(files["render"], found[0], other.header)
    figures.blending(files["sheet"], other.header, (one.samples, other.samples), mask, wanted, found, field.made)
    return {name: str(path) for name, path in files.items()}
