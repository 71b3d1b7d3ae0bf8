"""The verb `invert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sinefield.cli.console import console, field_path, print_field_result, progress_bar, step_progress
from sinefield.cli.options import Checkpoint, Device, Json, Quiet, Resume, Seconds, Seed, Steps


def invert(
    survey: Annotated[
        str,
        typer.Argument(
            metavar="SURVEY",
            help="A .mat of sources, receivers and what these measured; or square or circle, which is simulated.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The field of log c; NAME.safetensors unless given.")
    ] = None,
    steps: Steps = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    device: Device = "cpu",
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    report: Annotated[Path | None, typer.Option(metavar="DIR", help="Write a picture of the velocity there.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the velocity of a medium from waves that were measured in it (full-waveform inversion)."""
    from sinefield.problems.inversion import read_survey, simulated
    from sinefield.tasks.invert import STEPS as STEPS_OF_INVERSION
    from sinefield.tasks.invert import invert as invert_survey

    measured = simulated(survey) if survey in ("square", "circle") else read_survey(Path(survey))
    if report is not None:
        from sinefield.reports.folder import prepare

        prepare(report)
    target, say = field_path(output or Path(f"{measured.name}.safetensors")), console(quiet)
    with progress_bar(say, "invert") as bar:
        watch = step_progress(bar, steps, seconds, STEPS_OF_INVERSION)
        field = invert_survey(
            measured,
            steps=steps,
            seconds=seconds,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            resume=resume,
            progress=watch,
        )
    field.save(target)
    written = None
    if report is not None:
        from sinefield.reports.medium import medium_report

        written = medium_report(report, field, measured)
    print_field_result(field, target, written, as_json, quiet)
