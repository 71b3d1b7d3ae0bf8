"""Functions that return the constraints of a problem, with its solution where that is known."""

from sinefield.constraints.regression import regression as regression
from sinefield.problems.eikonal import travel_time as travel_time
from sinefield.problems.helmholtz import helmholtz as helmholtz
from sinefield.problems.poisson import square as square
from sinefield.problems.problem import Problem as Problem
from sinefield.problems.wave import wave as wave
