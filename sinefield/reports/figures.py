"""Figures of fields, drawn with Matplotlib; the only module that imports it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sinefield.extras import extra
from sinefield.field.grayscale import channel_mean, gradient_magnitude, robust_limit
from sinefield.field.info import FitInfo, History
from sinefield.files import atomic
from sinefield.metrics import psnr
from sinefield.signals import Header

with extra("plot"):
    import matplotlib
    from cycler import cycler
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Array = NDArray[Any]
"""Array of any shape and type."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Colors of lines, which readers with color vision deficiency can tell apart.

Source: Okabe and Ito, "Color Universal Design", 2008, without yellow.
"""

LINE_STYLES = ("-", "--", ":")
"""Styles of lines; the next one is used after all colors."""

NETWORKS = ("sine", "relu", "relu-pe", "tanh", "rbf", "softplus", "gaussian", "finer", "wire")
"""Names of networks in the order of their line styles; others are dotted and black."""

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(linestyle=LINE_STYLES) * cycler(color=COLORS),
    "figure.dpi": 150,
}
"""Parameters of Matplotlib for all figures."""

PADDING = 0.08
"""Space around each part of a figure in inches."""

MAX_ASPECT = 10
"""Ratio of the sides of a picture above which it is stretched."""

MAX_MARKERS = 30
"""Number of points of a curve up to which they are marked."""


@contextmanager
def saved_figure(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """Yield a new figure, and save it when the block ends; no display is needed.

    Args:
        path: Path of the file; its suffix names the format.
        size: Width and height in inches.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        cast(Any, figure.get_layout_engine()).set(w_pad=PADDING, h_pad=PADDING)
        yield figure
        with atomic(path) as temporary:
            figure.savefig(temporary)


def stacked(figure: Figure, heights: Sequence[float] = (1, 1)) -> tuple[Any, Any]:
    """Return the upper and the lower part of a figure, with relative heights."""
    upper, lower = cast(Any, figure).subfigures(2, 1, height_ratios=heights)
    return upper, lower


def line_style(index: int) -> dict[str, Any]:
    """Return the color and the style of the line with an index."""
    style = LINE_STYLES[index // len(COLORS) % len(LINE_STYLES)]
    return {"color": COLORS[index % len(COLORS)], "linestyle": style}


def network_style(network: str) -> dict[str, Any]:
    """Return the color and the style of the line of a network, which are the same in all figures."""
    return line_style(NETWORKS.index(network)) if network in NETWORKS else {"color": "black", "linestyle": ":"}


def as_colors(samples: Array, header: Header) -> Array:
    """Return the samples (height, width[, c]) of a picture as gray, RGB or RGBA values in [0, 1]."""
    low, high = min(header.low), max(header.high)
    colors = np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1)
    if header.channels == tuple("CMYK"):
        return (1 - colors[..., :3]) * (1 - colors[..., 3:])
    if header.channels == ("L", "A"):
        return colors[..., [0, 0, 0, 1]]
    return colors if colors.ndim == 2 or colors.shape[-1] in (3, 4) else colors[..., :3].mean(-1)


def colormap(values: Array, name: str, limit: float) -> NDArray[np.uint8]:
    """Return values from -limit to limit as 8-bit RGB colors of a color map of Matplotlib."""
    colors = matplotlib.colormaps[name](0.5 + values / (2 * limit or 1), bytes=True)
    return np.asarray(colors, dtype=np.uint8)[..., :3]


def decibels(value: float | None) -> str:
    """Return a PSNR with its unit; "exact" if it is infinite, which field files store as None."""
    return "exact" if value is None or math.isinf(value) else f"{value:.1f} dB"


def quantity_label(name: str, unit: str) -> str:
    """Return the label of an axis: a name with its unit, if it has one."""
    return f"{name} ({unit})" if unit else name


