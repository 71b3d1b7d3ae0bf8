"""The report of each kind of signal: files that show a field beside the signal that it was fitted to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sinefield.field.field import Field
from sinefield.files import make_folder
from sinefield.progress import ProgressCallback, ignore
from sinefield.registry import Registry
from sinefield.signals import Signal

ReportFunction = Callable[[Path, Field, Signal, ProgressCallback], dict[str, str]]
"""Function that writes the files of a report to a folder; it returns their paths by what they show."""

REPORTS: Registry[ReportFunction] = Registry("kind of report", "sinefield.reports")
"""The reports by the kind of signal."""


def register_report(kind: str) -> Callable[[ReportFunction], ReportFunction]:
    """Register the function that writes the report of a kind of signal, as `@register_report("image")`."""

    def register(function: ReportFunction) -> ReportFunction:
        return REPORTS.add(kind, function)

    return register


def report(folder: Path, field: Field, signal: Signal, progress: ProgressCallback | None = None) -> dict[str, str]:
    """Write renderings, figures and derivatives of a field, and the signal that it was fitted to beside them.

    Args:
        folder: Folder for the files, which is created if necessary.
        field: The field.
        signal: The signal.
        progress: Called with the completed share.

    Returns:
        Paths of the files by what they show.

    Raises:
        InputError: Matplotlib is not installed, or a file cannot be written.
    """
    return REPORTS.find(signal.header.kind)(make_folder(folder), field, signal, progress or ignore)
