"""Exact derivatives of fields."""

from sinefield.jets.derivative import Derivative as Derivative
from sinefield.jets.derivative import derivative as derivative
from sinefield.jets.jet import Jet as Jet
from sinefield.jets.propagate import propagate as propagate
from sinefield.jets.reference import Tap as Tap
from sinefield.jets.taylor import taylor as taylor
from sinefield.jets.workspace import Workspace as Workspace
