"""Functions that return the constraints of a problem, with its solution where that is known."""

from sinefield.constraints.regression import regression as regression
from sinefield.problems.eikonal import eikonal as eikonal
from sinefield.problems.helmholtz import helmholtz as helmholtz
from sinefield.problems.poisson import poisson as poisson
from sinefield.problems.problem import Problem as Problem
from sinefield.problems.wave import wave as wave