def draw_picture(axes: Axes, picture: Array, title: str) -> None:
    """Draw a picture with values in [0, 1]."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect=_aspect(picture))
    axes.set_title(title)
    axes.axis("off")


def draw_map(axes: Axes, values: Array, colors: str, low: float, high: float) -> AxesImage:
    """Draw values on a grid without axes, and return the image, from which a color bar can be made."""
    axes.axis("off")
    return axes.imshow(values, cmap=colors, vmin=low, vmax=high or 1, interpolation="nearest", aspect=_aspect(values))


def draw_scaled_map(axes: Axes, values: Array, title: str, colors: str, low: float, high: float) -> None:
    """Draw values on a grid with a title and a color bar."""
    image = draw_map(axes, values, colors, low, high)
    axes.set_title(title)
    draw_color_bar(axes, image)


def draw_color_bar(axes: Axes, image: Any, label: str = "") -> None:
    """Draw the color bar of an image beside it, as high as the image."""
    axes.figure.colorbar(image, cax=axes.inset_axes((1.02, 0.0, 0.04, 1.0)), label=label)


def draw_gradient(axes: Axes, magnitude: Array, title: str, limit: float | None = None) -> None:
    """Draw the magnitude of a gradient, by default up to its own limit."""
    draw_scaled_map(axes, magnitude, title, "magma", 0, robust_limit(magnitude) if limit is None else limit)


def draw_signed(axes: Axes, values: Array, title: str, limit: float | None = None) -> None:
    """Draw values of both signs: negative ones blue, zero white, positive ones red."""
    limit = robust_limit(values) if limit is None else limit
    draw_scaled_map(axes, values, title, "RdBu_r", -limit, limit)


def draw_error(axes: Axes, header: Header, reference: Array, fitted: Array) -> None:
    """Draw the largest absolute error over the channels, in % of the range of values."""
    percent = 2 * header.half_range.max() / 100
    error = np.abs(fitted.astype(np.float64) - reference.astype(np.float64)) / percent
    error = error if error.ndim == 2 else error.max(-1)
    draw_scaled_map(axes, error, "Error (% of range)", "inferno", 0, robust_limit(error))


def draw_row_color_bars(figure: Any, rows: Iterable[Any], images: Sequence[Any], labels: Sequence[str]) -> None:
    """Draw a color bar beside each row of axes; a row without an image gets an empty space of the same width."""
    for row, image, label in zip(rows, images, labels, strict=True):
        shown = next(each for each in images if each is not None) if image is None else image
        bar = figure.colorbar(shown, ax=list(row), label=label or " ", aspect=12, pad=0.01)
        if image is None:
            bar.ax.clear()
            bar.ax.axis("off")


def set_time_axis(axes: Axes) -> None:
    """Label the horizontal axis of training curves, which starts at 0, and draw a grid."""
    axes.set(xlabel="Time (s)", xlim=(0, 1.05 * axes.dataLim.x1 if axes.lines and axes.dataLim.x1 > 0 else 1))
    axes.grid(alpha=0.3)


def draw_psnr_curve(axes: Axes, history: Sequence[Sequence[float]]) -> None:
    """Draw the PSNR during a training against time."""
    _draw_curve(axes, history, [psnr(error) for _, _, error in history])
    axes.set(ylabel="PSNR (dB)", title="Training curve")


def draw_loss_curve(
    axes: Axes, history: Sequence[Sequence[float]], label: str = "Loss", title: str = "Training curve"
) -> None:
    """Draw the loss during a training against time, on a logarithmic scale."""
    _draw_curve(axes, history, [error for _, _, error in history])
    axes.set(ylabel=label, title=title, yscale="log")


def save_psnr_curve(path: Path, info: FitInfo) -> None:
    """Save a figure of the PSNR during a training against time."""
    with saved_figure(path, (6.4, 3.6)) as figure:
        draw_psnr_curve(figure.subplots(), info.history)


def save_error(path: Path, header: Header, reference: Array, fitted: Array) -> None:
    """Save a figure of the absolute error."""
    with saved_figure(path, (5.6, 4.6)) as figure:
        draw_error(figure.subplots(), header, reference, fitted)


def contact_sheet(
    path: Path,
    header: Header,
    reference: Array,
    fitted: Array,
    gradient: Array,
    laplacian: Array,
    detail: tuple[Array, Array, float],
    info: FitInfo,
) -> None:
    """Save a figure of a picture and its field: values, error, training curve, derivatives and a detail.

    Args:
        path: Path of the figure.
        header: Header of the picture.
        reference, fitted: Samples of the picture and of the field.
        gradient, laplacian: Derivatives of the field at the samples.
        detail: A part of the picture, the same part of the field on a finer grid, and the ratio of the two grids.
        info: How the field was made.
    """
    pixels, enlarged, scale = detail
    height, width = reference.shape[:2]
    fitted_title = f"Field, {decibels(info.quality['psnr_db'])}, {info.parameters:,} parameters"
    with saved_figure(path, (14, 7 * min(max(height / width, 0.8), 1.25))) as figure:
        top, bottom = figure.subplots(2, 4)
        draw_picture(top[0], as_colors(reference, header), f"Reference, {width} × {height} px")
        draw_picture(top[1], as_colors(fitted, header), fitted_title)
        draw_error(top[2], header, reference, fitted)
        draw_psnr_curve(top[3], info.history)
        draw_gradient(bottom[0], gradient_magnitude(gradient), "Gradient magnitude (1/px)")
        draw_signed(bottom[1], channel_mean(laplacian), "Laplacian (1/px²)")
        draw_picture(bottom[2], as_colors(pixels, header), "Detail of the reference")
        draw_picture(bottom[3], as_colors(enlarged, header), f"Detail of the field at {scale:g}× resolution")


def reconstruction(
    path: Path, header: Header, reference: Sequence[Array], field: Sequence[Array], info: FitInfo
) -> None:
    """Save a figure of a picture, its gradient and its Laplacian above those of a field reconstructed from one of them.

    Args:
        path: Path of the figure.
        header: Header of the picture.
        reference: Samples of the picture, and estimates of their gradient and Laplacian.
        field: Values, gradient and Laplacian of the field.
        info: How the field was made.
    """
    measured = [info.quality.get(f"{prefix}psnr_db") for prefix in ("", "gradient_", "laplacian_")]
    known = ["" if quality is None else f", {decibels(quality)}" for quality in measured]
    names = ("Gradient magnitude (1/px)", "Laplacian (1/px²)")
    titles = (
        ("Reference", f"Reference {names[0].lower()}", f"Reference {names[1]}"),
        (f"Field from {info.settings['from']}{known[0]}", f"Field {names[0].lower()}", f"Field {names[1]}"),
    )
    limits = robust_limit(gradient_magnitude(reference[1])), robust_limit(channel_mean(reference[2]))
    with saved_figure(path, (11, 7)) as figure:
        for axes, arrays, (value, gradient, laplacian), last in zip(
            figure.subplots(2, 3), (reference, field), titles, (("", ""), known[1:]), strict=True
        ):
            draw_picture(axes[0], as_colors(arrays[0], header), value)
            draw_gradient(axes[1], gradient_magnitude(arrays[1]), gradient + last[0], limits[0])
            draw_signed(axes[2], channel_mean(arrays[2]), laplacian + last[1], limits[1])


def blending(
    path: Path,
    header: Header,
    pair: Sequence[Array],
    mask: Array | None,
    target: Array,
    field: Sequence[Array],
    info: FitInfo,
) -> None:
    """Save a figure of two pictures and their blend, above the target gradient, that of the field and the error.

    Args:
        path: Path of the figure.
        header: Header of the blend.
        pair: Samples of both pictures.
        mask: Where the first was cloned into the second; its outline is drawn.
        target: Target gradient, shape (height, width, c · d).
        field: Values and gradient of the field.
        info: How the field was made.
    """
    magnitude, error = gradient_magnitude(target), gradient_magnitude(target - field[1].reshape(target.shape))
    limit, names = robust_limit(magnitude), info.settings["from"]
    reached = decibels(info.quality["gradient_psnr_db"])
    with saved_figure(path, (11, 7)) as figure:
        top, bottom = figure.subplots(2, 3)
        draw_picture(top[0], as_colors(pair[0], header), f"A, {names[0]}")
        draw_picture(top[1], as_colors(pair[1], header), f"B, {names[1]}")
        if mask is not None:
            for axes in top[:2]:
                axes.contour(mask, levels=[0.5], colors=COLORS[1], linewidths=1)
        draw_picture(top[2], as_colors(field[0], header), "Blend of A and B" if mask is None else "A cloned into B")
        draw_gradient(bottom[0], magnitude, "Target gradient magnitude (1/px)", limit)
        draw_gradient(bottom[1], gradient_magnitude(field[1]), f"Field gradient magnitude (1/px), {reached}", limit)
        draw_gradient(bottom[2], error, "Gradient error magnitude (1/px)", limit)


def comparison(path: Path, header: Header, reference: Array, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Save a figure with values, gradient and Laplacian for each activation, above the PSNR against training steps.

    Args:
        path: Path of the figure.
        header: Header of the picture.
        reference: Samples of the picture.
        results: For each activation the arrays `value`, `gradient` and `laplacian` of a field, and its `info`. All
            activations have the scale of the one with the largest PSNR.
    """
    best = max(results.values(), key=lambda result: result["info"].quality["psnr_db"] or math.inf)
    slope_limit = robust_limit(gradient_magnitude(best["gradient"]))
    curvature_limit = robust_limit(channel_mean(best["laplacian"]))
    columns = len(results)
    with saved_figure(path, (max(2.1 * columns + 0.8, 7), 11)) as figure:
        top, bottom = stacked(figure, [6.8, 4.2])
        values, slopes, curvatures = top.subplots(3, columns, squeeze=False)
        for index, (name, result) in enumerate(results.items()):
            title = f"{name}, {decibels(result['info'].quality['psnr_db'])}"
            draw_picture(values[index], as_colors(result["value"], header), title)
            slope = draw_map(slopes[index], gradient_magnitude(result["gradient"]), "magma", 0, slope_limit)
            curvature = draw_map(
                curvatures[index], channel_mean(result["laplacian"]), "RdBu_r", -curvature_limit, curvature_limit
            )
        labels = ("", "Gradient magnitude (1/px)", "Laplacian (1/px²)")
        draw_row_color_bars(top, (values, slopes, curvatures), (None, slope, curvature), labels)
        axes = bottom.subplots()
        _draw_labeled_curves(axes, {name: result["info"].history for name, result in results.items()})
        axes.set(title=f"Training curves, {reference.shape[1]} × {reference.shape[0]} px")


