"""Trial after trial, each of which is kept."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np

from sinefield.errors import InputError, one_line
from sinefield.experiments import EXPERIMENTS
from sinefield.experiments.bench import machine
from sinefield.experiments.experiment import Array, Experiment, Setting, Trial
from sinefield.files import atomic
from sinefield.reports.folder import prepare
from sinefield.serialization import finite
from sinefield.training.checkpoint import State

RESULT, ARRAYS, FIELD, SETTING = "result.json", "arrays.npz", "field.safetensors", "setting.json"
"""What is kept of a trial, and of the whole."""

Watch = Callable[[str, float, State | None], None]
"""Called with what is under way, the share of all that is done, and how far its fit is."""

Follow = Callable[[float, str, float, State | None], None]
"""The same within an experiment, with what of its own work is done before a trial and in it."""


class Row(NamedTuple):
    """A line of the table: one figure of one trial; `ours` is None where it could not be had."""

    experiment: str
    what: str
    network: str
    recipe: str
    published: str
    ours: float | None
    written: str
    steps: int
    seconds: float


class Report(NamedTuple):
    """What came of an experiment.

    Attributes:
        rows: its lines of the table.
        verdicts: where our network is ahead, and where it is not.
        trouble: what was missing and what failed.
        figure: the picture, where there is one.
        machines: that it ran on, with the dates.
    """

    name: str
    rows: list[Row]
    verdicts: list[str]
    trouble: list[str]
    figure: Path | None
    machines: list[str]


def reproduce(
    names: Sequence[str], folder: Path, setting: Setting | None = None, *, watch: Watch | None = None
) -> list[Report]:
    """Run experiments of the paper, and keep what came of them.

    A trial that is in the folder already is not run again; one that was cut short goes on. One that fails is reported,
    and the others go on.

    Args:
        names: of experiments, in `EXPERIMENTS`.
        folder: for results and figures; made if there is none.
        setting: how they are run.
        watch: called on the way.

    Raises:
        InputError: another name, or a folder that holds results of another setting.
        KeyboardInterrupt: what was finished is kept.
    """
    setting = setting or Setting()
    if unknown := [name for name in names if name not in EXPERIMENTS]:
        raise InputError(f"there is no experiment {unknown[0]!r}; choose from {', '.join(EXPERIMENTS)}, all")
    _agree(folder, setting)
    plan = {name: _planned(name, setting) for name in EXPERIMENTS if name in names}
    work = sum(trial.weight for trials in plan.values() if not isinstance(trials, str) for trial in trials)
    done, reports = 0.0, []

    def follow(before: float, what: str, now: float, state: State | None) -> None:
        if watch is not None:
            watch(what, (done + before + now) / work, state)

    for name, trials in plan.items():
        if isinstance(trials, str):
            reports.append(Report(name, [], [], [trials], None, []))
        else:
            reports.append(_report(name, trials, folder, setting, follow))
            done += sum(trial.weight for trial in trials)
    return reports


def missing(name: str, setting: Setting) -> list[str]:
    """What an experiment needs that is not there, with where it is to be had."""
    needs = EXPERIMENTS[name].needs
    return [f"{sample.names[0]} ({sample.address})" for sample in needs if sample.found(setting.data) is None]


def _planned(name: str, setting: Setting) -> list[Trial] | str:
    """The trials of an experiment, or why there are none."""
    if lacking := missing(name, setting):
        return f"not run: it needs {' and '.join(lacking)}; say --data FOLDER"
    try:
        return EXPERIMENTS[name].trials(setting)
    except Exception as error:  # the other experiments go on
        return f"failed: {_why(error)}"


def _report(name: str, trials: Sequence[Trial], folder: Path, setting: Setting, follow: Follow) -> Report:
    experiment, done = EXPERIMENTS[name], 0.0
    rows: list[Row] = []
    trouble: list[str] = []
    arrays: dict[str, dict[str, Array]] = {}
    machines: dict[str, None] = {}
    for trial in trials:
        own = folder / name / _slug(trial.name)
        told = partial(follow, done, f"{name}, {trial.name}")
        done += trial.weight
        told(0.0, None)
        try:
            result = _kept(own) or _run(trial, setting, own, told)
        except Exception as error:  # the others may yet come to something
            trouble.append(f"{trial.name} failed: {_why(error)}")
            continue
        rows += _rows(name, experiment, trial, result)
        machines[f"{result['machine']}, {result['date']}"] = None
        with np.load(own / ARRAYS) as kept:
            arrays[trial.name] = dict(kept)
    figure = folder / f"{name}.png"
    try:
        if any(arrays.values()):
            experiment.draw(figure, arrays)
    except Exception as error:  # the figures of hours must not be lost for a picture
        trouble.append(f"the picture failed: {_why(error)}")
    there = figure if figure.exists() else None
    return Report(name, rows, verdicts(experiment, rows), trouble, there, list(machines))


def _run(trial: Trial, setting: Setting, own: Path, told: Callable[[float, State | None], None]) -> dict[str, Any]:
    """Run a trial and keep its outcome; what it saved on the way goes when it is done."""
    own.mkdir(parents=True, exist_ok=True)
    stop = setting.stop(trial.recipe, trial.budget)

    def progress(state: State) -> None:
        share = state.seconds / stop["seconds"] if "seconds" in stop else state.step / stop["steps"]
        told(trial.weight * min(share, 1.0), state)

    came = trial.run(trial.options(setting, own, progress))
    result: dict[str, Any] = {
        "figures": finite(came.figures),
        "steps": came.steps,
        "seconds": round(came.seconds, 3),
        "machine": f"{machine()}, sinefield {version('sinefield')}",
        "date": datetime.date.today().isoformat(),
    }
    if came.field is not None:
        came.field.save(own / FIELD)
    with atomic(own / ARRAYS) as temporary:
        np.savez_compressed(temporary, **came.shown)  # type: ignore[arg-type]
    with atomic(own / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n")
    rmtree(own / "checkpoint", ignore_errors=True)
    return result


def _kept(own: Path) -> dict[str, Any] | None:
    """What a trial came to before."""
    try:
        result: dict[str, Any] = json.loads((own / RESULT).read_text())
    except (OSError, ValueError):
        return None
    return result


def _rows(name: str, experiment: Experiment, trial: Trial, result: Mapping[str, Any]) -> list[Row]:
    return [
        Row(
            name,
            what,
            trial.network,
            trial.recipe,
            experiment.published.get((what, trial.network), ""),
            figure,
            experiment.measures[what].written(figure),
            result["steps"],
            result["seconds"],
        )
        for what, figure in result["figures"].items()
    ]


def verdicts(experiment: Experiment, rows: Sequence[Row]) -> list[str]:
    """Where the first of our networks is ahead of all others, and where it is not, for each measure and recipe."""
    said = []
    for what, measure in experiment.measures.items():
        if measure.more_is_better is None or what in experiment.unclaimed:
            continue
        sign, worst = (1 if measure.more_is_better else -1), -math.inf
        for recipe in dict.fromkeys(row.recipe for row in rows):
            of_this = [row for row in rows if (row.what, row.recipe) == (what, recipe)]
            score = {row.network: worst if row.ours is None else sign * row.ours for row in of_this}
            written = {row.network: row.written for row in of_this}
            ours, others = experiment.ours[0], [name for name in score if name not in experiment.ours]
            if ours not in score or not others:
                continue
            rival = max(others, key=score.__getitem__)
            ahead = "ahead" if score[ours] > score[rival] else "NOT AHEAD"
            said.append(f"{what}, {recipe}: {ours} {ahead}, {written[ours]}; next is {rival}, {written[rival]}")
    return said


def _agree(folder: Path, setting: Setting) -> None:
    """Results of two settings are not mixed."""
    stated = {"budget": setting.budget, "share": setting.share, "seed": setting.seed, "device": setting.device}
    path = folder / SETTING
    prepare(folder)
    if path.exists():
        try:
            before = json.loads(path.read_text())
            had = ", ".join(f"--{name} {value}" for name, value in before.items())
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"{path} cannot be read ({one_line(error)}); name another folder with -o") from error
        if before != stated:
            raise InputError(f"{folder} holds results of {had}; name another folder with -o")
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(stated) + "\n")


def _why(error: Exception) -> str:
    """What is the user's to mend says so itself; of anything else the type tells as much as the message."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {one_line(error)}"


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
