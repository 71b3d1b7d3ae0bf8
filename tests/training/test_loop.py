"""The training loop, with prescribed errors."""

import math

import pytest
import torch
from torch import nn

from sinefield.errors import InputError
from sinefield.training.checkpoint import TrainingState
from sinefield.training.loop import Evaluation, iterate
from sinefield.training.spec import Training


class Scalar(nn.Module):
    """A network of one parameter, which a test sets."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))


def course(errors, training, every=1, constant=None, losses=None):
    """Iterate over prescribed errors; the parameter counts the steps since the last restart."""
    scalar = Scalar()
    optimizer = torch.optim.SGD(scalar.parameters(), lr=1.0)
    taken = []

    def advance(step):
        with torch.no_grad():
            scalar.value += 1
        taken.append(step)
        return {"loss": 1.0 if losses is None else losses[step]}

    evaluated = iter(errors)
    state = iterate(scalar, optimizer, training, advance, Evaluation(lambda: next(evaluated), every, constant))
    return state, scalar.value.item(), optimizer.param_groups[0]["lr"], taken


def test_the_best_weights_are_kept():
    state, value, rate, taken = course([5.0, 3.0, 4.0, 2.0, 6.0], Training(steps=5))
    assert (state.best_step, state.best_error, value, rate) == (4, 2.0, 4.0, 1.0)
    assert [(step, error) for step, _, error in state.history] == list(enumerate([5.0, 3.0, 4.0, 2.0, 6.0], 1))
    assert (state.stopped, taken) == ("steps", [0, 1, 2, 3, 4])


def test_the_last_step_is_evaluated_though_it_is_not_due():
    state, *_ = course([5.0, 3.0, 1.0], Training(steps=5), every=2)
    assert [step for step, *_ in state.history] == [2, 4, 5]
    assert state.best_step == 5


def test_an_error_that_rises_returns_to_the_best_weights_with_half_the_rate():
    with pytest.warns(UserWarning, match=r"the error was 50 after step 3; returning to step 2 with a .* rate of 0.5"):
        state, value, rate, _ = course([4.0, 3.0, 50.0, 2.9], Training(steps=4))
    assert (state.halvings, rate) == (1, 0.5)
    assert value == 3.0  # step 3 was undone, step 4 follows step 2


def test_a_loss_that_is_not_a_number_is_not_evaluated():
    with pytest.warns(UserWarning, match="the error was nan after step 2; returning to step 1"):
        state, *_ = course([1.0, 0.5], Training(steps=3), losses=[1.0, math.nan, 1.0])
    assert [step for step, *_ in state.history] == [1, 3]


def test_a_training_that_stays_at_a_constant_restarts():
    with pytest.warns(UserWarning, match="no improvement over a constant after 2 steps; restarting"):
        state, value, _, _ = course([1.0, 1.0, 0.1], Training(steps=3), constant=1.0)
    assert (state.halvings, state.best_error, value) == (1, 0.1, 1.0)


def test_a_training_without_end_diverges():
    with pytest.warns(UserWarning, match="returning to step"):
        state, *_ = course([1.0], Training(steps=100), losses=[math.nan] * 100, every=1000)
    assert (state.stopped, state.step) == ("diverged", 11)


def test_when_a_training_stops():
    state = TrainingState(step=10, seconds=5.0, best_error=4e-4)
    assert state.psnr == pytest.approx(40.0)
    assert Training(steps=11).stop_reason(state) is None
    assert Training(steps=10).stop_reason(state) == "steps"
    assert Training(seconds=5.0).stop_reason(state) == "seconds"
    assert Training(psnr=39.0, steps=10).stop_reason(state) == "psnr"
    assert Training(steps=40, seconds=10.0).share_done(state) == 0.5
    assert Training().or_steps(300).steps == 300
    assert Training(psnr=30.0).or_steps(300).steps == 3000
    assert Training(seconds=1.0).or_steps(300).steps is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 0}, "steps must be a positive number; it is 0"),
        ({"seconds": math.inf}, "seconds must be a positive number"),
        ({"seed": -1}, "seed must be from 0"),
        ({"dtype": torch.float16}, "dtype must be torch.float32 or torch.float64; it is torch.float16"),
        ({"resume": True}, "resume needs the checkpoint directory"),
        ({"device": "abacus"}, "the device 'abacus' is not available"),
    ],
)
def test_invalid_options_of_a_training_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        Training(**options)
