"""Exact derivatives of networks with respect to their input.

`propagate` gives value, gradient, Laplacian and Hessian at points as a `Jet`; `derivative` the derivative of a network
as a network; `taylor` directional derivatives of any order; `operators` vector calculus on a jet.
"""

from sinefield.jets.derivative_network import Derivative as Derivative
from sinefield.jets.derivative_network import derivative as derivative
from sinefield.jets.dispatch import propagate as propagate
from sinefield.jets.jet import Jet as Jet
from sinefield.jets.reference import Tap as Tap
from sinefield.jets.taylor_mode import taylor as taylor
from sinefield.parallel import Workspace as Workspace
