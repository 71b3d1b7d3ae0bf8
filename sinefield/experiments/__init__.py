"""The paper's experiments and its other claims; a new one is an `Experiment` in a file of its own, named here.

The paper: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020.
"""

from sinefield.experiments.audio import AUDIO
from sinefield.experiments.convergence import CONVERGENCE
from sinefield.experiments.derivative import DERIVATIVE
from sinefield.experiments.equations import HELMHOLTZ, WAVE
from sinefield.experiments.experiment import BUDGETS as BUDGETS
from sinefield.experiments.experiment import Experiment as Experiment
from sinefield.experiments.experiment import Setting as Setting
from sinefield.experiments.image import IMAGE
from sinefield.experiments.initialisation import INIT
from sinefield.experiments.inversion import INVERSION
from sinefield.experiments.outside import OUTSIDE
from sinefield.experiments.poisson import POISSON
from sinefield.experiments.prior import PRIOR
from sinefield.experiments.shape import SHAPE
from sinefield.experiments.size import SIZE
from sinefield.experiments.video import VIDEO

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
