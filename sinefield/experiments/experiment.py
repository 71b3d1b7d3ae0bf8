"""What an experiment of the paper is: trials, each of which gives figures, and a picture of them all."""

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
from sinefield.training.loop import Progress

Array = NDArray[Any]

RECIPES = ("default", "paper")

BUDGETS = ("small", "paper")

Shown = Mapping[str, Mapping[str, Array]]
"""The arrays that trials left, by the names of both."""


class Sample(NamedTuple):
    """Data that an experiment needs: what it may be called, and where it is to be had."""

    names: tuple[str, ...]
    address: str

    def found(self, folders: Iterable[Path]) -> Path | None:
        """The first file or folder of one of the names in some folders, or in the folders in these."""
        for folder in folders:
            for pattern in ("", "*/"):
                for name in self.names:
                    for path in sorted(folder.glob(pattern + name)):
                        return path
        return None


class Measure(NamedTuple):
    """What is measured: how it is written, and whether more of it is better; where neither is, None."""

    form: str
    more_is_better: bool | None

    def written(self, value: float | None) -> str:
        return "not reached" if value is None or not math.isfinite(value) else self.form.format(value)


DECIBELS = Measure("{:.1f} dB", True)
ERROR = Measure("{:.2e}", False)


class Budget(NamedTuple):
    """How long the trials of an experiment go on.

    Attributes:
        small: seconds by the default recipe and by the paper's, in the small budget.
        steps: the paper's own number, in the budget of the paper.
        seconds: by the default recipe then.
    """

    small: tuple[float, float]
    steps: int
    seconds: float = 600.0


NO_TIME = Budget((0.0, 0.0), 0)
"""Of what is not a fit."""


@dataclass(frozen=True)
class Setting:
    """How experiments are run.

    Attributes:
        budget: "small", for two cores, or "paper".
        share: of the budget's time that each trial gets.
        data: folders in which data are looked for.
        seed, device: as for `sinefield.fit`.
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
            raise InputError(f"the share of the budget is from 0 to 1; it is {self.share}")

    @property
    def small(self) -> bool:
        return self.budget == "small"

    def stop(self, recipe: str, budget: Budget) -> dict[str, Any]:
        """`steps` or `seconds`, as every fit takes them."""
        if self.small:
            return {"seconds": self.share * budget.small[RECIPES.index(recipe)]}
        if recipe == "paper":
            return {"steps": max(round(self.share * budget.steps), 1)}
        return {"seconds": self.share * budget.seconds}

    def given(self, sample: Sample) -> Path:
        """Where a sample lies."""
        path = sample.found(self.data)
        assert path is not None
        return path


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        figures: by what they are of, which is a name in the experiment's measures.
        seconds, steps: of the fit.
        shown: arrays for the picture, by name.
        field: to be kept, where there is one.
    """

    figures: dict[str, float]
    seconds: float
    steps: int
    shown: dict[str, Array] = dataclasses.field(default_factory=dict)
    field: Field | None = None


Options = dict[str, Any]
"""What every fit takes: when to stop, seed, device, checkpoint, progress."""


class Trial(NamedTuple):
    """A network under a recipe; `of` says what of several things."""

    network: str
    recipe: str
    run: Callable[[Options], Outcome]
    budget: Budget = NO_TIME
    of: str = ""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.of, self.network, self.recipe)))

    @property
    def weight(self) -> float:
        """What part of the work it is, in seconds of the small budget."""
        return 1.0 + self.budget.small[RECIPES.index(self.recipe)]

    def options(self, setting: Setting, folder: Path, progress: Progress | None) -> Options:
        """What its fit is run with; one that was cut short goes on."""
        checkpoint = folder / "checkpoint"
        going_on = checkpoint.is_dir() and any(checkpoint.iterdir())
        return {
            **setting.stop(self.recipe, self.budget),
            "seed": setting.seed,
            "device": setting.device,
            "checkpoint": checkpoint,
            "resume": going_on,
            "progress": progress,
        }


@dataclass(frozen=True)
class Experiment:
    """A claim of the paper, and the trials that it is held against.

    Attributes:
        claim: in the paper, in one sentence, and where it stands.
        measures: what the figures are of.
        trials: those of a setting, in which the samples that are needed were found.
        draw: the picture of the arrays that the trials left, by their names; of those there are.
        published: the paper's figures, by what they are of and by network.
        scaled: how the small budget differs from the paper's experiment.
        needs: data.
        ours: the networks that are to be ahead of all others where a measure has a better side.
        unclaimed: measures in which the paper does not say so.
    """

    claim: str
    measures: Mapping[str, Measure]
    trials: Callable[[Setting], list[Trial]]
    draw: Callable[[Path, Shown], None]
    published: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    scaled: str = ""
    needs: tuple[Sample, ...] = ()
    ours: tuple[str, ...] = ("sine",)
    unclaimed: tuple[str, ...] = ()


def of_each(
    networks: Sequence[str], run: Callable[[str, str, Options], Outcome], budget: Budget, of: str = ""
) -> list[Trial]:
    """Every network under both recipes."""
    return [
        Trial(network, recipe, partial(run, network, recipe), budget, of) for recipe in RECIPES for network in networks
    ]


def outcome(field: Field, figures: dict[str, float], /, **shown: Array) -> Outcome:
    """Of a field that was fitted, with how the fit went.

    Raises:
        KeyboardInterrupt: it was cut short.
    """
    made = field.made
    if made["stopped"] == "interrupted":
        raise KeyboardInterrupt
    history = np.array(made["history"], dtype=np.float64).reshape(-1, 3)
    return Outcome(figures, made["seconds"], made["steps"], {"history": history, **shown}, field)