def _draw_labeled_curves(axes: Axes, histories: Mapping[str, History]) -> None:
    """Draw PSNR against steps, with the names beside the ends of the curves."""
    for name, history in histories.items():
        steps, quality = [entry[0] for entry in history], [psnr(entry[2]) for entry in history]
        axes.plot(steps, quality, **network_style(name), linewidth=2.5 if name == "sine" else 1.2)
    bottom, top = axes.get_ylim()
    spacing, position = 0.05 * (top - bottom), -math.inf
    background = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for name, history in sorted(histories.items(), key=lambda entry: psnr(entry[1][-1][2])):
        # labels are moved upwards where they would overlap; the PSNR of an exact fit is infinite
        position = max(min(psnr(history[-1][2]), top), position + spacing)
        color, end = network_style(name)["color"], (history[-1][0], position)
        axes.annotate(name, end, (6, -3), textcoords="offset points", color=color, bbox=background)
    axes.set(xlabel="Step", ylabel="PSNR (dB)", xlim=(0, None), ylim=(bottom, max(top, position + spacing)))
    axes.grid(alpha=0.3)


def _draw_curve(axes: Axes, history: Sequence[Sequence[float]], values: Sequence[float]) -> None:
    axes.plot([seconds for _, seconds, _ in history], values, marker="." if len(history) < MAX_MARKERS else "")
    set_time_axis(axes)


def _aspect(picture: Array) -> Literal["equal", "auto"]:
    height, width = picture.shape[:2]
    return "equal" if max(height, width) <= MAX_ASPECT * min(height, width) else "auto"
