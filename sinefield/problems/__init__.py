"""Functions that return the constraints of a problem."""

from sinefield.problems.regression import regression as regression
