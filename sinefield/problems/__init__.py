"""Boundary value problems: constraints on a field with a reference solution where one is known.

The functions have the names of their modules and are imported from these, as in
`from sinefield.problems.helmholtz import helmholtz`, or are found by name in `EQUATIONS`.
"""

from sinefield.problems.problem import EQUATIONS as EQUATIONS
from sinefield.problems.problem import Problem as Problem
from sinefield.problems.problem import register_equation as register_equation
