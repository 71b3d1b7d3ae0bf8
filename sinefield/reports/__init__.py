"""All that can be looked at after a fit, as files in a folder: one module for each kind of signal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sinefield.field.field import Field
from sinefield.reports.derivatives import blend_report as blend_report
from sinefield.reports.derivatives import poisson_report as poisson_report
from sinefield.reports.folder import prepare as prepare
from sinefield.reports.medium import medium_report as medium_report
from sinefield.reports.picture import picture
from sinefield.reports.samples import samples
from sinefield.reports.shape import shape
from sinefield.reports.solution import solution_report as solution_report
from sinefield.reports.sound import sound
from sinefield.reports.video import video
from sinefield.signals import Signal

REPORTS = {"image": picture, "audio": sound, "video": video, "array": samples, "points": samples, "shape": shape}


def report(
    folder: Path, field: Field, signal: Signal, progress: Callable[[float], None] | None = None
) -> dict[str, str]:
    """Write what there is to be seen of a field and of the signal that it was fitted to.

    Args:
        folder: made if need be.
        progress: called with the share that is done.

    Returns:
        The files, by what they show.

    Raises:
        InputError: the folder cannot be written.
    """
    prepare(folder)
    return REPORTS[signal.header.kind](folder, field, signal, progress)
