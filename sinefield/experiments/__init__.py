"""The experiments of the paper, and its other claims.

Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020. Each module of this
package registers its experiments with `register_experiment`.
"""

from sinefield.experiments.experiment import BUDGETS as BUDGETS
from sinefield.experiments.experiment import EXPERIMENTS as EXPERIMENTS
from sinefield.experiments.experiment import Experiment as Experiment
from sinefield.experiments.experiment import Setting as Setting
from sinefield.experiments.experiment import register_experiment as register_experiment
