"""The verbs, one a file. Each imports what it needs when it runs, so that `--help` is there at once."""

from sinefield.cli.commands.bench import bench as bench
from sinefield.cli.commands.blend import blend as blend
from sinefield.cli.commands.compare import compare as compare
from sinefield.cli.commands.fit import fit as fit
from sinefield.cli.commands.fit_many import fit_many as fit_many
from sinefield.cli.commands.info import info as info
from sinefield.cli.commands.invert import invert as invert
from sinefield.cli.commands.poisson import poisson as poisson
from sinefield.cli.commands.prior import prior as prior
from sinefield.cli.commands.render import render as render
from sinefield.cli.commands.reproduce import reproduce as reproduce
from sinefield.cli.commands.solve import solve as solve
