"""The verbs, one a file. Each imports what it needs when it runs, so that `--help` is there at once."""

from sinefield.verbs.bench import bench as bench
from sinefield.verbs.blend import blend as blend
from sinefield.verbs.compare import compare as compare
from sinefield.verbs.fit import fit as fit
from sinefield.verbs.fit_many import fit_many as fit_many
from sinefield.verbs.info import info as info
from sinefield.verbs.invert import invert as invert
from sinefield.verbs.poisson import poisson as poisson
from sinefield.verbs.prior import prior as prior
from sinefield.verbs.render import render as render
from sinefield.verbs.reproduce import reproduce as reproduce
from sinefield.verbs.solve import solve as solve
