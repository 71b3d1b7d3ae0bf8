"""What the pictures of several experiments have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sinefield.experiments.experiment import RECIPES, Array, Shown
from sinefield.field.field import Field
from sinefield.field.grayscale import limit, magnitude, signed
from sinefield.metrics import psnr
from sinefield.networks import NETWORKS
from sinefield.reports import figures
from sinefield.signals import Signal
from sinefield.signals.stencils import estimate_gradient, estimate_laplacian


def halves(figure: Figure, heights: Sequence[float] = (1, 1)) -> tuple[Any, Any]:
    """The upper and the lower part of a figure."""
    above, below = cast(Any, figure).subfigures(2, 1, height_ratios=heights)
    return above, below


def layers(field: Field, signal: Signal) -> dict[str, Array]:
    """What `pictures` draws of a grey picture's field, and of the picture."""
    low, high = signal.header.low[0], signal.header.high[0]

    def gray(samples: Array) -> Array:
        return np.clip((samples.astype(np.float64) - low) / (high - low), 0, 1)

    drawn: dict[str, Callable[[Array], Array]] = {"value": gray, "gradient": magnitude, "laplacian": signed}
    reference = [signal.samples, estimate_gradient(signal).values, estimate_laplacian(signal).values]
    shown = {name: draw(field.render(quantity=name)) for name, draw in drawn.items()}
    shown |= {f"true {name}": draw(each) for (name, draw), each in zip(drawn.items(), reference, strict=True)}
    return {name: each.astype(np.float32) for name, each in shown.items()}


def pictures(path: Path, shown: Shown, titles: Sequence[str], of: str = "") -> None:
    """A column for the truth and for each network under the default recipe; how all fits went below."""
    ours = {name: shown[name] for name in named(shown, "default", of)}
    some = next(iter(ours.values() or shown.values()))
    reference = {name: some[f"true {name}"] for name in ("value", "gradient", "laplacian")}
    columns = {"the truth": reference, **{network_of(name, of): arrays for name, arrays in ours.items()}}
    steep, curved = limit(reference["gradient"]), limit(reference["laplacian"])
    with figures.figure_at(path, (2.1 * len(columns), 9.8)) as figure:
        top, bottom = halves(figure, [6.6, 3.2])
        for column, (name, arrays) in zip(top.subplots(3, len(columns), squeeze=False).T, columns.items(), strict=True):
            figures.picture_at(column[0], arrays["value"], name)
            figures.shown_at(column[1], arrays["gradient"], "magma", 0, steep)
            figures.shown_at(column[2], arrays["laplacian"], "RdBu_r", -curved, curved)
            for axes, title in zip(column, titles, strict=True):
                if name == "the truth":
                    axes.text(-0.06, 0.5, title, rotation=90, ha="right", va="center", transform=axes.transAxes)
        for axes, recipe in zip(bottom.subplots(1, 2, sharey=True), RECIPES, strict=True):
            decibel_curves(axes, shown, recipe, of)
            axes.set(title=f"{said(recipe)}{', PSNR of the ' + of if of else ''}")


def decibel_curves(axes: Axes, shown: Shown, recipe: str, of: str = "") -> None:
    """PSNR against seconds, of each network under a recipe."""
    curves(axes, shown, recipe, psnr, of)
    axes.set(ylabel="PSNR in dB")


def error_curves(axes: Axes, shown: Shown, recipe: str, of: str = "", label: str = "loss") -> None:
    """What a fit is judged by against seconds, of each network under a recipe."""
    curves(axes, shown, recipe, float, of)
    axes.set(ylabel=label, yscale="log")


def curves(axes: Axes, shown: Shown, recipe: str, quality: Any, of: str = "") -> None:
    for name in named(shown, recipe, of):
        history, network = shown[name]["history"], network_of(name, of)
        marker = "." if len(history) < 12 else ""
        values = [quality(error) for error in history[:, 2]]
        width = 2.5 if network == "sine" else 1.2
        axes.plot(history[:, 1], values, label=network, color=color(network), linewidth=width, marker=marker)
    axes.set(xlabel="seconds", title=f"{said(recipe)}{', ' + of if of else ''}")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)


def named(shown: Shown, recipe: str, of: str = "") -> Iterator[str]:
    """The trials of a recipe."""
    return (name for name in shown if name.startswith(of) and name.endswith(f" {recipe}"))


def network_of(name: str, of: str = "") -> str:
    return name.removeprefix(of).rsplit(" ", 1)[0].strip()


def said(recipe: str) -> str:
    return {"default": "our recipe", "paper": "the paper's recipe"}[recipe]


def color(network: str) -> str:
    """The same for a network in all pictures."""
    return f"C{list(NETWORKS).index(network) % 10}" if network in NETWORKS else "black"
