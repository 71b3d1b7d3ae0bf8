"""The paper's experiments and its other claims; a new one is an `Experiment` in a file of its own, named here.

The paper: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020.
"""

from sinefield.reproduction.audio import AUDIO
from sinefield.reproduction.convergence import CONVERGENCE
from sinefield.reproduction.derivative import DERIVATIVE
from sinefield.reproduction.equations import HELMHOLTZ, WAVE
from sinefield.reproduction.experiment import BUDGETS as BUDGETS
from sinefield.reproduction.experiment import Experiment as Experiment
from sinefield.reproduction.experiment import Setting as Setting
from sinefield.reproduction.image import IMAGE
from sinefield.reproduction.initialisation import INIT
from sinefield.reproduction.inversion import INVERSION
from sinefield.reproduction.outside import OUTSIDE
from sinefield.reproduction.poisson import POISSON
from sinefield.reproduction.prior import PRIOR
from sinefield.reproduction.shape import SHAPE
from sinefield.reproduction.size import SIZE
from sinefield.reproduction.video import VIDEO

EXPERIMENTS: dict[str, Experiment] = {
    "init": INIT,
    "derivative": DERIVATIVE,
    "outside": OUTSIDE,
    "image": IMAGE,
    "convergence": CONVERGENCE,
    "size": SIZE,
    "audio": AUDIO,
    "video": VIDEO,
    "poisson": POISSON,
    "shape": SHAPE,
    "helmholtz": HELMHOLTZ,
    "wave": WAVE,
    "inversion": INVERSION,
    "prior": PRIOR,
}
"""By name, in the order in which they are run."""
