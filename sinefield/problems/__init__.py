"""Functions that return the constraints of a problem, with its solution where that is known."""

from sinefield.problems.helmholtz import helmholtz as helmholtz
from sinefield.problems.problem import Problem as Problem
from sinefield.problems.regression import regression as regression
from sinefield.problems.square import square as square
from sinefield.problems.travel import travel_time as travel_time
from sinefield.problems.wave import wave as wave
