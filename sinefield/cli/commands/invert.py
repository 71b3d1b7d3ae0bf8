"""The command `invert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import field_path, finish_field, progress_bar, report_folder
from sinefield.cli.options import Checkpoint, Device, FieldOut, Json, Quiet, Report, Resume, Seconds, Seed, Steps


def invert(
    survey: Annotated[
        str,
        typer.Argument(
            metavar="SURVEY",
            help="MATLAB file with sources, receivers and measurements; or square or circle, which is simulated.",
        ),
    ],
    output: FieldOut = None,
    optimizer: Annotated[str, typer.Option(help="natural, soap, adam or lbfgs.")] = "natural",
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Report = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the velocity of a medium from waves that were measured in it (full-waveform inversion).

    The result is the field of log c, the logarithm of the velocity.
    """
    from sinefield.problems.inversion import read_survey, simulated
    from sinefield.tasks.invert import invert as invert_survey

    measured = simulated(survey) if survey in ("square", "circle") else read_survey(Path(survey))
    folder, target = report_folder(report), field_path(output or Path(f"{measured.name}.safetensors"))
    with progress_bar(quiet, "invert") as bar:
        field = invert_survey(
            measured,
            optimizer=optimizer,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=bar,
        )
    field.save(target)
    files = None
    if folder is not None:
        from sinefield.reports import medium_report

        files = medium_report(folder, field, measured)
    finish_field(field, target, files, as_json, quiet)
