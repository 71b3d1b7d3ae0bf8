"""Exact derivatives of fields."""

from sinefield.jets.jet import Jet as Jet
from sinefield.jets.propagate import propagate as propagate
