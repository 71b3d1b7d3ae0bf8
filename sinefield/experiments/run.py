"""Running experiments: each trial is saved when it is complete, and an interrupted run continues."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np

from sinefield.errors import InputError, one_line
from sinefield.experiments.bench import machine
from sinefield.experiments.experiment import EXPERIMENTS, Array, Experiment, Setting, Trial
from sinefield.files import atomic, make_folder
from sinefield.progress import Progress, ProgressCallback, ignore, subtasks
from sinefield.serialization import finite

RESULT = "result.json"
"""File with the measured values of a trial."""

ARRAYS = "arrays.npz"
"""File with the arrays of a trial."""

FIELD = "field.safetensors"
"""File with the field of a trial."""

SETTING = "setting.json"
"""File with the setting of all trials in a folder."""


class Row(NamedTuple):
    """A row of the table: one measured value of one trial.

    Attributes:
        experiment, measure, network, recipe: What was measured.
        published: Value in the paper, if there is one.
        value: Measured value; None if it is infinite or unknown.
        formatted: Measured value with its unit.
        steps, seconds: Duration of the training.
    """

    experiment: str
    measure: str
    network: str
    recipe: str
    published: str
    value: float | None
    formatted: str
    steps: int
    seconds: float


class Report(NamedTuple):
    """Results of an experiment.

    Attributes:
        name: Name of the experiment.
        rows: Rows of the table.
        verdicts: For each measure and recipe, whether the claim holds.
        trouble: Missing data and errors.
        figure: Path of the figure; None if it was not drawn.
        machines: Machines and dates of the trials.
    """

    name: str
    rows: list[Row]
    verdicts: list[str]
    trouble: list[str]
    figure: Path | None
    machines: list[str]


def reproduce(
    names: Sequence[str],
    folder: Path,
    setting: Setting | None = None,
    *,
    progress: ProgressCallback | None = None,
) -> list[Report]:
    """Run experiments of the paper and save their results.

    A trial whose result is in the folder is not run again, and an interrupted trial continues. A trial that fails is
    reported, and the next one is run.

    Args:
        names: Names in `EXPERIMENTS`.
        folder: Folder for results and figures, which is created if necessary.
        setting: How the experiments are run.
        progress: Called at the start of each trial and after each step.

    Returns:
        The results of each experiment.

    Raises:
        InputError: A name is unknown, or the folder has results of another setting.
        KeyboardInterrupt: The run was interrupted; completed trials are saved.
    """
    setting = setting or Setting()
    for name in names:
        EXPERIMENTS.find(name)
    _check_setting(folder, setting)
    plan = {name: _plan(name, setting) for name in EXPERIMENTS if name in names}
    costs = [trial.cost for trials in plan.values() if not isinstance(trials, str) for trial in trials]
    callbacks = iter(subtasks(progress or ignore, costs))
    reports = []
    for name, trials in plan.items():
        if isinstance(trials, str):
            reports.append(Report(name, [], [], [trials], None, []))
        else:
            parts = [(trial, _labeled(next(callbacks), f"{name}, {trial.name}")) for trial in trials]
            reports.append(_run_experiment(name, parts, folder, setting))
    return reports


def missing(name: str, setting: Setting) -> list[str]:
    """Return the files that an experiment needs and that were not found, with their addresses."""
    return [f"{file.names[0]} ({file.address})" for file in EXPERIMENTS[name].data if file.find(setting.data) is None]


def verdicts(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """Return for each measure and recipe whether the network that the paper claims to be the best one is so."""
    lines = []
    for name, measure in experiment.measures.items():
        if measure.higher_is_better is None or name in experiment.unranked:
            continue
        sign = 1 if measure.higher_is_better else -1
        for recipe in dict.fromkeys(row.recipe for row in rows):
            chosen = {row.network: row for row in rows if (row.measure, row.recipe) == (name, recipe)}
            score = {network: -math.inf if row.value is None else sign * row.value for network, row in chosen.items()}
            best, others = experiment.expected_best[0], [each for each in score if each not in experiment.expected_best]
            if best not in score or not others:
                continue
            best_other = max(others, key=score.__getitem__)
            rank = "is the best" if score[best] > score[best_other] else "is NOT the best"
            lines.append(
                f"{name}, {recipe} recipe: {best} {rank} ({chosen[best].formatted}); "
                f"the best of the others is {best_other} ({chosen[best_other].formatted})"
            )
    return lines


def _plan(name: str, setting: Setting) -> list[Trial] | str:
    """Return the trials of an experiment, or the reason why it cannot be run."""
    if lacking := missing(name, setting):
        return f"not run: it needs {' and '.join(lacking)}; give their folder with --data"
    try:
        return EXPERIMENTS[name].trials(setting)
    except Exception as error:  # an error in one experiment must not stop the others
        return f"failed: {_reason(error)}"


def _labeled(callback: ProgressCallback, label: str) -> ProgressCallback:
    """Return a callback whose messages are the label and the training step."""
    return lambda progress: callback(
        progress._replace(message=f"{label}, step {progress.step}" if progress.step else label)
    )


def _run_experiment(
    name: str, trials: Sequence[tuple[Trial, ProgressCallback]], folder: Path, setting: Setting
) -> Report:
    """Run the trials of an experiment that have no result yet, and draw the figure of all."""
    experiment = EXPERIMENTS[name]
    rows: list[Row] = []
    trouble: list[str] = []
    arrays: dict[str, dict[str, Array]] = {}
    machines: dict[str, None] = {}
    for trial, progress in trials:
        trial_folder = folder / name / _file_name(trial.name)
        progress(Progress(0.0))
        try:
            result = _load_result(trial_folder) or _run_trial(trial, setting, trial_folder, progress)
        except Exception as error:  # an error in one trial must not stop the others
            trouble.append(f"{trial.name} failed: {_reason(error)}")
            continue
        rows += _rows(name, experiment, trial, result)
        machines[f"{result['machine']}, {result['date']}"] = None
        with np.load(trial_folder / ARRAYS) as file:
            arrays[trial.name] = dict(file)
    figure = folder / f"{name}.png"
    try:
        if any(arrays.values()):
            experiment.draw(figure, arrays)
    except Exception as error:  # an error in the figure must not discard the results
        trouble.append(f"the figure failed: {_reason(error)}")
    path = figure if figure.exists() else None
    return Report(name, rows, verdicts(experiment, rows), trouble, path, list(machines))


def _run_trial(trial: Trial, setting: Setting, folder: Path, progress: ProgressCallback) -> dict[str, Any]:
    """Run a trial, save its outcome and remove its checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    outcome = trial.run(trial.options(setting, folder, progress))
    result: dict[str, Any] = {
        "values": finite(outcome.values),
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 3),
        "machine": f"{machine()}, sinefield {version('sinefield')}",
        "date": datetime.date.today().isoformat(),
    }
    if outcome.field is not None:
        outcome.field.save(folder / FIELD)
    with atomic(folder / ARRAYS) as temporary:
        np.savez_compressed(temporary, **outcome.arrays)  # type: ignore[arg-type]
    with atomic(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    rmtree(folder / "checkpoint", ignore_errors=True)
    return result


def _load_result(folder: Path) -> dict[str, Any] | None:
    """Return the saved result of a trial; None if there is none."""
    try:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text())
    except (OSError, ValueError):
        return None
    return result


def _rows(name: str, experiment: Experiment, trial: Trial, result: Mapping[str, Any]) -> list[Row]:
    return [
        Row(
            name,
            measure,
            trial.network,
            trial.recipe,
            experiment.published.get((measure, trial.network), ""),
            value,
            experiment.measures[measure].formatted(value),
            result["steps"],
            result["seconds"],
        )
        for measure, value in result["values"].items()
    ]


def _check_setting(folder: Path, setting: Setting) -> None:
    """Save the setting in the folder, and raise InputError if the folder has results of another one."""
    entries = {"budget": setting.budget, "share": setting.share, "seed": setting.seed, "device": setting.device}
    path = make_folder(folder) / SETTING
    if path.exists():
        try:
            saved = json.loads(path.read_text())
            options = ", ".join(f"--{name} {value}" for name, value in saved.items())
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"{path} cannot be read ({one_line(error)}); choose another folder with -o") from error
        if saved != entries:
            raise InputError(f"{folder} holds results of {options}; choose another folder with -o")
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(entries) + "\n")


def _reason(error: Exception) -> str:
    """Return the message of an error, with the type of errors that are not InputError."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {one_line(error)}"


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
