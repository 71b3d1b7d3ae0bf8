"""Experiments: trials with measured values and arrays, a figure of all trials, and the values in the paper."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sinefield.errors import InputError
from sinefield.field.field import Field
from sinefield.field.info import FitInfo
from sinefield.progress import ProgressCallback
from sinefield.registry import Registry

Array = NDArray[Any]
"""Array of any shape and type."""

Arrays = Mapping[str, Mapping[str, Array]]
"""Arrays for a figure, by the name of the trial and their own name."""

Options = dict[str, Any]
"""Arguments that every fit takes: when to stop, seed, device, checkpoint directory and progress callback."""

RECIPES = ("default", "paper")
"""Recipes with which networks are trained."""

BUDGETS = ("small", "paper")
"""Names of budgets."""


class DataFile(NamedTuple):
    """A file or folder that an experiment needs.

    Attributes:
        names: Names that it may have.
        address: Where it can be downloaded.
    """

    names: tuple[str, ...]
    address: str

    def find(self, folders: Iterable[Path]) -> Path | None:
        """Return the first match in the folders or in their subfolders; None if there is none."""
        for folder in folders:
            for pattern in ("", "*/"):
                for name in self.names:
                    for path in sorted(folder.glob(pattern + name)):
                        return path
        return None


class Measure(NamedTuple):
    """A measured quantity.

    Attributes:
        format: Format string of its values.
        higher_is_better: Whether larger values are better; None if values are not ranked.
    """

    format: str
    higher_is_better: bool | None

    def formatted(self, value: float | None) -> str:
        """Return a value as text; None and infinity are "not reached"."""
        return "not reached" if value is None or not math.isfinite(value) else self.format.format(value)


PSNR = Measure("{:.1f} dB", True)
"""Peak signal-to-noise ratio."""

MSE = Measure("{:.2e}", False)
"""Mean squared error."""


class Budget(NamedTuple):
    """Duration of a trial.

    Attributes:
        small: Seconds with the default recipe and with that of the paper, in the small budget.
        steps: Steps with the recipe of the paper, in the budget of the paper.
        seconds: Seconds with the default recipe, in the budget of the paper.
    """

    small: tuple[float, float]
    steps: int
    seconds: float = 600.0


NO_TRAINING = Budget((0.0, 0.0), 0)
"""Budget of a trial that trains nothing."""


@dataclass(frozen=True)
class Setting:
    """How experiments are run.

    Attributes:
        budget: "small", for two cores, or "paper".
        share: Share of the time or steps of the budget that each trial gets.
        data: Folders that are searched for data.
        seed, device: As for `sinefield.fit`.

    Raises:
        InputError: The budget is unknown, or the share is not in (0, 1].
    """

    budget: str = "small"
    share: float = 1.0
    data: tuple[Path, ...] = ()
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise InputError(f"there is no budget {self.budget!r}; choose from {', '.join(BUDGETS)}")
        if not 0 < self.share <= 1:
            raise InputError(f"the share of the budget must be above 0 and at most 1; it is {self.share}")

    @property
    def small(self) -> bool:
        """Whether this is the small budget."""
        return self.budget == "small"

    def limit(self, recipe: str, budget: Budget) -> dict[str, Any]:
        """Return when a trial stops, as the argument `steps` or `seconds` of a fit."""
        if self.small:
            return {"seconds": self.share * budget.small[RECIPES.index(recipe)]}
        if recipe == "paper":
            return {"steps": max(round(self.share * budget.steps), 1)}
        return {"seconds": self.share * budget.seconds}

    def path(self, file: DataFile) -> Path:
        """Return the path of a file, which must exist in one of the folders."""
        path = file.find(self.data)
        assert path is not None
        return path


@dataclass(frozen=True)
class Outcome:
    """Result of a trial.

    Attributes:
        values: Measured values, by the names of the measures of the experiment.
        seconds, steps: Duration of the training.
        arrays: Arrays for the figure, by name.
        field: The field, which is saved; None if there is none.
    """

    values: dict[str, float]
    seconds: float
    steps: int
    arrays: dict[str, Array] = dataclasses.field(default_factory=dict)
    field: Field | None = None


class Trial(NamedTuple):
    """One network, trained with one recipe.

    Attributes:
        network: Name of the activation, or of another method.
        recipe: Name of the recipe.
        run: Function that trains and evaluates it.
        budget: How long it is trained.
        label: Name of the data, where the experiment has several.
    """

    network: str
    recipe: str
    run: Callable[[Options], Outcome]
    budget: Budget = NO_TRAINING
    label: str = ""

    @property
    def name(self) -> str:
        """Unique name of the trial in its experiment."""
        return " ".join(filter(None, (self.label, self.network, self.recipe)))

    @property
    def cost(self) -> float:
        """Estimated duration in seconds in the small budget, for the progress of all trials."""
        return 1.0 + self.budget.small[RECIPES.index(self.recipe)]

    def options(self, setting: Setting, folder: Path, progress: ProgressCallback | None) -> Options:
        """Return the arguments of the fit, which continues from a checkpoint in the folder if there is one."""
        checkpoint = folder / "checkpoint"
        return {
            **setting.limit(self.recipe, self.budget),
            "seed": setting.seed,
            "device": setting.device,
            "checkpoint": checkpoint,
            "resume": checkpoint.is_dir() and any(checkpoint.iterdir()),
            "progress": progress,
        }


@dataclass(frozen=True)
class Experiment:
    """A claim of the paper and the trials that test it.

    Attributes:
        claim: The claim in one sentence, and its place in the paper.
        measures: Measured quantities by name.
        trials: Function that returns the trials; the data must exist.
        draw: Function that saves the figure, from the arrays of the trials that succeeded.
        published: Values in the paper, by measure and network.
        scaled_down: How the small budget differs from the experiment in the paper.
        data: Files that are needed.
        expected_best: Networks that the paper claims to be better than all others.
        unranked: Measures for which the paper makes no such claim.
    """

    claim: str
    measures: Mapping[str, Measure]
    trials: Callable[[Setting], list[Trial]]
    draw: Callable[[Path, Arrays], None]
    published: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    scaled_down: str = ""
    data: tuple[DataFile, ...] = ()
    expected_best: tuple[str, ...] = ("sine",)
    unranked: tuple[str, ...] = ()


EXPERIMENTS: Registry[Experiment] = Registry("experiment", "sinefield.experiments")
"""The experiments by name."""

Trials = Callable[[Setting], list[Trial]]
"""Function that returns the trials of an experiment."""


def register_experiment(name: str, **attributes: Any) -> Callable[[Trials], Trials]:
    """Register the experiment that the decorated function returns the trials of.

    Args:
        name: Name of the experiment on the command line.
        attributes: The other attributes of `Experiment`.
    """

    def register(trials: Trials) -> Trials:
        EXPERIMENTS.add(name, Experiment(trials=trials, **attributes))
        return trials

    return register


def trial_grid(
    networks: Sequence[str], run: Callable[[str, str, Options], Outcome], budget: Budget, label: str = ""
) -> list[Trial]:
    """Return a trial for each network and recipe; `run` takes the network, the recipe and the options."""
    return [
        Trial(network, recipe, partial(run, network, recipe), budget, label)
        for recipe in RECIPES
        for network in networks
    ]


def fit_outcome(field: Field, values: dict[str, float], /, **arrays: Array) -> Outcome:
    """Return the result of a fit, with the history of the training as one of the arrays.

    Raises:
        KeyboardInterrupt: The fit was interrupted.
    """
    check_complete(field.info)
    history = np.array(field.info.history, dtype=np.float64).reshape(-1, 3)
    return Outcome(values, field.info.seconds, field.info.steps, {"history": history, **arrays}, field)


def check_complete(info: FitInfo) -> None:
    """Raise KeyboardInterrupt if a fit was interrupted, so that no further trial starts."""
    if info.stopped == "interrupted":
        raise KeyboardInterrupt
