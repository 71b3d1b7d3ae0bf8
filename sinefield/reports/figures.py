"""Figures that explain themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from sinefield.field.grayscale import limit, magnitude, signed
from sinefield.files import atomic
from sinefield.metrics import psnr
from sinefield.signals import Header

Array = NDArray[Any]

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 150,
}


def as_colors(samples: Array, header: Header) -> Array:
    """Samples (height, width[, c]) of a picture as greys or RGB(A) in [0, 1], for a figure."""
    low, high = min(header.low), max(header.high)
    shown = np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1)
    if header.channels == tuple("CMYK"):
        return (1 - shown[..., :3]) * (1 - shown[..., 3:])
    if header.channels == ("L", "A"):
        return shown[..., [0, 0, 0, 1]]
    return shown if shown.ndim == 2 or shown.shape[-1] in (3, 4) else shown[..., :3].mean(-1)


def contact_sheet(
    path: Path,
    header: Header,
    reference: Array,
    fitted: Array,
    gradient: Array,
    laplacian: Array,
    detail: tuple[Array, Array, float],
    made: Mapping[str, Any],
) -> None:
    """Truth, fit, error, training curve, derivatives and an enlarged detail on one page.

    Args:
        truth, fitted: the samples and the field at the same places.
        gradient, laplacian: of the field, there as well.
        detail: a part of the samples, the same part of the field on a finer grid, and how much finer that is.
    """
    pixels, enlarged, scale = detail
    height, width = reference.shape[:2]
    quality = f"{made['psnr_db']:.1f} dB" if made["psnr_db"] is not None else "exact"
    slope, curvature = magnitude(gradient), signed(laplacian)
    with figure_at(path, (14, 7)) as figure:
        (one, two, three, four), (five, six, seven, eight) = figure.subplots(2, 4)
        picture_at(one, as_colors(reference, header), f"the picture, {width} × {height} pixels")
        picture_at(two, as_colors(fitted, header), f"the field: {quality}, {made['parameters']:,} parameters")
        error_map(three, header, reference, fitted)
        training_curve(four, made["history"])
        scaled_at(five, slope, "its exact gradient, |∇Φ| per px", "magma", 0, limit(slope))
        scaled_at(six, curvature, "its exact Laplacian, ΔΦ per px²", "RdBu_r", -limit(curvature), limit(curvature))
        picture_at(seven, as_colors(pixels, header), "a detail of the picture")
        picture_at(eight, as_colors(enlarged, header), f"the field there, sampled {scale:g}× as finely")


def save_training_curve(path: Path, made: Mapping[str, Any]) -> None:
    """The PSNR against time, by itself."""
    with figure_at(path, (6.4, 3.6)) as figure:
        training_curve(figure.subplots(), made["history"])


def save_error_map(path: Path, header: Header, reference: Array, fitted: Array) -> None:
    """The absolute error with its scale, by itself."""
    with figure_at(path, (5.6, 4.6)) as figure:
        error_map(figure.subplots(), header, reference, fitted)


def training_curve(axes: Axes, history: Sequence[Sequence[float]]) -> None:
    """PSNR against seconds, from (step, seconds, mse)."""
    seconds = [entry[1] for entry in history]
    axes.plot(seconds, [psnr(entry[2]) for entry in history], marker="." if len(history) < 30 else "", color="tab:blue")
    axes.set(xlabel="seconds", ylabel="PSNR in dB", title="how the fit went")
    axes.grid(alpha=0.3)


def error_map(axes: Axes, header: Header, reference: Array, fitted: Array) -> None:
    """|fit - truth|, the largest over the channels, in percent of the value range."""
    span = 2 * header.half_range.max() / 100
    error = np.abs(fitted.astype(np.float64) - reference.astype(np.float64)) / span
    error = error if error.ndim == 2 else error.max(-1)
    scaled_at(axes, error, "error, in % of the value range", "inferno", 0, limit(error))


def reconstruction(
    path: Path, header: Header, reference: Sequence[Array], found: Sequence[Array], made: Mapping[str, Any]
) -> None:
    """Picture, gradient and Laplacian: what was given above, the field that was made from one of them below.

    Args:
        truth: the samples, their estimated gradient and their estimated Laplacian.
        found: the same of the field, exactly.
        made: says from which of them, and how close the field came.
    """
    slopes, curvatures = (magnitude(reference[1]), magnitude(found[1])), (signed(reference[2]), signed(found[2]))
    qualities = [made["psnr_db"], made.get("gradient_psnr_db"), made.get("laplacian_psnr_db")]
    said = [f", {quality:.1f} dB" if quality is not None else "" for quality in qualities]
    with figure_at(path, (11, 7)) as figure:
        axes = figure.subplots(2, 3)
        for row, (samples, slope, curvature) in enumerate(
            zip((reference[0], found[0]), slopes, curvatures, strict=True)
        ):
            what = (
                ("the picture", "its gradient, |∇Φ| per px", "its Laplacian, ΔΦ per px²")
                if row == 0
                else (
                    f"the field from the {made['from']}{said[0]}",
                    f"its exact gradient{said[1]}",
                    f"its exact Laplacian{said[2]}",
                )
            )
            picture_at(axes[row, 0], as_colors(samples, header), what[0])
            scaled_at(axes[row, 1], slope, what[1], "magma", 0, limit(slopes[0]))
            scaled_at(axes[row, 2], curvature, what[2], "RdBu_r", -limit(curvatures[0]), limit(curvatures[0]))


def blending(
    path: Path,
    header: Header,
    pair: Sequence[Array],
    mask: Array | None,
    wanted: Array,
    found: Sequence[Array],
    made: Mapping[str, Any],
) -> None:
    """Two pictures and their blend; below, the gradient that it was to have, the one that it has, and what differs.

    Args:
        pair: the samples of both.
        mask: where the first was cloned into the second; its edge is drawn.
        wanted: the gradient (height, width, c · d).
        found: the blend's samples, and its exact gradient.
        made: says their names, and how close the gradient came.
    """
    slope, exact = magnitude(wanted), magnitude(found[1])
    off = magnitude(wanted - found[1].reshape(wanted.shape))
    names = made["from"]
    with figure_at(path, (11, 7)) as figure:
        (one, two, three), (four, five, six) = figure.subplots(2, 3)
        picture_at(one, as_colors(pair[0], header), f"A, {names[0]}")
        picture_at(two, as_colors(pair[1], header), f"B, {names[1]}")
        if mask is not None:
            for axes in (one, two):
                axes.contour(mask, levels=[0.5], colors="tab:orange", linewidths=1)
        how = "the blend" if mask is None else "A cloned into B"
        picture_at(three, as_colors(found[0], header), how)
        scaled_at(four, slope, "the gradient it was to have, per px", "magma", 0, limit(slope))
        scaled_at(five, exact, f"its exact gradient, {made['gradient_psnr_db']:.1f} dB", "magma", 0, limit(slope))
        scaled_at(six, off, "what differs, on the same scale", "magma", 0, limit(slope))


def comparison(path: Path, header: Header, reference: Array, results: Mapping[str, Mapping[str, Any]]) -> None:
    """One column for each activation: picture, gradient and Laplacian; below them PSNR against steps.

    Args:
        results: for each activation its `value`, `gradient`, `laplacian` and `made`; a row is drawn on one scale.
    """
    best = max(results.values(), key=lambda result: result["made"]["psnr_db"] or np.inf)
    steepest, curviest = limit(magnitude(best["gradient"])), limit(signed(best["laplacian"]))
    columns = len(results)
    with figure_at(path, (max(2.1 * columns + 0.8, 7), 11)) as figure:
        top, bottom = cast(Any, figure.subfigures(2, 1, height_ratios=[6.8, 4.2]))
        values, slopes, curvatures = top.subplots(3, columns, squeeze=False)
        for index, (name, result) in enumerate(results.items()):
            quality = result["made"]["psnr_db"]
            title = f"{name}, {quality:.1f} dB" if quality else name
            picture_at(values[index], as_colors(result["value"], header), title)
            slope = shown_at(slopes[index], magnitude(result["gradient"]), "magma", 0, steepest)
            curvature = shown_at(curvatures[index], signed(result["laplacian"]), "RdBu_r", -curviest, curviest)
        room = top.colorbar(slope, ax=list(values), label=" ", aspect=12, pad=0.01).ax
        room.clear()  # pictures have no scale, but stand above what has one
        room.axis("off")
        top.colorbar(slope, ax=list(slopes), label="gradient, |∇Φ| per px", aspect=12, pad=0.01)
        top.colorbar(curvature, ax=list(curvatures), label="Laplacian, ΔΦ per px²", aspect=12, pad=0.01)
        axes = bottom.subplots()
        histories = {name: result["made"]["history"] for name, result in results.items()}
        for index, (name, history) in enumerate(histories.items()):
            steps, quality = [entry[0] for entry in history], [psnr(entry[2]) for entry in history]
            axes.plot(steps, quality, color=f"C{index}", linewidth=2.5 if name == "sine" else 1.2)
        below = -np.inf
        for name, history in sorted(histories.items(), key=lambda entry: psnr(entry[1][-1][2])):
            # names beside the ends of their lines, and never on one another
            below = max(psnr(history[-1][2]), below + 0.05 * np.ptp(axes.get_ylim()))
            axes.annotate(
                name,
                (history[-1][0], below),
                (6, -3),
                textcoords="offset points",
                color=f"C{list(results).index(name)}",
            )
        axes.set(
            xlabel="steps",
            ylabel="PSNR in dB",
            title=f"how the fits of {reference.shape[1]} × {reference.shape[0]} pixels went",
        )
        axes.grid(alpha=0.3)


@contextmanager
def figure_at(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure that is drawn without a display and saved when the block ends."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        with atomic(path) as temporary:
            figure.savefig(temporary)


def picture_at(axes: Axes, shown: Array, title: str) -> None:
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect=_aspect(shown))
    axes.set_title(title)
    axes.axis("off")


def scaled_at(axes: Axes, shown: Array, title: str, colors: str, low: float, high: float) -> None:
    drawn = shown_at(axes, shown, colors, low, high)
    axes.set_title(title)
    axes.figure.colorbar(drawn, ax=axes, fraction=0.046, pad=0.02)


def shown_at(axes: Axes, shown: Array, colors: str, low: float, high: float) -> AxesImage:
    axes.axis("off")
    return axes.imshow(shown, cmap=colors, vmin=low, vmax=high or 1, interpolation="nearest", aspect=_aspect(shown))


def _aspect(shown: Array) -> Literal["equal", "auto"]:
    """True proportions, unless a picture is so long that nothing would be seen of it."""
    height, width = shown.shape[:2]
    return "equal" if max(height, width) <= 10 * min(height, width) else "auto"
